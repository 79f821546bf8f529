package keyturn.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.function.Executable;
import org.springframework.core.io.FileSystemResource;
import org.springframework.http.client.ClientHttpRequestFactory;
import org.springframework.vault.authentication.SessionManager;
import org.springframework.vault.authentication.SimpleSessionManager;
import org.springframework.vault.authentication.TokenAuthentication;
import org.springframework.vault.client.ClientHttpRequestFactoryFactory;
import org.springframework.vault.client.VaultClients;
import org.springframework.vault.client.VaultEndpoint;
import org.springframework.vault.core.VaultTemplate;
import org.springframework.vault.support.ClientOptions;
import org.springframework.vault.support.SslConfiguration;
import org.springframework.vault.support.SslConfiguration.KeyStoreConfiguration;
import org.springframework.vault.support.VaultHealth;
import org.springframework.vault.support.VaultInitializationRequest;
import org.springframework.vault.support.VaultInitializationResponse;
import org.springframework.vault.support.VaultMount;
import org.springframework.vault.support.VaultToken;
import org.springframework.vault.support.VaultTokenRequest;
import org.springframework.vault.support.VaultUnsealStatus;
import org.springframework.web.client.RestClientResponseException;
import org.springframework.web.client.RestTemplate;

/**
 * The vault under test, initialised and unsealed by the client itself, and what was seen meanwhile. VAULT_ADDR and
 * VAULT_CACERT name a server whose vault is uninitialised when the tests begin.
 */
final class Vault {
    static final int SHARES = 3;
    static final int THRESHOLD = 2;

    private static final VaultEndpoint ENDPOINT = VaultEndpoint.from(URI.create(System.getenv("VAULT_ADDR")));
    private static final ClientHttpRequestFactory REQUESTS = requests();
    private static Vault shared;

    final boolean initializedBefore;
    final VaultInitializationResponse answer;
    final VaultHealth healthSealed;
    final VaultUnsealStatus statusSealed;
    final List<VaultUnsealStatus> unsealing = new ArrayList<>();

    private Vault() {
        var system = stranger().opsForSys();
        initializedBefore = system.isInitialized();
        answer = system.initialize(VaultInitializationRequest.create(SHARES, THRESHOLD));
        healthSealed = system.health();
        statusSealed = system.getUnsealStatus();
        for (var key : answer.getKeys().subList(0, THRESHOLD)) {
            unsealing.add(system.unseal(key));
        }
    }

    /** Initialises and unseals the vault, once for all tests. */
    static Vault vault() {
        if (shared == null) {
            shared = new Vault();
        }
        return shared;
    }

    /** Gives a client without a token. */
    static VaultTemplate stranger() {
        return new VaultTemplate(ENDPOINT, REQUESTS);
    }

    static VaultTemplate client(String token) {
        return new VaultTemplate(ENDPOINT, REQUESTS, new SimpleSessionManager(new TokenAuthentication(token)));
    }

    static VaultTemplate root() {
        return client(vault().answer.getRootToken().getToken());
    }

    /** Gives what the authentications send their requests with. */
    static RestTemplate requestsWithoutToken() {
        return VaultClients.createRestTemplate(ENDPOINT, REQUESTS);
    }

    /** Gives a client that logs in by itself. */
    static VaultTemplate client(SessionManager session) {
        return new VaultTemplate(ENDPOINT, REQUESTS, session);
    }

    /** Gives what the server says about a token to its holder. */
    static Map<String, Object> self(VaultToken token) {
        return client(token.getToken()).read("auth/token/lookup-self").getData();
    }

    /** Gives a client whose token has a policy, for an hour. */
    static VaultTemplate holder(String policy) {
        var request = VaultTokenRequest.builder().withPolicy(policy).ttl(Duration.ofHours(1)).build();
        return client(root().opsForToken().create(request).getToken().getToken());
    }

    /** Mounts a key-value engine. */
    static void mount(String path, int version) {
        var options = Map.of("version", String.valueOf(version));
        root().opsForSys().mount(path, VaultMount.builder().type("kv").options(options).build());
    }

    /** Asserts that the server refuses with a status, in words that contain a text. */
    static void refused(int status, String text, Executable call) {
        Throwable thrown = assertThrows(RuntimeException.class, call);
        String words = thrown.getMessage();
        while (!(thrown instanceof RestClientResponseException) && thrown.getCause() != null) {
            thrown = thrown.getCause();
        }
        assertTrue(thrown instanceof RestClientResponseException, () -> "no answer of the server: " + words);
        assertEquals(status, ((RestClientResponseException) thrown).getStatusCode().value(), words);
        assertTrue(words.contains(text), () -> text + " is not in " + words);
    }

    static void refused(int status, Executable call) {
        refused(status, "", call);
    }

    private static ClientHttpRequestFactory requests() {
        var authority = KeyStoreConfiguration.of(new FileSystemResource(System.getenv("VAULT_CACERT")))
            .withStoreType(SslConfiguration.PEM_KEYSTORE_TYPE);
        return ClientHttpRequestFactoryFactory.create(new ClientOptions(), SslConfiguration.forTrustStore(authority));
    }
}
