//! How the vault's own rows are laid out: a version byte, then postcard. See docs/formats.md, "Records".

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::refusal::Refusal;
use crate::secret::SecretBytes;

/// Lays a record out as `version` ‖ postcard.
///
/// # Errors
/// Refuses with an internal error if the record cannot be written.
pub fn encode<T: Serialize>(version: u8, record: &T) -> Result<SecretBytes, Refusal> {
    postcard::to_extend(record, vec![version])
        .map(SecretBytes::new)
        .map_err(|error| Refusal::internal(format!("a record cannot be written: {error}")))
}

/// Reads a record of `version` back.
///
/// # Errors
/// Refuses with an internal error if it is of another version or damaged.
pub fn decode<T: DeserializeOwned>(version: u8, bytes: &SecretBytes) -> Result<T, Refusal> {
    postcard::from_bytes(raw(version, bytes)?)
        .map_err(|error| Refusal::internal(format!("a record cannot be read: {error}")))
}

/// Tells the version of a record, so that a reader of several can choose.
pub fn version(bytes: &SecretBytes) -> Option<u8> {
    bytes.expose().first().copied()
}

/// Lays out bytes that have a format of their own, as `version` ‖ bytes.
pub fn encode_raw(version: u8, bytes: &[u8]) -> SecretBytes {
    let mut payload = Vec::with_capacity(bytes.len() + 1);
    payload.push(version);
    payload.extend_from_slice(bytes);
    SecretBytes::new(payload)
}

/// Reads bytes that have a format of their own.
///
/// # Errors
/// Refuses with an internal error if they are of another version.
pub fn raw(version: u8, payload: &SecretBytes) -> Result<&[u8], Refusal> {
    match payload.expose().split_first() {
        Some((&found, rest)) if found == version => Ok(rest),
        found => Err(other_version(version, found.map(|(version, _)| *version))),
    }
}

fn other_version(expected: u8, found: Option<u8>) -> Refusal {
    Refusal::internal(format!("a record has version {found:?}, this program reads version {expected}"))
}
