//! To whom a person's shares are sealed: the texts of age recipients, checked by their form.

use std::fmt;

use bech32::Bech32;
use bech32::primitives::checksum::Checksum;
use bech32::primitives::decode::CheckedHrpstring;
use bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
use curve25519_dalek::montgomery::MontgomeryPoint;

use crate::ssh_key::{ED25519, SshPublicKey};

/// Longest recipient in bytes; those of post-quantum plugins have about 2,000.
pub const RECIPIENT_LENGTH_BYTES_MAX: usize = 4096;

/// An age recipient in the one way of writing it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient {
    kind: RecipientKind,
    text: String,
}

/// What a recipient is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecipientKind {
    /// `age1…`, by the bytes of the key.
    X25519([u8; 32]),
    /// `age1NAME1…`: what the data mean only the plugin knows.
    Plugin {
        /// The name of the plugin.
        plugin: String,
    },
    /// `ssh-ed25519 …`.
    Ssh(SshPublicKey),
}

/// Says why a text is no recipient that is accepted.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecipientError {
    /// It is too long.
    #[error("it has {length_bytes} bytes, at most {RECIPIENT_LENGTH_BYTES_MAX} are allowed")]
    TooLong {
        /// Length as given.
        length_bytes: usize,
    },
    /// Somebody gave what must stay secret.
    #[error("this is a secret age identity: give the recipient, which begins with age1, and make a new identity")]
    Secret,
    /// It is nothing of that kind.
    #[error("it is neither age1..., nor age1NAME1... of a plugin, nor a line ssh-ed25519 AAAA...")]
    Unknown,
    /// The checksum or the length is wrong.
    #[error("it is mistyped or cut off: its checksum does not hold")]
    Mistyped,
    /// The key is one under which nothing stays secret.
    #[error("the key is of small order: whatever is sealed to it is open")]
    Weak,
    /// The SSH key cannot be sealed to.
    #[error("only ssh-ed25519 lines without a comment are recipients; for a key on a security key use an age plugin")]
    Ssh,
}

/// Bech32 without its limit of length, as age uses it.
enum LongBech32 {}

impl Checksum for LongBech32 {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    type CorrectionField = <Bech32 as Checksum>::CorrectionField;
    const ROOT_GENERATOR: Self::CorrectionField = Bech32::ROOT_GENERATOR;
    const ROOT_EXPONENTS: core::ops::RangeInclusive<usize> = Bech32::ROOT_EXPONENTS;
    const CODE_LENGTH: usize = RECIPIENT_LENGTH_BYTES_MAX;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [u32; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: u32 = Bech32::TARGET_RESIDUE;
}

impl Recipient {
    /// Reads a recipient; a text that says the same in another way is refused, so that equal ones are found.
    ///
    /// # Errors
    /// Answers [`RecipientError`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        if text.len() > RECIPIENT_LENGTH_BYTES_MAX {
            return Err(RecipientError::TooLong { length_bytes: text.len() });
        }
        if text.trim_start().get(..4).is_some_and(|start| start.eq_ignore_ascii_case("AGE-")) {
            return Err(RecipientError::Secret);
        }
        let kind = if text.starts_with("ssh-") || text.starts_with("sk-") {
            parse_ssh(text)?
        } else if text.starts_with("age1") {
            parse_age(text)?
        } else {
            return Err(RecipientError::Unknown);
        };
        Ok(Self { kind, text: text.to_owned() })
    }

    /// Gives what it is.
    pub fn kind(&self) -> &RecipientKind {
        &self.kind
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Gives the point that is sealed to, as far as it is known here: age seals to SSH keys by their Montgomery form.
    pub(super) fn montgomery(&self) -> Option<MontgomeryPoint> {
        match &self.kind {
            RecipientKind::X25519(bytes) => Some(MontgomeryPoint(*bytes)),
            RecipientKind::Ssh(key) => Some(key.point().to_montgomery()),
            RecipientKind::Plugin { .. } => None,
        }
    }
}

