//! SSH signatures (PROTOCOL.sshsig and PROTOCOL.u2f of OpenSSH), as `ssh-keygen -Y sign` makes them.

use ed25519_dalek::Signature as Ed25519;
use sha2::{Digest, Sha256, Sha512};

use crate::ssh_key::{SshPublicKey, put_string, take_string};

/// The namespace, so that no signature made for another purpose counts.
pub const NAMESPACE: &str = "keyturn";

const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;

/// The flag of a security key that somebody touched it.
const USER_PRESENT: u8 = 0x01;

/// Says why an SSH signature does not count.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SshSigError {
    /// It has another form.
    #[error("it is neither 64 bytes of Ed25519 nor a whole SSH signature")]
    Form,
    /// Its version is unknown.
    #[error("it is an SSH signature of version {version}, only 1 is known")]
    Version {
        /// As written.
        version: u32,
    },
    /// It names another key.
    #[error("it is by another key")]
    Key,
    /// It was made for another purpose.
    #[error("it was made for another purpose than keyturn: sign with ssh-keygen -Y sign -n keyturn")]
    Namespace,
    /// The digest is unknown.
    #[error("its digest is neither sha256 nor sha512")]
    Hash,
    /// Nobody touched the security key.
    #[error("nobody touched the security key: keys made with no-touch-required do not count")]
    NotPresent,
    /// It does not hold.
    #[error("it is over another document")]
    Mismatch,
}

/// What a blob says.
struct Parts<'a> {
    key: &'a [u8],
    namespace: &'a [u8],
    hash: &'a [u8],
    signature: &'a [u8],
}

/// Verifies a blob, without its armour, over a message.
pub(super) fn verify(key: &SshPublicKey, message: &[u8], blob: &[u8]) -> Result<(), SshSigError> {
    let parts = split(blob)?;
    if parts.key != key.blob() {
        return Err(SshSigError::Key);
    }
    if parts.namespace != NAMESPACE.as_bytes() {
        return Err(SshSigError::Namespace);
    }
    let digest = match parts.hash {
        b"sha256" => Sha256::digest(message).to_vec(),
        b"sha512" => Sha512::digest(message).to_vec(),
        _ => return Err(SshSigError::Hash),
    };
    let mut signed = MAGIC.to_vec();
    put_string(&mut signed, parts.namespace);
    put_string(&mut signed, b"");
    put_string(&mut signed, parts.hash);
    put_string(&mut signed, &digest);
    verify_inner(key, &signed, parts.signature)
}

fn split(blob: &[u8]) -> Result<Parts<'_>, SshSigError> {
    let rest = blob.strip_prefix(MAGIC).ok_or(SshSigError::Form)?;
    let (version, mut rest) = rest.split_first_chunk::<4>().ok_or(SshSigError::Form)?;
    let version = u32::from_be_bytes(*version);
    if version != VERSION {
        return Err(SshSigError::Version { version });
    }
    let mut next = || take_string(&mut rest).ok_or(SshSigError::Form);
    let (key, namespace, reserved, hash, signature) = (next()?, next()?, next()?, next()?, next()?);
    if !reserved.is_empty() || !rest.is_empty() {
        return Err(SshSigError::Form);
    }
    Ok(Parts { key, namespace, hash, signature })
}

/// Verifies the signature within a blob: its type, 64 bytes, and of a security key the flags and the counter.
fn verify_inner(key: &SshPublicKey, signed: &[u8], mut signature: &[u8]) -> Result<(), SshSigError> {
    let kind = take_string(&mut signature).ok_or(SshSigError::Form)?;
    let bytes = take_string(&mut signature).and_then(|bytes| bytes.try_into().ok()).ok_or(SshSigError::Form)?;
    if kind != key.kind().as_bytes() {
        return Err(SshSigError::Key);
    }
    let message = match key.application() {
        None if signature.is_empty() => signed.to_vec(),
        None => return Err(SshSigError::Form),
        Some(application) => {
            let flags_and_counter: &[u8; 5] = signature.try_into().map_err(|_| SshSigError::Form)?;
            let [flags, ..] = flags_and_counter;
            if flags & USER_PRESENT == 0 {
                return Err(SshSigError::NotPresent);
            }
            let digests = (Sha256::digest(application), Sha256::digest(signed));
            [digests.0.as_slice(), flags_and_counter, digests.1.as_slice()].concat()
        }
    };
    key.point().verify_strict(&message, &Ed25519::from_bytes(bytes)).map_err(|_| SshSigError::Mismatch)
}
