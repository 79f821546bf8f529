//! Public signing keys as OpenSSH writes them: one line of a type and base64 (RFC 4253 section 6.6, RFC 8709 section 4).

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};

/// Longest line in bytes, with its comment.
pub const LINE_LENGTH_BYTES_MAX: usize = 4096;

pub(crate) const ED25519: &str = "ssh-ed25519";
const HARDWARE_ED25519: &str = "sk-ssh-ed25519@openssh.com";

/// A public key for signatures: Ed25519, in software or on a security key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SshPublicKey {
    kind: &'static str,
    blob: Vec<u8>,
}

/// Says why a line is no key that is accepted.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SshKeyError {
    /// A line of this length is no key.
    #[error("it has {length_bytes} bytes, more than any key")]
    TooLong {
        /// Length as given.
        length_bytes: usize,
    },
    /// There must be a type and a key.
    #[error("it is not a type and a key in base64, as in an OpenSSH .pub file")]
    NotALine,
    /// Somebody gave what must stay secret.
    #[error("this is a private key: name the file of the public one, which ends with .pub")]
    Private,
    /// Another type of key.
    #[error("keys of type {kind:?} are not accepted, only ssh-ed25519 and sk-ssh-ed25519@openssh.com")]
    Kind {
        /// The type that the line names.
        kind: String,
    },
    /// The base64 does not hold a key of the type that the line names.
    #[error("what follows {kind} is not a key of that type: was it cut off?")]
    Content {
        /// The type that the line names.
        kind: &'static str,
    },
    /// The curve point is none, or one whose signatures prove nothing.
    #[error("the key is not a point of the curve that can sign")]
    Weak,
}

impl SshPublicKey {
    /// Reads a line; a comment after the key is ignored.
    ///
    /// # Errors
    /// Answers [`SshKeyError`] with what is wrong.
    pub fn parse(line: &str) -> Result<Self, SshKeyError> {
        if line.len() > LINE_LENGTH_BYTES_MAX {
            return Err(SshKeyError::TooLong { length_bytes: line.len() });
        }
        let line = line.trim();
        if line.starts_with("-----BEGIN") {
            return Err(SshKeyError::Private);
        }
        let mut parts = line.split_ascii_whitespace();
        let (Some(named), Some(base64), false) = (parts.next(), parts.next(), line.contains(['\n', '\r'])) else {
            return Err(SshKeyError::NotALine);
        };
        let kind = match named {
            ED25519 => ED25519,
            HARDWARE_ED25519 => HARDWARE_ED25519,
            // What stands in the place of the type may be anything, of any length.
            other => return Err(SshKeyError::Kind { kind: other.chars().take(40).collect() }),
        };
        let blob = BASE64.decode(base64.as_bytes()).map_err(|_| SshKeyError::Content { kind })?;
        Self::from_blob(kind, blob)
    }

    /// Writes the public half of an Ed25519 key in this form.
    pub(crate) fn from_ed25519(key: &VerifyingKey) -> Self {
        let mut blob = Vec::new();
        put_string(&mut blob, ED25519.as_bytes());
        put_string(&mut blob, key.as_bytes());
        Self { kind: ED25519, blob }
    }

    fn from_blob(kind: &'static str, blob: Vec<u8>) -> Result<Self, SshKeyError> {
        let content = SshKeyError::Content { kind };
        let mut rest = blob.as_slice();
        let named = take_string(&mut rest).ok_or(content.clone())?;
        let point: &[u8; 32] = take_string(&mut rest).and_then(|p| p.try_into().ok()).ok_or(content.clone())?;
        if kind == HARDWARE_ED25519 {
            take_string(&mut rest).filter(|application| !application.is_empty()).ok_or(content.clone())?;
        }
        if named != kind.as_bytes() || !rest.is_empty() {
            return Err(content);
        }
        match VerifyingKey::from_bytes(point) {
            Ok(key) if !key.is_weak() => Ok(Self { kind, blob }),
            _ => Err(SshKeyError::Weak),
        }
    }

    /// Gives the bytes that the base64 stands for.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Gives the fingerprint as `ssh-keygen -l` shows it, the id of the key everywhere: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(&self.blob)))
    }
}

/// Shows the line, without a comment.
impl fmt::Display for SshPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, BASE64.encode(&self.blob))
    }
}

/// Writes a string with its length in four bytes (RFC 4251 section 5).
pub(crate) fn put_string(target: &mut Vec<u8>, string: &[u8]) {
    target.extend_from_slice(&u32::try_from(string.len()).unwrap_or(u32::MAX).to_be_bytes());
    target.extend_from_slice(string);
}

/// Takes a string with its length off the front.
pub(crate) fn take_string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (string, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(string)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn key() -> SshPublicKey {
        SshPublicKey::from_ed25519(&SigningKey::from_bytes(&[7; 32]).verifying_key())
    }

    #[test]
    fn a_line_comes_back_without_its_comment() {
        let line = key().to_string();
        assert_eq!(SshPublicKey::parse(&line), Ok(key()));
        assert_eq!(SshPublicKey::parse(&format!("{line} alice@laptop\n")), Ok(key()));
    }

    #[test]
    fn every_other_line_is_refused_with_its_reason() {
        let line = key().to_string();
        assert_eq!(SshPublicKey::parse(""), Err(SshKeyError::NotALine));
        assert_eq!(SshPublicKey::parse("ssh-ed25519"), Err(SshKeyError::NotALine));
        assert_eq!(SshPublicKey::parse(&format!("{line}\n{line}")), Err(SshKeyError::NotALine));
        assert_eq!(SshPublicKey::parse("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"), Err(SshKeyError::Private));
        assert_eq!(SshPublicKey::parse("ssh-rsa AAAA"), Err(SshKeyError::Kind { kind: "ssh-rsa".to_owned() }));
        let content = Err(SshKeyError::Content { kind: ED25519 });
        assert_eq!(SshPublicKey::parse(&line[..line.len() - 4]), content);
        assert_eq!(SshPublicKey::parse(&format!("{line}AAAA")), content);
        let hardware = line.replace(ED25519, HARDWARE_ED25519);
        assert_eq!(SshPublicKey::parse(&hardware), Err(SshKeyError::Content { kind: HARDWARE_ED25519 }));
        assert!(matches!(SshPublicKey::parse(&" ".repeat(5000)), Err(SshKeyError::TooLong { .. })));
        let mut blob = Vec::new();
        put_string(&mut blob, ED25519.as_bytes());
        put_string(&mut blob, &[0; 32]);
        assert_eq!(SshPublicKey::from_blob(ED25519, blob), Err(SshKeyError::Weak));
    }

    #[test]
    fn a_key_on_a_security_key_is_accepted() {
        let mut blob = Vec::new();
        put_string(&mut blob, HARDWARE_ED25519.as_bytes());
        put_string(&mut blob, SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes());
        put_string(&mut blob, b"ssh:");
        let line = format!("{HARDWARE_ED25519} {}", BASE64.encode(&blob));
        assert_eq!(SshPublicKey::parse(&line).unwrap().to_string(), line);
    }

    proptest! {
        #[test]
        fn no_line_panics(kind in "(ssh-ed25519|sk-ssh-ed25519@openssh.com|[a-z-]{0,12})", blob in prop::collection::vec(any::<u8>(), 0..120), tail in ".{0,20}") {
            let _ = SshPublicKey::parse(&format!("{kind} {} {tail}", BASE64.encode(&blob)));
            let _ = SshPublicKey::parse(&tail);
        }
    }
}
