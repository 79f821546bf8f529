//! Signatures under one version of a key.

use ed25519_dalek::ed25519::signature::Signer as _;
use p256::ecdsa::signature::hazmat::{PrehashVerifier as _, RandomizedPrehashSigner as _};
use rand_core::CryptoRng;
use rsa::pss::Pss;
use rsa::{Pkcs1v15Sign, traits::PublicKeyParts as _};
use sha2::Digest as _;

use super::hash::{HashAlgorithm, with_digest};
use super::kind::Kind;
use super::material::{damaged, ed25519_key, rsa_key, with_curve};
use super::record::{Key, Version};
use crate::refusal::Refusal;

/// How an RSA signature is padded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Padding {
    Pss(Salt),
    Pkcs1v15,
}

/// The length of the salt of a PSS signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Salt {
    /// As long as fits; a verifier takes any.
    Auto,
    /// As long as the hash.
    Hash,
    /// So many bytes.
    Bytes(usize),
}

/// How an ECDSA signature is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Marshaling {
    /// A DER sequence of two integers.
    Asn1,
    /// Both integers at full length, as in JSON web signatures.
    Jws,
}

/// How a message is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheme {
    /// `None` signs the input as it is, with PKCS #1 v1.5 only.
    pub(super) hash: Option<HashAlgorithm>,
    pub(super) prehashed: bool,
    pub(super) padding: Padding,
    pub(super) marshaling: Marshaling,
}

/// Shortest input that ECDSA takes as a hash somebody else computed: below, the hash itself would be the weakest part.
const PREHASH_BYTES_MIN: usize = 20;

/// Longest input that is taken as a hash.
const PREHASH_BYTES_MAX: usize = 64;

impl Scheme {
    /// Gives what is signed: the hash of the input, or the input if it is one already.
    fn hashed(&self, kind: Kind, input: &[u8]) -> Result<Vec<u8>, Refusal> {
        let Some(hash) = self.hash else {
            if !self.prehashed || self.padding != Padding::Pkcs1v15 || !kind.is_rsa() {
                let text = "hash_algorithm none needs prehashed=true and signature_algorithm=pkcs1v15 of an RSA key";
                return Err(Refusal::invalid(text));
            }
            return Ok(input.to_vec());
        };
        if !self.prehashed {
            return Ok(hash.digest(input));
        }
        let fits = if kind.is_rsa() {
            input.len() == hash.output_bytes()
        } else {
            (PREHASH_BYTES_MIN..=PREHASH_BYTES_MAX).contains(&input.len())
        };
        if fits {
            Ok(input.to_vec())
        } else {
            Err(Refusal::invalid("the prehashed input has another length than a hash"))
        }
    }
}

