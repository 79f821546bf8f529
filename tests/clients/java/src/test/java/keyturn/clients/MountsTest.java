package keyturn.clients;

import static keyturn.clients.Vault.mount;
import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.vault.support.VaultMount;

/** Mounts of secrets engines. */
class MountsTest {
    @Test
    void anEngineIsEnabledShownAndDisabled() {
        var system = root().opsForSys();
        Map<String, Object> config = Map.of("default_lease_ttl", "1h", "max_lease_ttl", "2h");
        system.mount("team/a", VaultMount.builder()
            .type("kv").description("of team a").config(config).options(Map.of("version", "2")).build());
        var mounts = system.getMounts();
        assertTrue(mounts.containsKey("sys/") && mounts.containsKey("cubbyhole/"));
        var found = mounts.get("team/a/");
        assertEquals("kv", found.getType());
        assertEquals("of team a", found.getDescription());
        assertEquals(Map.of("version", "2"), found.getOptions());
        assertEquals(3600, found.getConfig().get("default_lease_ttl"));
        assertEquals(7200, found.getConfig().get("max_lease_ttl"));
        system.unmount("team/a");
        assertFalse(system.getMounts().containsKey("team/a/"));
    }

    @Test
    void whatIsDisabledIsGone() {
        mount("gone", 1);
        root().write("gone/a", Map.of("b", "c"));
        root().opsForSys().unmount("gone");
        assertNull(root().read("gone/a"));
        mount("gone", 1);
        assertNull(root().read("gone/a"));
    }

    @Test
    void pathsInUseAndUnknownEnginesAreRefused() {
        mount("taken", 1);
        for (var path : new String[] {"taken", "taken/below", "sys"}) {
            refused(400, () -> mount(path, 1));
        }
        refused(400, () -> root().opsForSys().mount("other", VaultMount.create("no-such-engine")));
    }

    @Test
    void theTokenMethodIsListed() {
        assertEquals("token", root().opsForSys().getAuthMounts().get("token/").getType());
    }
}
