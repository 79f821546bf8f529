package keyturn.clients;

import static keyturn.clients.Vault.refused;
import static keyturn.clients.Vault.root;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Base64;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.vault.core.VaultTransitOperations;
import org.springframework.vault.support.Ciphertext;
import org.springframework.vault.support.Hmac;
import org.springframework.vault.support.Plaintext;
import org.springframework.vault.support.Signature;
import org.springframework.vault.support.TransitKeyType;
import org.springframework.vault.support.VaultHmacRequest;
import org.springframework.vault.support.VaultMount;
import org.springframework.vault.support.VaultSignRequest;
import org.springframework.vault.support.VaultSignatureVerificationRequest;
import org.springframework.vault.support.VaultTransitContext;
import org.springframework.vault.support.VaultTransitKeyConfiguration;
import org.springframework.vault.support.VaultTransitKeyCreationRequest;

/** Transit: keys that encrypt and sign for their users. */
class TransitTest {
    private VaultTransitOperations transit;

    @BeforeEach
    void mount() {
        root().opsForSys().mount("spring-transit", VaultMount.create("transit"));
        transit = root().opsForTransit("spring-transit");
    }

    @AfterEach
    void unmount() {
        root().opsForSys().unmount("spring-transit");
    }

    private static VaultTransitContext context(String text) {
        return VaultTransitContext.fromContext(text.getBytes());
    }

    @Test
    void aKeyIsMadeConfiguredAndDeleted() {
        transit.createKey("k");
        assertEquals(List.of("k"), transit.getKeys());
        var made = transit.getKey("k");
        assertEquals("k", made.getName());
        assertEquals("aes256-gcm96", made.getType());
        assertEquals(Set.of("1"), made.getKeys().keySet());
        assertTrue(made.supportsEncryption() && made.supportsDecryption() && made.supportsDerivation());
        assertFalse(made.supportsSigning() || made.isExportable() || made.isDerived() || made.isDeletionAllowed());
        refused(400, () -> transit.deleteKey("k"));
        transit.rotate("k");
        transit.configureKey("k", VaultTransitKeyConfiguration.builder()
            .deletionAllowed(true).minDecryptionVersion(2).minEncryptionVersion(2).build());
        var configured = transit.getKey("k");
        assertEquals(2, configured.getLatestVersion());
        assertEquals(2, configured.getMinDecryptionVersion());
        assertEquals(2, configured.getMinEncryptionVersion());
        transit.deleteKey("k");
        assertNull(transit.getKey("k"));
    }

    @Test
    void textsAreEncryptedAndDecrypted() {
        transit.createKey("k");
        var ciphertext = transit.encrypt("k", "hello");
        assertTrue(ciphertext.startsWith("vault:v1:"), ciphertext);
        assertNotEquals(ciphertext, transit.encrypt("k", "hello"));
        assertEquals("hello", transit.decrypt("k", ciphertext));
        var bytes = new byte[] {0, -1, 7};
        var sealed = transit.encrypt("k", Plaintext.of(bytes));
        assertArrayEquals(bytes, transit.decrypt("k", sealed).getPlaintext());
        transit.createKey("other");
        refused(400, () -> transit.decrypt("other", ciphertext));
    }

    @Test
    void anOldCiphertextIsRewrapped() {
        transit.createKey("k");
        var old = transit.encrypt("k", "hello");
        transit.rotate("k");
        var renewed = transit.rewrap("k", old);
        assertTrue(renewed.startsWith("vault:v2:"), renewed);
        transit.configureKey("k", VaultTransitKeyConfiguration.builder().minDecryptionVersion(2).build());
        assertEquals("hello", transit.decrypt("k", renewed));
        refused(400, () -> transit.decrypt("k", old));
    }

    @Test
    void aDerivedKeyNeedsItsContext() {
        transit.createKey("k", VaultTransitKeyCreationRequest.builder()
            .derived(true).convergentEncryption(true).build());
        assertTrue(transit.getKey("k").isDerived());
        assertTrue(transit.getKey("k").supportsConvergentEncryption());
        var text = "hello".getBytes();
        var ciphertext = transit.encrypt("k", text, context("one"));
        assertEquals(ciphertext, transit.encrypt("k", text, context("one")));
        assertNotEquals(ciphertext, transit.encrypt("k", text, context("two")));
        assertArrayEquals(text, transit.decrypt("k", ciphertext, context("one")));
        refused(400, () -> transit.decrypt("k", ciphertext, context("two")));
        refused(400, () -> transit.encrypt("k", "hello"));
        transit.rotate("k");
        assertTrue(transit.rewrap("k", ciphertext, context("one")).startsWith("vault:v2:"));
    }