/// Signs `input`.
pub(super) fn sign(
    key: &Key,
    version: &Version,
    input: &[u8],
    scheme: &Scheme,
    context: Option<&[u8]>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Refusal> {
    if key.kind == Kind::Ed25519 {
        check_pure(scheme)?;
        return Ok(ed25519_key(&version.material, context)?.sign(input).to_bytes().to_vec());
    }
    let hashed = scheme.hashed(key.kind, input)?;
    if key.kind.is_rsa() {
        return sign_rsa(&rsa_key(&version.material)?, &hashed, scheme, rng);
    }
    with_curve!(key.kind, curve => {
        let signer = curve::ecdsa::SigningKey::from_slice(version.material.expose()).map_err(damaged)?;
        // The nonce is RFC 6979's with fresh randomness mixed in: neither a bad generator nor a fault repeats it.
        let signed: Result<curve::ecdsa::Signature, _> = signer.sign_prehash_with_rng(rng, &hashed);
        let signature = signed.map_err(|_| Refusal::internal("a signature could not be made"))?;
        Ok(match scheme.marshaling {
            Marshaling::Asn1 => signature.to_der().as_bytes().to_vec(),
            Marshaling::Jws => signature.to_bytes().to_vec(),
        })
    }, otherwise => Err(Refusal::invalid("key type does not support signing")))
}

/// Tells whether `signature` is one of `input`.
pub(super) fn verify(
    key: &Key,
    version: &Version,
    input: &[u8],
    signature: &[u8],
    scheme: &Scheme,
    context: Option<&[u8]>,
) -> Result<bool, Refusal> {
    if key.kind == Kind::Ed25519 {
        check_pure(scheme)?;
        let verifier = ed25519_key(&version.material, context)?.verifying_key();
        let signature = ed25519_dalek::Signature::from_slice(signature);
        return Ok(signature.is_ok_and(|signature| verifier.verify_strict(input, &signature).is_ok()));
    }
    let hashed = scheme.hashed(key.kind, input)?;
    if key.kind.is_rsa() {
        return Ok(verify_rsa(&rsa_key(&version.material)?, &hashed, signature, scheme));
    }
    with_curve!(key.kind, curve => {
        let signer = curve::ecdsa::SigningKey::from_slice(version.material.expose()).map_err(damaged)?;
        let signature = match scheme.marshaling {
            Marshaling::Asn1 => curve::ecdsa::Signature::from_der(signature),
            Marshaling::Jws => curve::ecdsa::Signature::from_slice(signature),
        };
        Ok(signature.is_ok_and(|signature| signer.verifying_key().verify_prehash(&hashed, &signature).is_ok()))
    }, otherwise => Err(Refusal::invalid("key type does not support signing")))
}

/// Refuses what Ed25519 has no form for: it signs messages, not hashes.
fn check_pure(scheme: &Scheme) -> Result<(), Refusal> {
    if scheme.prehashed { Err(Refusal::invalid("ed25519 keys sign messages: leave prehashed out")) } else { Ok(()) }
}

fn sign_rsa(
    key: &rsa::PrivateKey,
    hashed: &[u8],
    scheme: &Scheme,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Refusal> {
    let Some(hash) = scheme.hash else {
        return key.sign_with_rng(rng, Pkcs1v15Sign::new_unprefixed(), hashed).map_err(unsigned);
    };
    let salt = match scheme.padding {
        Padding::Pkcs1v15 => {
            let padding = with_digest!(hash, D => Pkcs1v15Sign::new::<D>());
            return key.sign_with_rng(rng, padding, hashed).map_err(unsigned);
        }
        Padding::Pss(salt) => salt,
    };
    // The encoded message is one bit shorter than the modulus, and holds hash, salt and two bytes (RFC 8017, 9.1.1).
    let encoded_bytes = (key.n().bit_width_vartime() as usize).saturating_sub(1).div_ceil(8);
    let salt_bytes_max = encoded_bytes.saturating_sub(hash.output_bytes() + 2);
    let salt_bytes = match salt {
        Salt::Auto => salt_bytes_max,
        Salt::Hash => hash.output_bytes(),
        Salt::Bytes(bytes) => bytes,
    };
    if salt_bytes > salt_bytes_max {
        return Err(Refusal::invalid("salt_length is too long for this key"));
    }
    with_digest!(hash, D => key.sign_with_rng(rng, Pss::<D>::new_with_salt(salt_bytes), hashed).map_err(unsigned))
}

fn unsigned(_: rsa::Error) -> Refusal {
    Refusal::invalid("the input cannot be signed with this key")
}

fn verify_rsa(key: &rsa::PrivateKey, hashed: &[u8], signature: &[u8], scheme: &Scheme) -> bool {
    let key = key.as_public_key();
    let Some(hash) = scheme.hash else {
        return key.verify(Pkcs1v15Sign::new_unprefixed(), hashed, signature).is_ok();
    };
    match scheme.padding {
        Padding::Pkcs1v15 => {
            let padding = with_digest!(hash, D => Pkcs1v15Sign::new::<D>());
            key.verify(padding, hashed, signature).is_ok()
        }
        Padding::Pss(salt) => {
            let salt_len = match salt {
                Salt::Auto => None,
                Salt::Hash => Some(hash.output_bytes()),
                Salt::Bytes(bytes) => Some(bytes),
            };
            with_digest!(hash, D => {
                key.verify(Pss::<D> { blinded: true, digest: D::new(), salt_len }, hashed, signature).is_ok()
            })
        }
    }
}
