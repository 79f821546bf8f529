//! Sealing bytes to a person and opening them, in the age format (<https://c2sp.org/age>); the only user of the age crate.
//!
//! age draws its file keys from the system's randomness itself. A plugin is a program `age-plugin-NAME` in `PATH`,
//! and is run as whoever runs this.

mod keys;
mod prompts;

use std::fmt;
use std::io::{ErrorKind, Read};

use age::ssh::ParseRecipientKeyError;
use age::{DecryptError, Decryptor, EncryptError};
use bech32::{Bech32, Hrp};
use vault_core::secret::{SecretBytes, SecretKey, SecretText};
use zeroize::Zeroizing;

pub use keys::{FILE_LENGTH_BYTES_MAX as KEYS_FILE_LENGTH_BYTES_MAX, Keys, KeysError};
pub use prompts::{Prompts, Silent};

use crate::identity::Identity;
use prompts::Bridge;
use vault_core::ssh_key::{ED25519, SshPublicKey};

/// Longest text of a recipient in bytes; post-quantum ones of plugins have about 2,000.
pub const RECIPIENT_LENGTH_BYTES_MAX: usize = 8192;

/// Largest content that is sealed or opened.
pub const PLAIN_BYTES_MAX: usize = 1 << 20;

const AGE_MAGIC: &[u8] = b"age-encryption.org/";
const AGE_ARMOUR: &[u8] = b"-----BEGIN AGE";

/// To whom something is sealed.
#[derive(Clone)]
pub struct Recipient {
    kind: Kind,
    text: String,
}

#[derive(Clone)]
enum Kind {
    X25519(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
    Plugin(age::plugin::Recipient),
}

/// Says why a text is no recipient.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecipientError {
    /// A text of this length is none.
    #[error("the recipient has {length_bytes} bytes, more than any")]
    TooLong {
        /// Length as given.
        length_bytes: usize,
    },
    /// Somebody gave what must stay secret.
    #[error("this is a secret identity, not a recipient: keep it to yourself, and give what begins with age1")]
    Secret,
    /// The text of an age recipient was altered or cut off.
    #[error("the recipient {start}… is mistyped or cut off")]
    Mistyped {
        /// How it begins.
        start: String,
    },
    /// Another type of SSH key.
    #[error("SSH keys of type {kind:?} cannot be recipients, only ssh-ed25519")]
    SshKind {
        /// The type that it names.
        kind: String,
    },
    /// It looks like nothing that is known.
    #[error("this is no recipient: neither age1… nor an ssh-ed25519 line")]
    Unknown,
}

/// Says why something was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// It is too long.
    #[error("there are {length_bytes} bytes to seal, at most {PLAIN_BYTES_MAX} are")]
    TooLong {
        /// How many there are.
        length_bytes: usize,
    },
    /// The plugin of the recipient cannot be run, or refused.
    #[error("the plugin for {recipient}: {reason}")]
    Plugin {
        /// The recipient.
        recipient: String,
        /// What the plugin, or looking for it, came to.
        reason: String,
    },
    /// age could not seal.
    #[error("sealing to {recipient} failed: {reason}")]
    Age {
        /// The recipient.
        recipient: String,
        /// Why.
        reason: String,
    },
}

