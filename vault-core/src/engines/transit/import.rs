//! `wrapping_key`, `import` and `import_version`: keys that were made elsewhere, wrapped for the way.

use aes_kw::KwpAes256;
use data_encoding::BASE64;
use p256::pkcs8::{EncodePublicKey, LineEnding};
use rand_core::CryptoRng;
use rsa::traits::PublicKeyParts;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::ask::Flag;
use super::keys::{Settings, stored};
use super::kind::Kind;
use super::material::{self, damaged};
use super::record::{self, Material, Version};
use crate::engines::{Call, Change, Step};
use crate::names::Slot;
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretBytes;
use crate::view::{Interrupt, View};

const WRAPPING_KEY_VERSION: u8 = 1;

const WRAPPING_KEY_KIND: Kind = Kind::Rsa4096;

#[derive(Deserialize)]
struct Ask {
    ciphertext: Option<String>,
    hash_function: Option<String>,
    public_key: Option<String>,
    allow_rotation: Option<Flag>,
}

fn slot(call: &Call<'_>) -> Slot {
    call.names.entry(&call.mount.folder(call.names, "config"), "wrapping-key")
}

fn stored_wrapping_key(call: &Call<'_>, view: &mut View) -> Result<Option<rsa::PrivateKey>, Interrupt> {
    let Some(row) = view.entry(&slot(call))? else { return Ok(None) };
    let bytes = record_format::raw(WRAPPING_KEY_VERSION, &row.payload)?;
    Ok(Some(material::rsa_key(&Material::new(bytes.to_vec()))?))
}

/// Shows the public half of the mount's wrapping key, which the first call makes.
pub(super) fn wrapping_key(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut changes = Vec::new();
    let key = match stored_wrapping_key(call, view)? {
        Some(key) => key,
        None => {
            let fresh = material::generate(WRAPPING_KEY_KIND, 0, rng)?;
            let payload = record_format::encode_raw(WRAPPING_KEY_VERSION, fresh.expose());
            changes.push(Change::Put { slot: slot(call), payload });
            material::rsa_key(&fresh)?
        }
    };
    let pem = key.to_public_key().to_public_key_pem(LineEnding::LF).map_err(damaged)?;
    Ok(Step::commit(Reply::data(&json!({ "public_key": pem }))?, changes))
}

/// Unwraps what is brought in: an AES-256 key under RSA-OAEP, then the key under AES-KWP (RFC 5649).
fn unwrap(ask: &Ask, key: &rsa::PrivateKey, rng: &mut dyn CryptoRng) -> Result<SecretBytes, Refusal> {
    if ask.public_key.as_ref().is_some_and(|text| !text.is_empty()) {
        return Err(Refusal::invalid("importing public keys is not supported"));
    }
    let text = ask.ciphertext.as_ref().ok_or_else(|| Refusal::invalid("missing ciphertext"))?;
    let bytes = BASE64.decode(text.trim().as_bytes());
    let bytes = bytes.map_err(|_| Refusal::invalid("ciphertext is not base64"))?;
    let unopened = || Refusal::invalid("the ciphertext does not open with this mount's wrapping key");
    let (wrapped_key, wrapped) = bytes.split_at_checked(key.size()).ok_or_else(unopened)?;
    let ephemeral = match ask.hash_function.as_deref().unwrap_or_default().to_ascii_uppercase().as_str() {
        "" | "SHA256" => key.oaep_decrypt_with_rng::<sha2::Sha256, _>(rng, wrapped_key),
        "SHA224" => key.oaep_decrypt_with_rng::<sha2::Sha224, _>(rng, wrapped_key),
        "SHA384" => key.oaep_decrypt_with_rng::<sha2::Sha384, _>(rng, wrapped_key),
        "SHA512" => key.oaep_decrypt_with_rng::<sha2::Sha512, _>(rng, wrapped_key),
        _ => return Err(Refusal::invalid("unsupported hash_function: give SHA224, SHA256, SHA384 or SHA512")),
    };
    let ephemeral = Zeroizing::new(ephemeral.map_err(|_| unopened())?);
    let cipher = <KwpAes256 as aes_kw::KeyInit>::new_from_slice(&ephemeral).map_err(|_| unopened())?;
    let mut room = Zeroizing::new(vec![0; wrapped.len()]);
    let opened = cipher.unwrap_key(wrapped, &mut room).map_err(|_| unopened())?;
    Ok(SecretBytes::new(opened.to_vec()))
}

fn demanded_wrapping_key(call: &Call<'_>, view: &mut View) -> Result<rsa::PrivateKey, Interrupt> {
    let key = stored_wrapping_key(call, view)?;
    Ok(key.ok_or_else(|| Refusal::invalid("there is no wrapping key yet: read wrapping_key first"))?)
}

pub(super) fn import(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let settings: Settings = call.request.parse()?;
    let ask: Ask = call.request.parse()?;
    let name = call.capture("name");
    view.prefetch([&record::slot(call, name), &slot(call)]);
    if record::find(call, name, view)?.is_some() {
        let text = "the import path cannot be used with an existing key; use import-version to rotate an existing \
                    imported key";
        return Err(Refusal::invalid(text).into());
    }
    let wrapping = demanded_wrapping_key(call, view)?;
    let mut key = settings.key(name)?;
    key.imported = true;
    key.allow_rotation = ask.allow_rotation.is_some_and(|flag| flag.0);
    if !key.allow_rotation && !key.auto_rotate_period.is_zero() {
        let text = "allow_rotation must be set to true if auto-rotation is enabled";
        return Err(Refusal::invalid(text).into());
    }
    let material = material::import(key.kind, &unwrap(&ask, &wrapping, rng)?)?;
    if key.kind == Kind::KeyedHash {
        key.key_bytes = u32::try_from(material.expose().len()).unwrap_or_default();
    }
    key.add(Version::of(key.kind, material, call.now, rng))?;
    Ok(stored(&key, call, None, Vec::new())?)
}

pub(super) fn import_version(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let name = call.capture("name");
    view.prefetch([&record::slot(call, name), &slot(call)]);
    let mut key = record::load_usable(
        call,
        view,
        &format!("no key found with name {name}; to import a new key, use the import/ endpoint"),
    )?;
    if !key.imported {
        let text = "the import_version endpoint can only be used with an imported key";
        return Err(Refusal::invalid(text).into());
    }
    let wrapping = demanded_wrapping_key(call, view)?;
    let material = material::import(key.kind, &unwrap(&ask, &wrapping, rng)?)?;
    key.add(Version::of(key.kind, material, call.now, rng))?;
    Ok(stored(&key, call, None, Vec::new())?)
}