fn parse_ssh(line: &str) -> Result<RecipientKind, RecipientError> {
    let key = SshPublicKey::parse(line).map_err(|_| RecipientError::Ssh)?;
    if key.kind() != ED25519 || key.to_string() != line {
        return Err(RecipientError::Ssh);
    }
    Ok(RecipientKind::Ssh(key))
}

fn parse_age(text: &str) -> Result<RecipientKind, RecipientError> {
    let checked = CheckedHrpstring::new::<LongBech32>(text).map_err(|_| RecipientError::Mistyped)?;
    let data: Vec<u8> = checked.byte_iter().collect();
    let human_readable_part = checked.hrp();
    // Spare bits at the end, and capital letters, would be other ways of writing the same.
    let written: String =
        data.iter().copied().bytes_to_fes().with_checksum::<LongBech32>(&human_readable_part).chars().collect();
    if written != text {
        return Err(RecipientError::Mistyped);
    }
    match human_readable_part.as_str().strip_prefix("age") {
        Some("") => {
            let bytes: [u8; 32] = data.try_into().map_err(|_| RecipientError::Mistyped)?;
            // Clamped scalars are multiples of eight, and so take points of small order to zero.
            if MontgomeryPoint(bytes).mul_clamped([1; 32]) == MontgomeryPoint([0; 32]) {
                return Err(RecipientError::Weak);
            }
            Ok(RecipientKind::X25519(bytes))
        }
        Some(plugin) => match plugin.strip_prefix('1').filter(|name| !name.is_empty()) {
            Some(name) => Ok(RecipientKind::Plugin { plugin: name.to_owned() }),
            None => Err(RecipientError::Unknown),
        },
        None => Err(RecipientError::Unknown),
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use bech32::Hrp;
    use proptest::prelude::*;

    use super::*;

    /// From the README of age.
    const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    fn encode(prefix: &str, data: &[u8]) -> String {
        let prefix = Hrp::parse(prefix).unwrap();
        data.iter().copied().bytes_to_fes().with_checksum::<LongBech32>(&prefix).chars().collect()
    }

    #[test]
    fn recipients_of_age_and_its_plugins_are_taken() {
        assert!(matches!(Recipient::parse(AGE).unwrap().kind(), RecipientKind::X25519(_)));
        let plugin = encode("age1yubikey", &[2; 33]);
        let yubikey = RecipientKind::Plugin { plugin: "yubikey".to_owned() };
        assert_eq!(Recipient::parse(&plugin).unwrap().kind(), &yubikey);
        assert!(Recipient::parse(&encode("age1pq", &[9; 1216])).is_ok(), "keys of post-quantum plugins are long");
    }

    #[test]
    fn every_other_text_is_refused() {
        let mistyped = AGE.replace("ql3z", "ql3y");
        let secret = "AGE-SECRET-KEY-1QQQ";
        for (text, error) in [
            ("", RecipientError::Unknown),
            ("alice", RecipientError::Unknown),
            (&mistyped, RecipientError::Mistyped),
            (&AGE[..AGE.len() - 1], RecipientError::Mistyped),
            (&AGE.to_uppercase(), RecipientError::Unknown),
            (secret, RecipientError::Secret),
            ("ssh-rsa AAAA", RecipientError::Ssh),
            ("sk-ssh-ed25519@openssh.com AAAA", RecipientError::Ssh),
            (&encode("age", &[2; 31]), RecipientError::Mistyped),
            (&encode("age", &[0; 32]), RecipientError::Weak),
            (&encode("age1", &[2; 32]), RecipientError::Unknown),
        ] {
            assert_eq!(Recipient::parse(text), Err(error), "{text}");
        }
        let long = "age1".repeat(2000);
        assert!(matches!(Recipient::parse(&long), Err(RecipientError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_each_recipient_has_one_text(text in "(age1|AGE-|ssh-|)[a-z0-9 ]{0,70}", data: [u8; 32]) {
            let _ = Recipient::parse(&text);
            let text = encode("age", &data);
            if let Ok(recipient) = Recipient::parse(&text) {
                prop_assert_eq!(recipient.as_str(), text);
            }
        }
    }
}
