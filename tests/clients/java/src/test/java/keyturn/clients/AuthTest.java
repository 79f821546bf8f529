package keyturn.clients;

import static keyturn.clients.Vault.client;
import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.requestsWithoutToken;
import static keyturn.clients.Vault.root;
import static keyturn.clients.Vault.self;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.http.HttpEntity;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;
import org.springframework.vault.authentication.AppRoleAuthentication;
import org.springframework.vault.authentication.AppRoleAuthenticationOptions;
import org.springframework.vault.authentication.AppRoleAuthenticationOptions.RoleId;
import org.springframework.vault.authentication.AppRoleAuthenticationOptions.SecretId;
import org.springframework.vault.authentication.ClientAuthentication;
import org.springframework.vault.authentication.CubbyholeAuthentication;
import org.springframework.vault.authentication.CubbyholeAuthenticationOptions;
import org.springframework.vault.authentication.LifecycleAwareSessionManager;
import org.springframework.vault.authentication.UsernamePasswordAuthentication;
import org.springframework.vault.authentication.UsernamePasswordAuthenticationOptions;
import org.springframework.vault.support.VaultMount;
import org.springframework.vault.support.VaultResponse;
import org.springframework.vault.support.VaultToken;

/** Auth methods, logins, and sessions that renew and revoke their token. */
class AuthTest {
    @BeforeEach
    void enableMethods() {
        var system = root().opsForSys();
        system.authMount("machines", VaultMount.create("approle"));
        system.authMount("people", VaultMount.create("userpass"));
        root().write("auth/machines/role/ci", Map.of("token_policies", List.of("default"), "token_ttl", "10m"));
    }

    @AfterEach
    void disableMethods() {
        root().opsForSys().authUnmount("machines");
        root().opsForSys().authUnmount("people");
    }

    private static ClientAuthentication appRole(RoleId role, SecretId secret) {
        var options = AppRoleAuthenticationOptions.builder()
            .path("machines").appRole("ci").roleId(role).secretId(secret).build();
        return new AppRoleAuthentication(options, requestsWithoutToken());
    }

    private static RoleId roleId() {
        return RoleId.provided((String) root().read("auth/machines/role/ci/role-id").getData().get("role_id"));
    }

    private static SecretId secretId() {
        return SecretId.provided((String) root().write("auth/machines/role/ci/secret-id").getData().get("secret_id"));
    }

    private static VaultToken loginAsPerson(String password) {
        var options = UsernamePasswordAuthenticationOptions.builder()
            .path("people").username("anna").password(password).build();
        return new UsernamePasswordAuthentication(options, requestsWithoutToken()).login();
    }

    /** Sends a request whose answer is to be wrapped, and gives the token that it is wrapped in. */
    private static VaultToken wrapped(HttpMethod method, String path, Map<String, ?> body) {
        var headers = new HttpHeaders();
        headers.set("X-Vault-Wrap-TTL", "60");
        var answer = root().doWithSession(requests ->
            requests.exchange(path, method, new HttpEntity<>(body, headers), VaultResponse.class).getBody());
        assertNull(answer.getData());
        assertEquals(path, answer.getWrapInfo().get("creation_path"));
        return VaultToken.of(answer.getWrapInfo().get("token"));
    }

    @Test
    void methodsAreMountedAndListed() {
        var system = root().opsForSys();
        assertEquals("approle", system.getAuthMounts().get("machines/").getType());
        assertEquals("userpass", system.getAuthMounts().get("people/").getType());
        system.authUnmount("people");
        assertFalse(system.getAuthMounts().containsKey("people/"));
    }

    @Test
    void aMachineLogsIn() {
        var seen = self(appRole(roleId(), secretId()).login());
        assertEquals("auth/machines/login", seen.get("path"));
        assertEquals(600, seen.get("creation_ttl"));
        assertEquals(List.of("default"), seen.get("policies"));
        refused(400, "invalid role or secret ID", () -> appRole(roleId(), SecretId.provided("wrong")).login());
        refused(400, () -> appRole(RoleId.provided("wrong"), secretId()).login());
    }

    @Test
    void aMachineFetchesItsOwnIds() {
        var token = VaultToken.of(Vault.vault().answer.getRootToken().getToken());
        var seen = self(appRole(RoleId.pull(token), SecretId.pull(token)).login());
        assertEquals(Map.of("role_name", "ci"), seen.get("meta"));
        var stranger = VaultToken.of("nonsense");
        refused(403, () -> appRole(RoleId.pull(stranger), SecretId.pull(stranger)).login());
    }

    @Test
    void aMachineIsGivenWrappedIds() {
        var roleToken = wrapped(HttpMethod.GET, "auth/machines/role/ci/role-id", null);
        var secretToken = wrapped(HttpMethod.POST, "auth/machines/role/ci/secret-id", Map.of());
        var login = appRole(RoleId.wrapped(roleToken), SecretId.wrapped(secretToken));
        assertEquals("auth/machines/login", self(login.login()).get("path"));
        refused(400, login::login);
    }

    @Test
    void aPersonLogsIn() {
        root().write("auth/people/users/anna", Map.of("password", "one", "token_policies", "default"));
        assertEquals(List.of("anna"), root().list("auth/people/users"));
        assertEquals(Map.of("username", "anna"), self(loginAsPerson("one")).get("meta"));
        root().write("auth/people/users/anna/password", Map.of("password", "two"));
        refused(400, "invalid username or password", () -> loginAsPerson("one"));
        assertEquals("people-anna", self(loginAsPerson("two")).get("display_name"));
        root().delete("auth/people/users/anna");
        refused(400, "invalid username or password", () -> loginAsPerson("two"));
        assertNull(root().read("auth/people/users/anna"));
    }

    @Test
    void aTokenIsTakenFromAWrappedAnswer() {
        var token = wrapped(HttpMethod.POST, "auth/token/create", Map.of("policies", List.of("default")));
        var options = CubbyholeAuthenticationOptions.builder()
            .initialToken(token).wrapped().build();
        var login = new CubbyholeAuthentication(options, requestsWithoutToken());
        assertEquals(List.of("default"), self(login.login()).get("policies"));
        refused(400, login::login);
    }

    @Test
    void aSessionRenewsItsTokenAndEndsIt() {
        var scheduler = new ThreadPoolTaskScheduler();
        scheduler.initialize();
        var session = new LifecycleAwareSessionManager(
            appRole(roleId(), secretId()), scheduler, requestsWithoutToken());
        var template = client(session);
        assertEquals("auth/machines/login", template.read("auth/token/lookup-self").getData().get("path"));
        var token = session.getSessionToken();
        assertNull(self(token).get("last_renewal_time"));
        assertTrue(session.renewToken());
        assertEquals(token, session.getSessionToken());
        assertNotNull(self(token).get("last_renewal_time"));
        session.destroy();
        scheduler.shutdown();
        refused(403, () -> self(token));
    }

    @Test
    void theTokensOfAMethodAreRevokedTogether() {
        var token = appRole(roleId(), secretId()).login();
        assertEquals("service", self(token).get("type"));
        root().write("sys/leases/revoke-prefix/auth/machines/login");
        refused(403, () -> self(token));
    }
}
