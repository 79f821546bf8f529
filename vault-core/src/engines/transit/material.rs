//! Key material: making it, checking what is imported, and writing it for export.

use data_encoding::BASE64;
use p256::elliptic_curve::Generate;
use p256::pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding};
use rand_core::CryptoRng;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey;
use rsa::traits::PublicKeyParts;
use zeroize::Zeroizing;

use super::kind::Kind;
use super::record::Material;
use crate::keys;
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretText};

/// Runs code with the crate of an elliptic curve.
macro_rules! with_curve {
    ($kind:expr, $curve:ident => $code:expr, otherwise => $other:expr) => {
        match $kind {
            Kind::EcdsaP256 => {
                use p256 as $curve;
                $code
            }
            Kind::EcdsaP384 => {
                use p384 as $curve;
                $code
            }
            Kind::EcdsaP521 => {
                use p521 as $curve;
                $code
            }
            _ => $other,
        }
    };
}
pub(super) use with_curve;

/// Gives what is said when a stored key does not read; none was ever stored so.
pub(super) fn damaged<E>(_: E) -> Refusal {
    Refusal::internal("key material in the store is damaged")
}

/// Draws bytes.
pub(super) fn random(length_bytes: usize, rng: &mut dyn CryptoRng) -> Material {
    let mut bytes = vec![0; length_bytes];
    rng.fill_bytes(&mut bytes);
    Material::new(bytes)
}

/// Makes new key material. `key_bytes` is the length of an HMAC key.
pub(super) fn generate(kind: Kind, key_bytes: u32, rng: &mut dyn CryptoRng) -> Result<Material, Refusal> {
    if let Some(length_bytes) = kind.key_bytes() {
        return Ok(random(length_bytes, rng));
    }
    if let Some(bits) = kind.rsa_bits() {
        let failed = |_| Refusal::internal("an RSA key could not be made");
        return rsa_material(&rsa::PrivateKey::new(rng, bits).map_err(failed)?);
    }
    with_curve!(kind, curve => Ok(Material::new(curve::SecretKey::generate_from_rng(rng).to_bytes().to_vec())),
        otherwise => Ok(random(key_bytes as usize, rng)))
}

/// Lays an RSA key out for the store.
pub(super) fn rsa_material(key: &rsa::PrivateKey) -> Result<Material, Refusal> {
    let der = key.to_pkcs8_der().map_err(|_| Refusal::internal("an RSA key could not be written"))?;
    Ok(Material::new(der.as_bytes().to_vec()))
}

/// Reads an RSA key of the store.
pub(super) fn rsa_key(material: &Material) -> Result<rsa::PrivateKey, Refusal> {
    rsa::PrivateKey::from_pkcs8_der(material.expose()).map_err(damaged)
}

/// Checks key material that comes from outside: plain bytes of the right length, or PKCS #8 DER of the right type.
///
/// # Errors
/// Refuses what does not fit the type.
pub(super) fn import(kind: Kind, bytes: &SecretBytes) -> Result<Material, Refusal> {
    let bytes = bytes.expose();
    if kind == Kind::Ed25519 {
        let key = ed25519_dalek::SigningKey::from_pkcs8_der(bytes).map_err(unfit)?;
        return Ok(Material::new(key.as_bytes().to_vec()));
    }
    if kind.is_rsa() {
        return import_rsa(kind, &rsa::PrivateKey::from_pkcs8_der(bytes).map_err(unfit)?);
    }
    with_curve!(kind, curve => {
        let key = curve::SecretKey::from_pkcs8_der(bytes).map_err(unfit)?;
        Ok(Material::new(key.to_bytes().to_vec()))
    }, otherwise => import_plain(kind, bytes))
}

/// Checks an RSA key that comes from outside.
pub(super) fn import_rsa(kind: Kind, key: &rsa::PrivateKey) -> Result<Material, Refusal> {
    key.validate().map_err(unfit)?;
    let bits = key.n().bit_width_vartime() as usize;
    if Some(bits) == kind.rsa_bits() { rsa_material(key) } else { Err(unfit(())) }
}

/// Checks the bytes of a symmetric key, an Ed25519 seed or a scalar that come from outside.
pub(super) fn import_plain(kind: Kind, bytes: &[u8]) -> Result<Material, Refusal> {
    let fits = with_curve!(kind, curve => curve::SecretKey::from_slice(bytes).is_ok(), otherwise => match kind.key_bytes() {
        Some(length_bytes) => bytes.len() == length_bytes,
        None => (HMAC_KEY_BYTES_MIN..=HMAC_KEY_BYTES_MAX).contains(&bytes.len()) && kind == Kind::KeyedHash,
    });
    if fits { Ok(Material::new(bytes.to_vec())) } else { Err(unfit(())) }
}

fn unfit<E>(_: E) -> Refusal {
    Refusal::invalid("the given key does not fit the key's type")
}

/// Shortest key of type `hmac`, as in Vault.
pub(super) const HMAC_KEY_BYTES_MIN: usize = 32;

/// Longest key of type `hmac`, as in Vault.
pub(super) const HMAC_KEY_BYTES_MAX: usize = 512;

/// Gives an Ed25519 key, that of the context if the key is derived. As in Vault the whole pair of seed and public key is
/// what is derived from.
pub(super) fn ed25519_key(material: &Material, context: Option<&[u8]>) -> Result<ed25519_dalek::SigningKey, Refusal> {
    let own = ed25519_dalek::SigningKey::try_from(material.expose()).map_err(damaged)?;
    let Some(context) = context else { return Ok(own) };
    let pair = Zeroizing::new(own.to_keypair_bytes());
    let seed = keys::transit_derived_key(&*pair, context, 32).ok_or_else(|| damaged(()))?;
    ed25519_dalek::SigningKey::try_from(seed.expose()).map_err(damaged)
}

/// Writes the private key as an export shows it.
pub(super) fn private_text(kind: Kind, material: &Material) -> Result<SecretText, Refusal> {
    if kind.is_rsa() {
        let pem = rsa_key(material)?.to_pkcs1_pem(LineEnding::LF).map_err(damaged)?;
        return Ok(SecretText::new(pem.as_str().to_owned()));
    }
    if kind == Kind::Ed25519 {
        let pair = Zeroizing::new(ed25519_key(material, None)?.to_keypair_bytes());
        return Ok(SecretText::new(BASE64.encode(&*pair)));
    }
    with_curve!(kind, curve => {
        let key = curve::SecretKey::from_slice(material.expose()).map_err(damaged)?;
        Ok(SecretText::new(key.to_sec1_pem(LineEnding::LF).map_err(damaged)?.as_str().to_owned()))
    }, otherwise => Ok(SecretText::new(BASE64.encode(material.expose()))))
}

/// Writes the public key: PEM, or base64 of an Ed25519 point; `None` for types without one.
pub(super) fn public_text(kind: Kind, material: &Material, context: Option<&[u8]>) -> Result<Option<String>, Refusal> {
    if kind.is_rsa() {
        return rsa_key(material)?.to_public_key().to_public_key_pem(LineEnding::LF).map(Some).map_err(damaged);
    }
    if kind == Kind::Ed25519 {
        return Ok(Some(BASE64.encode(ed25519_key(material, context)?.verifying_key().as_bytes())));
    }
    with_curve!(kind, curve => {
        let key = curve::SecretKey::from_slice(material.expose()).map_err(damaged)?;
        key.public_key().to_public_key_pem(LineEnding::LF).map(Some).map_err(damaged)
    }, otherwise => Ok(None))
}