    @Test
    void aBatchAnswersForEachOfItsItems() {
        transit.createKey("k");
        var sealed = transit.encrypt("k", List.of(Plaintext.of("a"), Plaintext.of("b")));
        assertEquals(2, sealed.size());
        var given = transit.decrypt("k", List.of(sealed.get(1).get(), sealed.get(0).get()));
        assertEquals(List.of("b", "a"), List.of(given.get(0).getAsString(), given.get(1).getAsString()));
        var spoilt = Ciphertext.of("vault:v1:bm9uc2Vuc2U=");
        refused(400, "invalid ciphertext", () -> transit.decrypt("k", List.of(sealed.get(0).get(), spoilt)));
        transit.rotate("k");
        var renewed = transit.rewrap("k", List.of(sealed.get(0).get(), sealed.get(1).get()));
        assertTrue(renewed.get(1).get().getCiphertext().startsWith("vault:v2:"));
        assertEquals("b", transit.decrypt("k", renewed.get(1).get()).asString());
    }

    @Test
    void signaturesAreMadeAndVerified() {
        for (var type : List.of("ed25519", "ecdsa-p256", "rsa-2048")) {
            transit.createKey(type, VaultTransitKeyCreationRequest.ofKeyType(type));
            assertTrue(transit.getKey(type).supportsSigning(), type);
            var signature = transit.sign(type, Plaintext.of("hello"));
            assertTrue(transit.verify(type, Plaintext.of("hello"), signature), type);
            assertFalse(transit.verify(type, Plaintext.of("other"), signature), type);
        }
        var request = VaultSignRequest.builder().plaintext(Plaintext.of("hello"))
            .hashAlgorithm("sha2-512").signatureAlgorithm("pkcs1v15").build();
        var signature = transit.sign("rsa-2048", request);
        assertTrue(transit.verify("rsa-2048", asking(signature).hashAlgorithm("sha2-512")
            .signatureAlgorithm("pkcs1v15").build()).isValid());
        assertFalse(transit.verify("rsa-2048", asking(signature).hashAlgorithm("sha2-512")
            .signatureAlgorithm("pss").build()).isValid());
        transit.createKey("aes");
        refused(400, () -> transit.sign("aes", Plaintext.of("hello")));
    }

    private static VaultSignatureVerificationRequest.VaultSignatureVerificationRequestBuilder asking(
            Signature signature) {
        return VaultSignatureVerificationRequest.builder().plaintext(Plaintext.of("hello")).signature(signature);
    }

    @Test
    void hmacsAreMadeAndVerified() {
        transit.createKey("k");
        var hmac = transit.getHmac("k", Plaintext.of("hello"));
        assertTrue(hmac.getHmac().startsWith("vault:v1:"));
        assertEquals(hmac, transit.getHmac("k", Plaintext.of("hello")));
        assertTrue(verify(hmac, "hello"));
        assertFalse(verify(hmac, "other"));
        transit.rotate("k");
        var long1 = transit.getHmac("k", VaultHmacRequest.builder()
            .plaintext(Plaintext.of("hello")).algorithm("sha2-512").keyVersion(1).build());
        var bytes = Base64.getDecoder().decode(long1.getHmac().substring("vault:v1:".length()));
        assertEquals(64, bytes.length);
    }

    private boolean verify(Hmac hmac, String text) {
        return transit.verify("k", VaultSignatureVerificationRequest.create(Plaintext.of(text), hmac)).isValid();
    }

    @Test
    void onlyAnExportableKeyIsExported() {
        transit.createKey("k", VaultTransitKeyCreationRequest.builder().exportable(true).build());
        transit.rotate("k");
        var exported = transit.exportKey("k", TransitKeyType.ENCRYPTION_KEY);
        assertEquals("k", exported.getName());
        assertEquals(Set.of("1", "2"), exported.getKeys().keySet());
        assertEquals(32, Base64.getDecoder().decode(exported.getKeys().get("1")).length);
        assertNotEquals(exported.getKeys(), transit.exportKey("k", TransitKeyType.HMAC_KEY).getKeys());
        refused(400, () -> transit.exportKey("k", TransitKeyType.SIGNING_KEY));
        transit.createKey("kept");
        refused(400, () -> transit.exportKey("kept", TransitKeyType.ENCRYPTION_KEY));
    }
}
