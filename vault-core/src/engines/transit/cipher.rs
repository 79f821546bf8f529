//! Encryption under one version of a key. An AEAD ciphertext is nonce ‖ ciphertext ‖ tag, an RSA one OAEP with SHA-256
//! and no label: the forms of Vault.

use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::aead::{Aead, KeyInit, Nonce, Payload};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use rand_core::CryptoRng;
use sha2::Sha256;

use super::hash::HashAlgorithm;
use super::kind::Kind;
use super::material::rsa_key;
use super::record::{Key, Version};
use crate::keys;
use crate::refusal::Refusal;
use crate::secret::SecretBytes;

/// What goes with a text into its encryption.
#[derive(Default)]
pub(super) struct Surroundings {
    /// Chooses the key of a derived key.
    pub(super) context: Option<Vec<u8>>,
    /// Authenticated with the text.
    pub(super) associated_data: Vec<u8>,
}

/// Encrypts a text under `version`.
pub(super) fn encrypt(
    key: &Key,
    version: &Version,
    plaintext: &[u8],
    surroundings: &Surroundings,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Refusal> {
    check(key, surroundings)?;
    if key.kind.is_rsa() {
        let public = rsa_key(&version.material)?.to_public_key();
        let too_long = |_| Refusal::invalid("the plaintext is too long for this RSA key");
        return public.oaep_encrypt_with_rng::<Sha256, _>(rng, plaintext).map_err(too_long);
    }
    let keys = AeadKeys::of(key, version, surroundings)?;
    let mut nonce = vec![0; key.kind.nonce_bytes()];
    match &keys.nonce_key {
        Some(_) if !surroundings.associated_data.is_empty() => {
            // The nonce depends on the plaintext alone, so that two associated data would share one: with GCM and
            // Poly1305 that gives the authentication key away.
            let text = "convergent encryption takes no associated_data: it would repeat nonces";
            return Err(Refusal::invalid(text));
        }
        Some(nonce_key) => {
            let sum = HashAlgorithm::Sha2_256.keyed(nonce_key.expose(), plaintext);
            nonce.iter_mut().zip(sum).for_each(|(byte, sum)| *byte = sum);
        }
        None => rng.fill_bytes(&mut nonce),
    }
    let sealed = keys.seal(key.kind, &nonce, plaintext, &surroundings.associated_data)?;
    nonce.extend_from_slice(&sealed);
    Ok(nonce)
}

/// Decrypts what [`encrypt`] made under the same version and surroundings.
pub(super) fn decrypt(
    key: &Key,
    version: &Version,
    ciphertext: &[u8],
    surroundings: &Surroundings,
    rng: &mut dyn CryptoRng,
) -> Result<SecretBytes, Refusal> {
    check(key, surroundings)?;
    if key.kind.is_rsa() {
        let opened = rsa_key(&version.material)?.oaep_decrypt_with_rng::<Sha256, _>(rng, ciphertext);
        return opened.map(SecretBytes::new).map_err(|_| unopened());
    }
    let keys = AeadKeys::of(key, version, surroundings)?;
    let parts = ciphertext.split_at_checked(key.kind.nonce_bytes());
    let (nonce, sealed) = parts.ok_or_else(|| Refusal::invalid("invalid ciphertext length"))?;
    keys.open(key.kind, nonce, sealed, &surroundings.associated_data)
}

fn check(key: &Key, surroundings: &Surroundings) -> Result<(), Refusal> {
    if !key.kind.encrypts() {
        return Err(Refusal::invalid(format!("message encryption not supported for key type {}", key.kind.name())));
    }
    if key.kind.is_rsa() && !surroundings.associated_data.is_empty() {
        return Err(Refusal::invalid("RSA keys take no associated_data"));
    }
    check_context(key, surroundings.context.as_deref())
}

/// Demands a context for a derived key, and none for another, which would not be bound to it.
pub(super) fn check_context(key: &Key, context: Option<&[u8]>) -> Result<(), Refusal> {
    match (key.derived, context.is_some_and(|context| !context.is_empty())) {
        (true, false) => Err(Refusal::invalid("missing 'context' for key derivation: the key is derived")),
        (false, true) => Err(Refusal::invalid("the key is not derived: leave 'context' out")),
        _ => Ok(()),
    }
}

/// Says no more than that a ciphertext does not open: which part is wrong helps nobody but a forger.
fn unopened() -> Refusal {
    Refusal::invalid("cipher: message authentication failed")
}

/// The key of one encryption.
struct AeadKeys {
    key: SecretBytes,
    /// Makes the nonce out of the plaintext, in convergent encryption.
    nonce_key: Option<SecretBytes>,
}

impl AeadKeys {
    fn of(key: &Key, version: &Version, surroundings: &Surroundings) -> Result<Self, Refusal> {
        let length_bytes = key.kind.key_bytes().unwrap_or_default();
        let material = version.material.expose();
        let Some(context) = surroundings.context.as_ref().filter(|_| key.derived) else {
            return Ok(Self { key: SecretBytes::new(material.to_vec()), nonce_key: None });
        };
        let failed = || Refusal::internal("a key could not be derived");
        let total = length_bytes + if key.convergent { NONCE_KEY_BYTES } else { 0 };
        let derived = keys::transit_derived_key(material, context, total).ok_or_else(failed)?;
        let (key_part, nonce_part) = derived.expose().split_at_checked(length_bytes).ok_or_else(failed)?;
        let nonce_key = key.convergent.then(|| SecretBytes::new(nonce_part.to_vec()));
        Ok(Self { key: SecretBytes::new(key_part.to_vec()), nonce_key })
    }

    fn seal(&self, kind: Kind, nonce: &[u8], msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, Refusal> {
        let payload = Payload { msg, aad };
        let sealed = match kind {
            Kind::Aes128Gcm => seal::<Aes128Gcm>(self.key.expose(), nonce, payload),
            Kind::Aes256Gcm => seal::<Aes256Gcm>(self.key.expose(), nonce, payload),
            Kind::ChaCha20Poly1305 => seal::<ChaCha20Poly1305>(self.key.expose(), nonce, payload),
            Kind::XChaCha20Poly1305 => seal::<XChaCha20Poly1305>(self.key.expose(), nonce, payload),
            _ => None,
        };
        sealed.ok_or_else(|| Refusal::internal("a text could not be encrypted"))
    }

    fn open(&self, kind: Kind, nonce: &[u8], msg: &[u8], aad: &[u8]) -> Result<SecretBytes, Refusal> {
        let payload = Payload { msg, aad };
        let opened = match kind {
            Kind::Aes128Gcm => open::<Aes128Gcm>(self.key.expose(), nonce, payload),
            Kind::Aes256Gcm => open::<Aes256Gcm>(self.key.expose(), nonce, payload),
            Kind::ChaCha20Poly1305 => open::<ChaCha20Poly1305>(self.key.expose(), nonce, payload),
            Kind::XChaCha20Poly1305 => open::<XChaCha20Poly1305>(self.key.expose(), nonce, payload),
            _ => None,
        };
        opened.map(SecretBytes::new).ok_or_else(unopened)
    }
}

/// Length of the key that makes nonces in convergent encryption, as in Vault.
const NONCE_KEY_BYTES: usize = 32;

fn seal<C: Aead + KeyInit>(key: &[u8], nonce: &[u8], payload: Payload<'_, '_>) -> Option<Vec<u8>> {
    let nonce = Nonce::<C>::try_from(nonce).ok()?;
    C::new_from_slice(key).ok()?.encrypt(&nonce, payload).ok()
}

fn open<C: Aead + KeyInit>(key: &[u8], nonce: &[u8], payload: Payload<'_, '_>) -> Option<Vec<u8>> {
    let nonce = Nonce::<C>::try_from(nonce).ok()?;
    C::new_from_slice(key).ok()?.decrypt(&nonce, payload).ok()
}
