//! Public signing keys as OpenSSH writes them: one line of a type and base64 (RFC 4253 section 6.6, RFC 8709 section 4).

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};

/// Longest line in bytes, with its comment.
pub const LINE_LENGTH_BYTES_MAX: usize = 4096;

/// The type of Ed25519 keys in software.
pub const ED25519: &str = "ssh-ed25519";
/// The type of Ed25519 keys on security keys.
pub const HARDWARE_ED25519: &str = "sk-ssh-ed25519@openssh.com";

/// A public key for signatures: Ed25519, in software or on a security key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SshPublicKey {
    kind: &'static str,
    blob: Vec<u8>,
    point: VerifyingKey,
    application: Option<Vec<u8>>,
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
    #[error("this is a private key: give the public one, which is in the file that ends with .pub")]
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

    /// Writes an Ed25519 key in this form.
    pub fn from_ed25519(key: &VerifyingKey) -> Self {
        let mut blob = Vec::new();
        put_string(&mut blob, ED25519.as_bytes());
        put_string(&mut blob, key.as_bytes());
        Self { kind: ED25519, blob, point: *key, application: None }
    }

    fn from_blob(kind: &'static str, blob: Vec<u8>) -> Result<Self, SshKeyError> {
        let content = SshKeyError::Content { kind };
        let mut rest = blob.as_slice();
        let named = take_string(&mut rest).ok_or(content.clone())?;
        let point: &[u8; 32] = take_string(&mut rest).and_then(|p| p.try_into().ok()).ok_or(content.clone())?;
        let mut application = None;
        if kind == HARDWARE_ED25519 {
            let named = take_string(&mut rest).filter(|application| !application.is_empty());
            application = Some(named.ok_or(content.clone())?.to_vec());
        }
        if named != kind.as_bytes() || !rest.is_empty() {
            return Err(content);
        }
        let point = sound_point(point).ok_or(SshKeyError::Weak)?;
        Ok(Self { kind, blob, point, application })
    }

    /// Gives the type: [`ED25519`] or [`HARDWARE_ED25519`].
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Gives the bytes that the base64 stands for.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Gives the point that verifies.
    pub fn point(&self) -> &VerifyingKey {
        &self.point
    }

    /// Gives what a security key signs for, such as `ssh:`; a key in software has none.
    pub fn application(&self) -> Option<&[u8]> {
        self.application.as_deref()
    }

    /// Gives the fingerprint as `ssh-keygen -l` shows it, the id of the key everywhere: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(&self.blob)))
    }
}

/// Reads a point in its one canonical form and of the prime-order group.
///
/// Points with a part of small order are left out besides: a signature can hold under several of them, so that one
/// secret would stand for several keys.
fn sound_point(bytes: &[u8; 32]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(bytes).ok()?;
    let point = key.to_edwards();
    let sound = !key.is_weak() && point.is_torsion_free() && point.compress().as_bytes() == bytes;
    sound.then_some(key)
}

/// Shows the line, without a comment.
impl fmt::Display for SshPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, BASE64.encode(&self.blob))
    }
}

/// Writes a string with its length in four bytes (RFC 4251 section 5).
pub fn put_string(target: &mut Vec<u8>, string: &[u8]) {
    target.extend_from_slice(&u32::try_from(string.len()).unwrap_or(u32::MAX).to_be_bytes());
    target.extend_from_slice(string);
}

/// Takes a string with its length off the front.
pub fn take_string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (string, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(string)
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn key() -> SshPublicKey {
        SshPublicKey::from_ed25519(&SigningKey::from_bytes(&[7; 32]).verifying_key())
    }

    fn blob_of(point: &[u8; 32]) -> Vec<u8> {
        let mut blob = Vec::new();
        put_string(&mut blob, ED25519.as_bytes());
        put_string(&mut blob, point);
        blob
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
    }

    #[test]
    fn points_that_prove_nothing_are_refused() {
        for small in EIGHT_TORSION {
            assert_eq!(SshPublicKey::from_blob(ED25519, blob_of(small.compress().as_bytes())), Err(SshKeyError::Weak));
            if small != EIGHT_TORSION[0] {
                let mixed = key().point.to_edwards() + small;
                let blob = blob_of(mixed.compress().as_bytes());
                assert_eq!(SshPublicKey::from_blob(ED25519, blob), Err(SshKeyError::Weak));
            }
        }
        // y = p + 3: the second way to write y = 3.
        let mut twice = [0xff; 32];
        twice[0] = 0xed + 3;
        twice[31] = 0x7f;
        for y in 0..19 {
            twice[0] = 0xed + y;
            assert_eq!(SshPublicKey::from_blob(ED25519, blob_of(&twice)), Err(SshKeyError::Weak), "p + {y}");
        }
    }

    #[test]
    fn a_key_on_a_security_key_is_accepted() {
        let mut blob = Vec::new();
        put_string(&mut blob, HARDWARE_ED25519.as_bytes());
        put_string(&mut blob, SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes());
        put_string(&mut blob, b"ssh:");
        let line = format!("{HARDWARE_ED25519} {}", BASE64.encode(&blob));
        let key = SshPublicKey::parse(&line).unwrap();
        assert_eq!(key.to_string(), line);
        assert_eq!(key.application(), Some(b"ssh:".as_slice()));
    }

    proptest! {
        #[test]
        fn no_line_panics(kind in "(ssh-ed25519|sk-ssh-ed25519@openssh.com|[a-z-]{0,12})", blob in prop::collection::vec(any::<u8>(), 0..120), tail in ".{0,20}") {
            let _ = SshPublicKey::parse(&format!("{kind} {} {tail}", BASE64.encode(&blob)));
            let _ = SshPublicKey::parse(&tail);
        }

        #[test]
        fn what_is_read_is_written_alike(seed: [u8; 32]) {
            let key = SshPublicKey::from_ed25519(&SigningKey::from_bytes(&seed).verifying_key());
            prop_assert_eq!(SshPublicKey::parse(&key.to_string()), Ok(key));
        }
    }
}
