package keyturn.clients;

import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static keyturn.clients.Vault.stranger;
import static keyturn.clients.Vault.vault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.springframework.vault.support.VaultInitializationRequest;

/** Init, unseal, seal and health. */
class SysTest {
    @Test
    void initHandsOutSharesAndARootToken() {
        assertFalse(vault().initializedBefore);
        assertEquals(Vault.SHARES, vault().answer.getKeys().size());
        assertTrue(stranger().opsForSys().isInitialized());
        refused(400, () -> stranger().opsForSys().initialize(VaultInitializationRequest.create(1, 1)));
    }

    @Test
    void unsealingShowsItsProgress() {
        assertTrue(vault().healthSealed.isSealed());
        assertTrue(vault().statusSealed.isSealed());
        assertEquals(Vault.THRESHOLD, vault().statusSealed.getSecretThreshold());
        assertEquals(Vault.SHARES, vault().statusSealed.getSecretShares());
        assertEquals(1, vault().unsealing.get(0).getProgress());
        assertTrue(vault().unsealing.get(0).isSealed());
        assertFalse(vault().unsealing.get(1).isSealed());
    }

    @Test
    void theHealthOfAnOpenVault() {
        vault();
        var health = stranger().opsForSys().health();
        assertTrue(health.isInitialized());
        assertFalse(health.isSealed());
        assertFalse(health.isStandby());
        assertFalse(health.getVersion().isEmpty());
        assertFalse(stranger().opsForSys().getUnsealStatus().isSealed());
    }

    @Test
    void aSealedVaultServesNothingUntilEnoughSharesCome() {
        var keys = vault().answer.getKeys();
        root().opsForSys().seal();
        var system = stranger().opsForSys();
        assertTrue(system.getUnsealStatus().isSealed());
        refused(503, () -> root().opsForSys().getMounts());
        assertEquals(1, system.unseal(keys.get(2)).getProgress());
        refused(400, () -> system.unseal("00".repeat(33)));
        assertTrue(system.health().isSealed());
        assertFalse(system.unseal(keys.get(1)).isSealed());
        assertFalse(root().opsForSys().getMounts().isEmpty());
    }
}