/// Says why something was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is no age file at all.
    #[error("this is not an age file: it does not begin with age-encryption.org")]
    NotAge,
    /// It is one in its text form.
    #[error("this age file is in its text form (armor): write it again without, such as by age without --armor")]
    Armoured,
    /// It is longer than anything that is opened.
    #[error("what is sealed has more than {PLAIN_BYTES_MAX} bytes")]
    TooLong,
    /// It ends before it should.
    #[error("the age file is cut off{place}")]
    CutOff {
        /// Where, in words.
        place: &'static str,
    },
    /// What says for whom it is cannot be read or was altered.
    #[error("the header of the age file is damaged or altered")]
    Header,
    /// What is sealed was altered.
    #[error("the content of the age file is damaged or altered")]
    Content,
    /// It is for somebody else.
    #[error("the age file is sealed to somebody else: none of your keys opens it")]
    OfAnother,
    /// The passphrase of a key is wrong.
    #[error("the passphrase of the key is wrong")]
    Passphrase,
    /// The plugin cannot be run, or refused.
    #[error("the plugin: {reason}")]
    Plugin {
        /// What the plugin, or looking for it, came to.
        reason: String,
    },
    /// The machine failed.
    #[error("opening the age file failed: {reason}")]
    Other {
        /// Why.
        reason: String,
    },
}

impl Recipient {
    /// Reads `age1…`, `age1NAME1…` or a line `ssh-ed25519 …`; a comment after the latter is left out.
    ///
    /// # Errors
    /// Answers [`RecipientError`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        if text.len() > RECIPIENT_LENGTH_BYTES_MAX {
            return Err(RecipientError::TooLong { length_bytes: text.len() });
        }
        let text = text.trim();
        if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("AGE-")) {
            return Err(RecipientError::Secret);
        }
        if text.starts_with("ssh-") || text.starts_with("sk-") || text.starts_with("ecdsa-") {
            return Self::parse_ssh(text);
        }
        if !text.starts_with("age1") {
            return Err(RecipientError::Unknown);
        }
        let kind = if let Ok(recipient) = text.parse() {
            Kind::X25519(recipient)
        } else if let Ok(recipient) = text.parse() {
            Kind::Plugin(recipient)
        } else {
            return Err(RecipientError::Mistyped { start: text.chars().take(12).collect() });
        };
        Ok(Self { kind, text: text.to_owned() })
    }

    /// RSA keys are refused: their private operations leak through their timing in the only crate that age takes.
    fn parse_ssh(line: &str) -> Result<Self, RecipientError> {
        let kind = line.split_ascii_whitespace().next().unwrap_or_default();
        if kind != ED25519 {
            return Err(RecipientError::SshKind { kind: kind.chars().take(40).collect() });
        }
        let mistyped = || RecipientError::Mistyped { start: line.chars().take(24).collect() };
        let text = SshPublicKey::parse(line).map_err(|_| mistyped())?.to_string();
        match text.parse::<age::ssh::Recipient>() {
            Ok(recipient) => Ok(Self { kind: Kind::Ssh(recipient), text }),
            Err(ParseRecipientKeyError::Unsupported(kind)) => Err(RecipientError::SshKind { kind }),
            Err(_) => Err(mistyped()),
        }
    }
}

/// Shows the text of the recipient, which is public.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.text)
    }
}

/// Seals bytes to one recipient; `prompts` answers what a plugin may ask.
///
/// # Errors
/// Answers [`SealError`], which names the recipient.
pub fn seal(recipient: &Recipient, plain: &[u8], prompts: impl Prompts + 'static) -> Result<Vec<u8>, SealError> {
    if plain.len() > PLAIN_BYTES_MAX {
        return Err(SealError::TooLong { length_bytes: plain.len() });
    }
    let plugin = |reason: String| SealError::Plugin { recipient: recipient.to_string(), reason: plain_words(&reason) };
    let sealed = match &recipient.kind {
        Kind::X25519(x25519) => age::encrypt(x25519, plain),
        Kind::Ssh(ssh) => age::encrypt(ssh, plain),
        Kind::Plugin(named) => {
            let callbacks = Bridge::new(prompts);
            let found =
                age::plugin::RecipientPluginV1::new(named.plugin(), std::slice::from_ref(named), &[], callbacks)
                    .map_err(|error| plugin(error.to_string()))?;
            match age::encrypt(&found, plain) {
                // A plugin that dies is told as an error of input and output.
                Err(error @ EncryptError::Io(_)) => return Err(plugin(error.to_string())),
                sealed => sealed,
            }
        }
    };
    sealed.map_err(|error| match error {
        EncryptError::Plugin(_) | EncryptError::PluginResolve(_) => plugin(error.to_string()),
        other => SealError::Age { recipient: recipient.to_string(), reason: plain_words(&other.to_string()) },
    })
}

