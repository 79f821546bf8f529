package keyturn.clients;

import static keyturn.clients.Vault.client;
import static keyturn.clients.Vault.root;
import static keyturn.clients.Vault.self;
import static keyturn.clients.Vault.vault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.vault.support.VaultToken;

/**
 * What custodians do on an open vault, by plain requests: the client has no functions for it, and its reads look for
 * an answer under "data", which these do not have.
 */
class CustodyTest {
    private static Map<?, ?> get(String path) {
        return root().doWithSession(requests -> requests.getForObject(path, Map.class));
    }

    private static Map<?, ?> post(String path, Map<String, ?> body) {
        return root().doWithSession(requests -> requests.postForObject(path, body, Map.class));
    }

    @Test
    void aRekeyIsBegunAndGivenUp() {
        var begun = post("sys/rekey/init", Map.of(
            "secret_shares", 3, "secret_threshold", 2, "require_verification", true));
        assertEquals(true, begun.get("started"));
        assertEquals(List.of(3, 2, 2), List.of(begun.get("n"), begun.get("t"), begun.get("required")));
        var given = post("sys/rekey/update", Map.of(
            "key", vault().answer.getKeys().get(0), "nonce", begun.get("nonce")));
        assertEquals(1, given.get("progress"));
        assertEquals(1, get("sys/rekey/init").get("progress"));
        root().delete("sys/rekey/init");
        assertEquals(false, get("sys/rekey/init").get("started"));
    }

    @Test
    void custodiansMakeARootToken() {
        var begun = post("sys/generate-root/attempt", Map.of());
        Map<?, ?> answer = Map.of();
        for (var key : vault().answer.getKeys().subList(0, Vault.THRESHOLD)) {
            assertFalse(Boolean.TRUE.equals(answer.get("complete")));
            answer = post("sys/generate-root/update", Map.of("key", key, "nonce", begun.get("nonce")));
        }
        assertEquals(true, answer.get("complete"));
        var sealed = Base64.getDecoder().decode((String) answer.get("encoded_token"));
        var otp = ((String) begun.get("otp")).getBytes();
        assertEquals(otp.length, sealed.length);
        for (int i = 0; i < sealed.length; i++) {
            sealed[i] ^= otp[i];
        }
        var token = VaultToken.of(new String(sealed));
        assertEquals(List.of("root"), self(token).get("policies"));
        client(token.getToken()).write("auth/token/revoke-self");
    }

    @Test
    void theKeyIsRotated() {
        var before = (int) root().read("sys/key-status").getData().get("term");
        root().write("sys/rotate");
        var after = root().read("sys/key-status").getData();
        assertEquals(before + 1, after.get("term"));
        assertNotNull(after.get("install_time"));
    }
}
