//! The hash functions that callers may name.

use sha2::Digest;

use crate::keys;
use crate::refusal::Refusal;

/// A hash function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HashAlgorithm {
    Sha2_224,
    Sha2_256,
    Sha2_384,
    Sha2_512,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
}

/// Runs code with the type that carries a hash function out.
macro_rules! with_digest {
    ($hash:expr, $digest:ident => $code:expr) => {{
        use $crate::engines::transit::hash::HashAlgorithm as H;
        match $hash {
            H::Sha2_224 => {
                type $digest = sha2::Sha224;
                $code
            }
            H::Sha2_256 => {
                type $digest = sha2::Sha256;
                $code
            }
            H::Sha2_384 => {
                type $digest = sha2::Sha384;
                $code
            }
            H::Sha2_512 => {
                type $digest = sha2::Sha512;
                $code
            }
            H::Sha3_224 => {
                type $digest = sha3::Sha3_224;
                $code
            }
            H::Sha3_256 => {
                type $digest = sha3::Sha3_256;
                $code
            }
            H::Sha3_384 => {
                type $digest = sha3::Sha3_384;
                $code
            }
            H::Sha3_512 => {
                type $digest = sha3::Sha3_512;
                $code
            }
        }
    }};
}
pub(super) use with_digest;

impl HashAlgorithm {
    /// Reads the name of a hash function.
    ///
    /// # Errors
    /// Refuses unknown names, and SHA-1, of which collisions are found.
    pub(super) fn parse(name: &str) -> Result<Self, Refusal> {
        Ok(match name {
            "sha2-224" => Self::Sha2_224,
            "sha2-256" => Self::Sha2_256,
            "sha2-384" => Self::Sha2_384,
            "sha2-512" => Self::Sha2_512,
            "sha3-224" => Self::Sha3_224,
            "sha3-256" => Self::Sha3_256,
            "sha3-384" => Self::Sha3_384,
            "sha3-512" => Self::Sha3_512,
            "sha1" => return Err(Refusal::invalid("sha1 is not supported: collisions of SHA-1 are found")),
            _ => {
                let known = "sha2-224, sha2-256, sha2-384, sha2-512, sha3-224, sha3-256, sha3-384 or sha3-512";
                return Err(Refusal::invalid(format!("unsupported hash algorithm: give {known}")));
            }
        })
    }

    pub(super) fn output_bytes(self) -> usize {
        with_digest!(self, D => <D as Digest>::output_size())
    }

    pub(super) fn digest(self, message: &[u8]) -> Vec<u8> {
        with_digest!(self, D => D::digest(message).to_vec())
    }

    pub(super) fn keyed(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        with_digest!(self, D => keys::keyed_digest::<D>(key, message))
    }
}
