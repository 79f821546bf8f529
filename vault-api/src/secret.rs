//! Secret text: wiped on drop, without `Debug`, `Clone`, `Display` or `Serialize`.

use serde::{Deserialize, Deserializer, Serializer};
use zeroize::Zeroizing;

/// Holds text that must not outlive its use: a token, a share, a reply with secrets in it.
///
/// It does not serialize by itself; a wire type that must send it names [`exposed`] at its field.
#[derive(PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes ownership of `text`; the caller keeps no copy.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Shows the text to the one who needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<String>> for SecretText {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Writes a secret onto the wire: `#[serde(serialize_with = "exposed")]`.
///
/// # Errors
/// Fails when the serializer does.
pub fn exposed<S: Serializer>(secret: &SecretText, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// Writes a list of secrets onto the wire: `#[serde(serialize_with = "all_exposed")]`.
///
/// # Errors
/// Fails when the serializer does.
pub fn all_exposed<S: Serializer>(secrets: &[SecretText], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(SecretText::expose))
}
