package keyturn.clients;

import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static keyturn.clients.Vault.stranger;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.vault.core.VaultWrappingOperations;
import org.springframework.vault.support.VaultToken;
import org.springframework.vault.support.WrappedMetadata;

/** Response wrapping. */
class WrappingTest {
    private final VaultWrappingOperations wrapping = root().opsForWrapping();

    record Payload(String a) {}

    private WrappedMetadata wrapped() {
        return wrapping.wrap(Map.of("a", "b"), Duration.ofMinutes(1));
    }

    @Test
    void whatIsWrappedIsGivenOnce() {
        var token = wrapped().getToken();
        assertEquals(Map.of("a", "b"), wrapping.read(token).getData());
        assertNull(wrapping.read(token));
        assertNull(wrapping.read(VaultToken.of("nonsense")));
    }

    @Test
    void itIsReadAsAType() {
        assertEquals(new Payload("b"), wrapping.read(wrapped().getToken(), Payload.class).getData());
    }

    @Test
    void aLookupTellsWithoutGiving() {
        var made = wrapped();
        var seen = stranger().opsForWrapping().lookup(made.getToken());
        assertEquals(Duration.ofMinutes(1), seen.getTtl());
        assertEquals("sys/wrapping/wrap", seen.getPath());
        assertEquals(made.getCreationTime(), seen.getCreationTime());
        assertEquals(Map.of("a", "b"), wrapping.read(made.getToken()).getData());
        assertNull(wrapping.lookup(made.getToken()));
    }

    @Test
    void anotherWrappingEndsTheFirst() {
        var first = wrapped();
        var second = wrapping.rewrap(first.getToken());
        assertNotEquals(first.getToken(), second.getToken());
        assertEquals(first.getTtl(), second.getTtl());
        assertNull(wrapping.read(first.getToken()));
        assertEquals(Map.of("a", "b"), wrapping.read(second.getToken()).getData());
        refused(400, () -> wrapping.rewrap(second.getToken()));
    }
}