/// Opens an age file in its binary form with whichever of the keys fits.
///
/// # Errors
/// Answers [`OpenError`] with what is wrong.
pub fn open(keys: &Keys, sealed: &[u8]) -> Result<SecretBytes, OpenError> {
    if sealed.starts_with(AGE_ARMOUR) {
        return Err(OpenError::Armoured);
    }
    if !sealed.starts_with(AGE_MAGIC) {
        return Err(if AGE_MAGIC.starts_with(sealed) && !sealed.is_empty() {
            OpenError::CutOff { place: " at its beginning" }
        } else {
            OpenError::NotAge
        });
    }
    let in_header = " in its header";
    let decryptor = Decryptor::new_buffered(sealed).map_err(|error| opening(error, in_header))?;
    let mut reader = decryptor.decrypt(keys.as_identities()).map_err(|error| opening(error, in_header))?.take(BOUND);
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut plain).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => OpenError::CutOff { place: ": its end is missing" },
        _ => OpenError::Content,
    })?;
    if plain.len() > PLAIN_BYTES_MAX {
        return Err(OpenError::TooLong);
    }
    Ok(SecretBytes::new(std::mem::take(&mut *plain)))
}

const BOUND: u64 = PLAIN_BYTES_MAX as u64 + 1;

fn opening(error: DecryptError, place: &'static str) -> OpenError {
    match error {
        DecryptError::NoMatchingKeys => OpenError::OfAnother,
        DecryptError::InvalidHeader | DecryptError::InvalidMac | DecryptError::UnknownFormat => OpenError::Header,
        DecryptError::DecryptionFailed => OpenError::Content,
        DecryptError::KeyDecryptionFailed => OpenError::Passphrase,
        DecryptError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => OpenError::CutOff { place },
        DecryptError::Plugin(_) | DecryptError::PluginResolve(_) => {
            OpenError::Plugin { reason: plain_words(&error.to_string()) }
        }
        other => OpenError::Other { reason: plain_words(&other.to_string()) },
    }
}

/// Takes the marks out that age's messages set around what it inserts (U+2068, U+2069), and joins their lines.
fn plain_words(message: &str) -> String {
    let words = message.replace(['\u{2068}', '\u{2069}'], "");
    words.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Gives the recipient of the age identity whose secret scalar is `secret`.
pub(crate) fn own_recipient(secret: &SecretKey) -> Recipient {
    let public = own_identity(secret).to_public();
    Recipient { text: public.to_string(), kind: Kind::X25519(public) }
}

/// Writes the age identity of a person as age's own tools read it: `AGE-SECRET-KEY-1…`.
///
/// Whoever has this text opens what is sealed to the person, without a passphrase.
pub fn age_identity_text(identity: &Identity) -> SecretText {
    identity_text(identity.age_secret())
}

fn own_identity(secret: &SecretKey) -> age::x25519::Identity {
    match identity_text(secret).expose().parse() {
        Ok(identity) => identity,
        Err(_) => unreachable!("32 bytes are always an age identity"),
    }
}

/// The text form is the only way into age for bytes that were drawn elsewhere.
fn identity_text(secret: &SecretKey) -> SecretText {
    const PREFIX: Hrp = Hrp::parse_unchecked("AGE-SECRET-KEY-");
    match bech32::encode_upper::<Bech32>(PREFIX, secret.expose()) {
        Ok(text) => SecretText::new(text),
        Err(_) => unreachable!("32 bytes are within the length of bech32"),
    }
}

#[cfg(test)]
mod plugin_tests;
#[cfg(test)]
mod tests;
