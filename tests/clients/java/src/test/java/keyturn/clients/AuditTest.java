package keyturn.clients;

import static keyturn.clients.Vault.holder;
import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Audit devices, rate limits and tools, by plain reads and writes: the client has no functions for them. */
class AuditTest {
    @Test
    void aDeviceFollowsTheLog() {
        root().write("sys/audit/copy", Map.of("type", "file", "options", Map.of("file_path", "copy.jsonl")));
        assertTrue(root().read("sys/audit").getData().containsKey("copy/"));
        var hash = (String) root().write("sys/audit-hash/copy", Map.of("input", "needle")).getData().get("hash");
        assertTrue(hash.matches("hmac-sha256:[0-9a-f]{64}"), hash);
        assertEquals(hash, root().write("sys/audit-hash/copy", Map.of("input", "needle")).getData().get("hash"));
        assertNotEquals(hash, root().write("sys/audit-hash/copy", Map.of("input", "straw")).getData().get("hash"));
        root().delete("sys/audit/copy");
        assertFalse(root().read("sys/audit").getData().containsKey("copy/"));
    }

    @Test
    void aDeviceElsewhereIsRefused() {
        var wishes = Map.of("type", "file", "options", Map.of("file_path", "/etc/bad"));
        refused(400, () -> root().write("sys/audit/bad", wishes));
    }

    @Test
    void aRateLimitIsKept() {
        root().write("sys/quotas/rate-limit/all", Map.of("path", "nowhere", "rate", 1000));
        assertEquals(List.of("all"), root().list("sys/quotas/rate-limit"));
        var read = root().read("sys/quotas/rate-limit/all").getData();
        assertEquals(1000.0, ((Number) read.get("rate")).doubleValue());
        assertEquals("nowhere", read.get("path"));
        root().delete("sys/quotas/rate-limit/all");
        assertNull(root().read("sys/quotas/rate-limit/all"));
    }

    @Test
    void toolsHashAndDraw() {
        var input = Base64.getEncoder().encodeToString("abc".getBytes());
        var sum = root().write("sys/tools/hash/sha2-256", Map.of("input", input)).getData().get("sum");
        assertEquals("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", sum);
        var drawn = (String) root().write("sys/tools/random/24", Map.of("format", "hex")).getData().get("random_bytes");
        assertEquals(48, drawn.length());
        refused(403, () -> holder("nothing").write("sys/tools/random/24"));
    }
}
