package keyturn.clients;

import static keyturn.clients.Vault.mount;
import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.vault.core.VaultKeyValueOperationsSupport.KeyValueBackend;
import org.springframework.vault.core.VaultVersionedKeyValueOperations;
import org.springframework.vault.support.VaultMetadataRequest;
import org.springframework.vault.support.Versioned;
import org.springframework.vault.support.Versioned.Version;

/** KV version 2. */
class KvV2Test {
    private static VaultVersionedKeyValueOperations engine(String path) {
        mount(path, 2);
        return root().opsForVersionedKeyValue(path);
    }

    private static void writeThree(VaultVersionedKeyValueOperations kv) {
        for (var value : List.of("one", "two", "three")) {
            kv.put("app", Map.of("value", value));
        }
    }

    private static Object value(VaultVersionedKeyValueOperations kv, int version) {
        Versioned<Map<String, Object>> found = kv.get("app", Version.from(version));
        return found.getRequiredData().get("value");
    }

    @Test
    void eachWriteMakesAVersion() {
        var kv = engine("kv2-write");
        assertEquals(Version.from(1), kv.put("app", Map.of("value", "änna", "port", 5432)).getVersion());
        assertEquals(Version.from(2), kv.put("app", Map.of("value", "berta")).getVersion());
        var latest = kv.get("app");
        assertEquals(Map.of("value", "berta"), latest.getData());
        assertEquals(Version.from(2), latest.getVersion());
        assertEquals("änna", value(kv, 1));
        assertNull(kv.get("app", Version.from(3)));
        assertNull(kv.get("nothing"));
    }

    @Test
    void checkAndSetRefusesAStaleWriter() {
        var kv = engine("kv2-cas");
        assertEquals(Version.from(1), kv.put("app", Versioned.create(Map.of("value", "1"), Version.from(0))).getVersion());
        refused(400, "check-and-set", () -> kv.put("app", Versioned.create(Map.of("value", "2"), Version.from(0))));
        assertEquals(Version.from(2), kv.put("app", Versioned.create(Map.of("value", "2"), Version.from(1))).getVersion());
        refused(400, "check-and-set", () -> kv.put("app", Versioned.create(Map.of("value", "3"), Version.from(1))));
        assertEquals("2", value(kv, 2));
    }

    @Test
    void aSecretIsPatched() {
        mount("kv2-patch", 2);
        var kv = root().opsForKeyValue("kv2-patch", KeyValueBackend.KV_2);
        kv.put("app", Map.of("user", "anna", "port", 1));
        assertTrue(kv.patch("app", Map.of("port", 2)));
        assertEquals(Map.of("user", "anna", "port", 2), kv.get("app").getData());
    }

    @Test
    void versionsAreDeletedAndBroughtBack() {
        var kv = engine("kv2-delete");
        writeThree(kv);
        kv.delete("app");
        var deleted = kv.get("app");
        assertFalse(deleted.hasData());
        assertTrue(deleted.getRequiredMetadata().isDeleted());
        kv.delete("app", Version.from(1));
        kv.undelete("app", Version.from(1), Version.from(3));
        assertEquals("one", value(kv, 1));
        assertEquals("three", value(kv, 3));
    }

    @Test
    void whatIsDestroyedDoesNotComeBack() {
        var kv = engine("kv2-destroy");
        writeThree(kv);
        kv.destroy("app", Version.from(2));
        kv.undelete("app", Version.from(2));
        var destroyed = kv.get("app", Version.from(2));
        assertFalse(destroyed.hasData());
        assertTrue(destroyed.getRequiredMetadata().isDestroyed());
        assertEquals("three", value(kv, 3));
    }

    @Test
    void metadataIsSetReadAndDeleted() {
        var kv = engine("kv2-metadata");
        var metadata = kv.opsForKeyValueMetadata();
        metadata.put("app", VaultMetadataRequest.builder()
            .maxVersions(2).deleteVersionAfter(Duration.ofHours(1)).customMetadata(Map.of("owner", "anna")).build());
        writeThree(kv);
        var read = metadata.get("app");
        assertEquals(2, read.getMaxVersions());
        assertEquals(3, read.getCurrentVersion());
        assertEquals(2, read.getOldestVersion());
        assertEquals(Duration.ofHours(1), read.getDeleteVersionAfter());
        // This version of the client leaves it out of `read`.
        assertEquals(Map.of("owner", "anna"), kv.get("app").getRequiredMetadata().getCustomMetadata());
        assertEquals(2, read.getVersions().size());
        assertFalse(read.isCasRequired());
        metadata.delete("app");
        assertNull(kv.get("app"));
        assertEquals(List.of(), kv.list("/"));
    }

    @Test
    void checkAndSetCanBeRequired() {
        var kv = engine("kv2-required");
        kv.opsForKeyValueMetadata().put("app", VaultMetadataRequest.builder().casRequired().build());
        refused(400, "check-and-set", () -> kv.put("app", Map.of("value", "1")));
        kv.put("app", Versioned.create(Map.of("value", "1"), Version.from(0)));
    }

    @Test
    void aListingShowsSecretsAndFolders() {
        var kv = engine("kv2-list");
        for (var path : List.of("one", "two", "folder/three")) {
            kv.put(path, Map.of("a", "b"));
        }
        assertEquals(List.of("folder/", "one", "two"), kv.list("/"));
        assertEquals(List.of("three"), kv.list("folder"));
        assertEquals(List.of(), kv.list("nothing"));
    }
}
