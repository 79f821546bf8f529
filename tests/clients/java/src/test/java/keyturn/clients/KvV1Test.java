package keyturn.clients;

import static keyturn.clients.Vault.mount;
import static keyturn.clients.Vault.root;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.vault.core.VaultKeyValueOperations;
import org.springframework.vault.core.VaultKeyValueOperationsSupport.KeyValueBackend;

/** KV version 1. */
class KvV1Test {
    private static VaultKeyValueOperations engine(String path) {
        mount(path, 1);
        return root().opsForKeyValue(path, KeyValueBackend.KV_1);
    }

    @Test
    void aSecretIsWrittenReadReplacedAndDeleted() {
        var kv = engine("kv1-round");
        kv.put("app/db", Map.of("user", "änna", "port", 5432));
        assertEquals(Map.of("user", "änna", "port", 5432), kv.get("app/db").getData());
        kv.put("app/db", Map.of("user", "berta"));
        assertEquals(Map.of("user", "berta"), kv.get("app/db").getData());
        kv.delete("app/db");
        assertNull(kv.get("app/db"));
    }

    @Test
    void aSecretIsReadAsAnObject() {
        record Login(String user, int port) {}
        var kv = engine("kv1-object");
        kv.put("login", new Login("anna", 5432));
        assertEquals(new Login("anna", 5432), kv.get("login", Login.class).getData());
    }

    @Test
    void aListingShowsSecretsAndFolders() {
        var kv = engine("kv1-list");
        for (var path : List.of("one", "two", "folder/three")) {
            kv.put(path, Map.of("a", "b"));
        }
        assertEquals(List.of("folder/", "one", "two"), kv.list("/"));
        assertEquals(List.of("three"), kv.list("folder"));
        assertEquals(List.of(), kv.list("nothing"));
    }
}
