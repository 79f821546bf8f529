//! The keys that open what is sealed to a person.

use age::IdentityFile as AgeIdentityFile;
use age::ssh::{Identity as SshIdentity, Recipient as SshRecipient};
use vault_core::secret::SecretBytes;

use super::prompts::{Bridge, Prompts};
use super::{own_identity, plain_words};
use crate::identity::Identity;

/// Longest file of keys in bytes.
pub const FILE_LENGTH_BYTES_MAX: u64 = 64 << 10;

const SSH_START: &[u8] = b"-----BEGIN ";

/// Keys that are tried one after another; those of age wipe themselves.
pub struct Keys(Vec<Box<dyn age::Identity>>);

/// Says why a file holds no usable keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It is longer than any.
    #[error("the file has more than {FILE_LENGTH_BYTES_MAX} bytes: that is no file of keys")]
    TooLong,
    /// It holds none.
    #[error("the file holds no age identity")]
    Empty,
    /// It is no file of keys.
    #[error("the file is neither one of age identities nor an SSH private key: {reason}")]
    Unknown {
        /// Why.
        reason: String,
    },
    /// Another kind of key.
    #[error("this SSH key cannot open anything: {reason}")]
    Ssh {
        /// Why.
        reason: &'static str,
    },
    /// A plugin is missing.
    #[error("the plugin: {reason}")]
    Plugin {
        /// Why.
        reason: String,
    },
}

impl Keys {
    /// Takes the age identity of one of our identity files.
    pub fn of_identity(identity: &Identity) -> Self {
        Self(vec![Box::new(own_identity(identity.age_secret()))])
    }

    /// Reads a file of age identities (also of plugins) or an Ed25519 private key of OpenSSH; `prompts` is asked for
    /// the passphrase of the latter, when it is used, and for what a plugin needs.
    ///
    /// # Errors
    /// Answers [`KeysError`] with what is wrong; never with a part of the content.
    pub fn from_file(content: &SecretBytes, prompts: impl Prompts + 'static) -> Result<Self, KeysError> {
        let content = content.expose();
        if content.len() as u64 > FILE_LENGTH_BYTES_MAX {
            return Err(KeysError::TooLong);
        }
        let prompts = Bridge::new(prompts);
        if content.trim_ascii_start().starts_with(SSH_START) {
            return ssh(content.trim_ascii_start(), prompts);
        }
        let unknown = |error: std::io::Error| KeysError::Unknown { reason: error.to_string() };
        let file = AgeIdentityFile::from_buffer(content).map_err(unknown)?.with_callbacks(prompts);
        let identities =
            file.into_identities().map_err(|error| KeysError::Plugin { reason: plain_words(&error.to_string()) })?;
        if identities.is_empty() {
            return Err(KeysError::Empty);
        }
        Ok(Self(identities.into_iter().map(|identity| identity as Box<dyn age::Identity>).collect()))
    }

    pub(super) fn as_identities(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|key| &**key)
    }
}

fn ssh(content: &[u8], prompts: Bridge) -> Result<Keys, KeysError> {
    let identity =
        SshIdentity::from_buffer(content, None).map_err(|error| KeysError::Unknown { reason: error.to_string() })?;
    // The public half is in the open even where the private one is encrypted.
    let reason = match SshRecipient::try_from(identity.clone()) {
        Ok(SshRecipient::SshEd25519(..)) => None,
        Ok(SshRecipient::SshRsa(..)) => Some("it is an RSA key, and only ssh-ed25519 is used"),
        Err(_) => Some("keys on security keys and of other types only sign; use an age plugin instead"),
    };
    if let Some(reason) = reason {
        return Err(KeysError::Ssh { reason });
    }
    Ok(Keys(vec![Box::new(identity.with_callbacks(prompts))]))
}
