package keyturn.clients;

import static keyturn.clients.Vault.holder;
import static keyturn.clients.Vault.mount;
import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.vault.support.Policy;
import org.springframework.vault.support.Policy.BuiltinCapabilities;
import org.springframework.vault.support.Policy.Rule;

/** Policies, which this client writes as JSON. */
class PoliciesTest {
    private static final Policy RULES = Policy.of(Rule.builder()
        .path("policy-kv/mine/*").capabilities(BuiltinCapabilities.CREATE, BuiltinCapabilities.READ).build());

    @Test
    void aPolicyIsWrittenReadListedAndDeleted() {
        var system = root().opsForSys();
        system.createOrUpdatePolicy("team", RULES);
        assertEquals(RULES, system.getPolicy("team"));
        assertTrue(system.getPolicyNames().containsAll(List.of("default", "root", "team")));
        system.deletePolicy("team");
        assertNull(system.getPolicy("team"));
        assertFalse(system.getPolicyNames().contains("team"));
    }

    @Test
    void aPolicyThatDoesNotParseIsRefused() {
        var broken = Policy.of(Rule.builder().path("x").capability(() -> "fly").build());
        refused(400, () -> root().opsForSys().createOrUpdatePolicy("broken", broken));
        assertNull(root().opsForSys().getPolicy("broken"));
    }

    @Test
    void aTokenDoesWhatItsPoliciesAllowAndNoMore() {
        mount("policy-kv", 1);
        root().opsForSys().createOrUpdatePolicy("narrow", RULES);
        var narrow = holder("narrow");
        narrow.write("policy-kv/mine/a", Map.of("b", "c"));
        assertEquals(Map.of("b", "c"), narrow.read("policy-kv/mine/a").getData());
        refused(403, "permission denied", () -> narrow.write("policy-kv/mine/a", Map.of("b", "d")));
        refused(403, () -> narrow.write("policy-kv/other/a", Map.of("b", "d")));
        refused(403, () -> narrow.read("policy-kv/other/a"));
        refused(403, () -> narrow.list("policy-kv/mine"));
        refused(403, () -> narrow.delete("policy-kv/mine/a"));
        refused(403, () -> narrow.opsForSys().getPolicyNames());
    }
}
