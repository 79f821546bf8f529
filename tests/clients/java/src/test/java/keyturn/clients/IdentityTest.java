package keyturn.clients;

import static keyturn.clients.Vault.client;
import static keyturn.clients.Vault.root;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.vault.support.VaultMount;

/** Entities, aliases and groups, by plain reads and writes: the client has no functions for them. */
class IdentityTest {
    private Object entity;

    @BeforeEach
    void makeEntity() {
        entity = make("entity", Map.of("name", "anna", "metadata", Map.of("team", "ops"), "policies", "default"));
    }

    @AfterEach
    void deleteEntity() {
        root().delete("identity/entity/id/" + entity);
    }

    private static Object make(String kind, Map<String, ?> wishes) {
        return root().write("identity/" + kind, wishes).getData().get("id");
    }

    @Test
    void anEntityIsKeptFoundAndDeleted() {
        var read = root().read("identity/entity/name/anna").getData();
        assertEquals(entity, read.get("id"));
        assertEquals(Map.of("team", "ops"), read.get("metadata"));
        assertEquals(List.of("default"), read.get("policies"));
        assertTrue(root().list("identity/entity/id").contains(entity));
        assertTrue(root().list("identity/entity/name").contains("anna"));
        assertEquals(entity, root().write("identity/lookup/entity", Map.of("name", "anna")).getData().get("id"));
        root().write("identity/entity/id/" + entity, Map.of("name", "anne"));
        assertNull(root().read("identity/entity/name/anna"));
        assertEquals(entity, root().read("identity/entity/name/anne").getData().get("id"));
        root().delete("identity/entity/name/anne");
        assertNull(root().read("identity/entity/id/" + entity));
    }

    @Test
    void aLoginIsAnAliasAndAGroupGivesPolicies() {
        root().opsForSys().authMount("staff", VaultMount.create("userpass"));
        root().write("auth/staff/users/anna", Map.of("password", "a long passphrase"));
        var accessor = ((Map<?, ?>) root().read("sys/auth").getData().get("staff/")).get("accessor");
        var alias = make("entity-alias", Map.of("name", "anna", "canonical_id", entity, "mount_accessor", accessor));
        assertEquals(entity, root().read("identity/entity-alias/id/" + alias).getData().get("canonical_id"));
        var group = make("group", Map.of(
            "name", "ops", "member_entity_ids", List.of(entity), "policies", List.of("team-ops")));
        var auth = root().write("auth/staff/login/anna", Map.of("password", "a long passphrase")).getAuth();
        assertEquals(entity, auth.get("entity_id"));
        assertEquals(List.of("default", "team-ops"), auth.get("identity_policies"));
        assertEquals(List.of(group), root().read("identity/entity/id/" + entity).getData().get("group_ids"));
        var own = client((String) auth.get("client_token"));
        assertEquals(entity, own.read("auth/token/lookup-self").getData().get("entity_id"));

        root().delete("identity/group/id/" + group);
        assertEquals(List.of("default"), own.read("auth/token/lookup-self").getData().get("identity_policies"));
        root().opsForSys().authUnmount("staff");
    }
}
