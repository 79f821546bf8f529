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
    match bytes.expose().split_first() {
        Some((&found, rest)) if found == version => {
            postcard::from_bytes(rest).map_err(|error| Refusal::internal(format!("a record cannot be read: {error}")))
        }
        found => Err(Refusal::internal(format!(
            "a record has version {:?}, this program reads version {version}",
            found.map(|(version, _)| version)
        ))),
    }
}
