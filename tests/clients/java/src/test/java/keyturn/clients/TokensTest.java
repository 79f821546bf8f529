package keyturn.clients;

import static keyturn.clients.Vault.client;
import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static keyturn.clients.Vault.self;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.vault.core.VaultTokenOperations;
import org.springframework.vault.support.Policy;
import org.springframework.vault.support.Policy.BuiltinCapabilities;
import org.springframework.vault.support.Policy.Rule;
import org.springframework.vault.support.VaultToken;
import org.springframework.vault.support.VaultTokenRequest;
import org.springframework.vault.support.VaultTokenRequest.VaultTokenRequestBuilder;
import org.springframework.vault.support.VaultTokenResponse;

/** Tokens, accessors and roles. */
class TokensTest {
    private VaultTokenOperations tokens;

    @BeforeEach
    void writePolicies() {
        tokens = root().opsForToken();
        root().opsForSys().createOrUpdatePolicy("reader", Policy.of(
            Rule.builder().path("tokens-kv/*").capability(BuiltinCapabilities.READ).build()));
        root().opsForSys().createOrUpdatePolicy("maker", Policy.of(Rule.builder()
            .path("auth/token/create*").capabilities(BuiltinCapabilities.UPDATE, BuiltinCapabilities.SUDO).build()));
    }

    private static VaultTokenRequestBuilder asking(String policy) {
        return VaultTokenRequest.builder().withPolicy(policy).ttl(Duration.ofHours(1)).renewable();
    }

    private static void assertDead(VaultToken token) {
        refused(403, () -> self(token));
    }

    private static Object duration(VaultTokenResponse answer) {
        return answer.getAuth().get("lease_duration");
    }

    @Test
    void aTokenIsWhatWasAskedFor() {
        var answer = tokens.create(asking("reader").displayName("build").meta(Map.of("team", "operations"))
            .numUses(5).explicitMaxTtl(Duration.ofHours(2)).build());
        assertEquals(List.of("default", "reader"), answer.getAuth().get("policies"));
        assertEquals(3600, duration(answer));
        assertEquals(true, answer.getAuth().get("renewable"));
        var seen = root().write("auth/token/lookup", Map.of("token", answer.getToken().getToken())).getData();
        assertEquals("token-build", seen.get("display_name"));
        assertEquals(Map.of("team", "operations"), seen.get("meta"));
        assertEquals(5, seen.get("num_uses"));
        assertEquals(7200, seen.get("explicit_max_ttl"));
        assertEquals(false, seen.get("orphan"));
    }

    @Test
    void aTokenCanDoWithoutTheDefaultPolicy() {
        var answer = tokens.create(asking("reader").noDefaultPolicy().build());
        assertEquals(List.of("reader"), answer.getAuth().get("policies"));
    }

    @Test
    void aTokenWithoutWishesHasTheRightsOfItsMaker() {
        assertEquals(List.of("root"), self(tokens.create().getToken()).get("policies"));
    }

    @Test
    void aTokenIsRenewed() {
        var token = tokens.create(asking("reader").build()).getToken();
        var renewed = tokens.renew(token);
        assertEquals(token, renewed.getToken());
        assertEquals(3600, duration(renewed));
        var fixed = tokens.create(asking("reader").renewable(false).build()).getToken();
        refused(400, () -> tokens.renew(fixed));
    }

    @Test
    void childrenDieWithTheirParentAndOrphansDoNot() {
        var parent = tokens.create(asking("maker").build()).getToken();
        var acting = client(parent.getToken()).opsForToken();
        var child = acting.create(asking("maker").build()).getToken();
        var orphan = acting.createOrphan(asking("maker").build()).getToken();
        tokens.revoke(parent);
        assertDead(parent);
        assertDead(child);
        assertEquals(true, self(orphan).get("orphan"));
    }

    @Test
    void childrenCanBeSpared() {
        var parent = tokens.create(asking("maker").build()).getToken();
        var child = client(parent.getToken()).opsForToken().create(asking("maker").build()).getToken();
        tokens.revokeOrphan(parent);
        assertDead(parent);
        assertEquals(true, self(child).get("orphan"));
    }

    @Test
    void anAccessorNamesATokenWithoutItsPower() {
        var answer = tokens.create(asking("reader").build());
        var accessor = Map.of("accessor", answer.getAuth().get("accessor"));
        assertEquals("", root().write("auth/token/lookup-accessor", accessor).getData().get("id"));
        root().write("auth/token/revoke-accessor", accessor);
        assertDead(answer.getToken());
    }

    @Test
    void rolesShapeTokens() {
        root().write("auth/token/roles/deploy", Map.of("allowed_policies", List.of("reader"), "orphan", true));
        assertEquals(List.of("deploy"), root().list("auth/token/roles"));
        assertEquals(List.of("reader"), root().read("auth/token/roles/deploy").getData().get("allowed_policies"));
        var token = tokens.create("deploy", asking("reader").build()).getToken();
        assertEquals("deploy", self(token).get("role"));
        assertEquals(true, self(token).get("orphan"));
        refused(400, () -> tokens.create("deploy", asking("other").build()));
        root().delete("auth/token/roles/deploy");
        assertNull(root().read("auth/token/roles/deploy"));
    }
}
