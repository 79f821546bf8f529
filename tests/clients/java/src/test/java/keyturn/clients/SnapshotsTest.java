package keyturn.clients;

import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static keyturn.clients.Vault.stranger;
import static keyturn.clients.Vault.vault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;

/** Snapshots of the whole vault, by plain requests: the client has no functions for them, but carries bytes. */
class SnapshotsTest {
    private static void restore(byte[] archive) {
        root().doWithSession(requests -> requests.postForObject("sys/storage/raft/snapshot", archive, Void.class));
    }

    @Test
    void aSnapshotPutsEverythingBack() {
        Vault.mount("snapshots", 1);
        root().write("snapshots/old", Map.of("x", "1"));
        var archive = root().doWithSession(
            requests -> requests.getForObject("sys/storage/raft/snapshot", byte[].class));
        root().write("snapshots/old", Map.of("x", "2"));
        root().write("snapshots/new", Map.of("x", "2"));

        var altered = archive.clone();
        altered[altered.length / 2] ^= 1;
        refused(400, () -> restore(altered));
        assertEquals(Map.of("x", "2"), root().read("snapshots/new").getData());

        restore(archive);
        var system = stranger().opsForSys();
        assertTrue(system.getUnsealStatus().isSealed());
        for (var key : vault().answer.getKeys().subList(1, Vault.SHARES)) {
            system.unseal(key);
        }
        assertFalse(system.getUnsealStatus().isSealed());
        assertEquals(Map.of("x", "1"), root().read("snapshots/old").getData());
        assertNull(root().read("snapshots/new"));
        root().opsForSys().unmount("snapshots");
    }
}
