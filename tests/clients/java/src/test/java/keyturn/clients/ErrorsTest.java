package keyturn.clients;

import static keyturn.clients.Vault.client;
import static keyturn.clients.Vault.mount;
import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static keyturn.clients.Vault.stranger;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is refused, and how. */
class ErrorsTest {
    @Test
    void strangersAreRefused() {
        mount("errors-kv", 2);
        refused(403, () -> stranger().opsForVersionedKeyValue("errors-kv").put("a", Map.of("b", "c")));
        var unknown = client("hvs.not-a-token");
        refused(403, "permission denied", () -> unknown.read("errors-kv/data/a"));
        refused(403, () -> unknown.read("auth/token/lookup-self"));
    }

    @Test
    void whatIsNotThereIsMissing() {
        assertNull(root().read("nowhere/a"));
        refused(404, () -> root().write("nowhere/a", Map.of("b", "c")));
    }

    @Test
    void aSecretThatIsNoObjectIsRefused() {
        mount("errors-shape", 2);
        refused(400, () -> root().write("errors-shape/data/a", Map.of("data", "text")));
    }
}
