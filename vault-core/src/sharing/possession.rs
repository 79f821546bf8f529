//! Proof that somebody holds a share, which tells nothing about it (Okamoto, CRYPTO '92, section 3.1).
//!
//! Share `i` opens C(i) = s·G + r·H. The holder draws k₁, k₂, commits to them by a = k₁·G + k₂·H, and answers the challenge c,
//! a hash over all that is public (Fiat–Shamir), by z₁ = k₁ + c·s and z₂ = k₂ + c·r. It holds if
//! z₁·G + z₂·H = a + c·C(i). Two answers to one `a` would give the opening; one alone could have been made by anybody
//! who may choose c first, so that it shows nothing. Format: docs/formats.md, "Proof of possession".

use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::traits::IsIdentity;
use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::commitments::{Commitments, blinding_generator};
use super::share::Share;
use super::threshold::ShareIndex;
use crate::charter::Digest;
use crate::id::{Epoch, VaultFingerprint};
use crate::keys;

const PROOF_FORMAT: u8 = 1;

/// What the verifier chose, so that no earlier proof passes for a new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PossessionNonce(pub [u8; 32]);

impl PossessionNonce {
    /// Binds the nonce to a charter, so that a proof counts for no other.
    pub fn bound_to(&self, charter: &Digest) -> Self {
        Self(keys::bound_possession_nonce(&self.0, charter.as_bytes()))
    }
}

/// A proof that somebody holds a share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PossessionProof {
    a: CompressedRistretto,
    z: [Scalar; 2],
}

/// Says why a proof does not hold.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PossessionError {
    /// It has another length.
    #[error("the proof has {found} bytes instead of {}", PossessionProof::LENGTH_BYTES)]
    Length {
        /// How many there are.
        found: usize,
    },
    /// Another version of the program made it.
    #[error("the proof has format {found}, this program reads format {PROOF_FORMAT}")]
    Format {
        /// The format that it names.
        found: u8,
    },
    /// A part of it is no point or no number of the group.
    #[error("the proof is damaged: a part of it is out of range")]
    OutOfRange,
    /// It is by somebody who does not hold this share, or for another nonce, vault or epoch.
    #[error("the proof does not hold: it is by another share, or for another question")]
    DoesNotHold,
}

/// Everything that is public, of which the challenge is a hash.
struct Transcript<'a> {
    vault: VaultFingerprint,
    epoch: Epoch,
    index: ShareIndex,
    nonce: &'a PossessionNonce,
    commitment: CompressedRistretto,
}

impl Transcript<'_> {
    /// Lays the public parts out, each of a fixed length.
    fn statement(&self) -> Vec<u8> {
        [
            self.vault.0.as_slice(),
            &self.epoch.0.to_be_bytes(),
            &[self.index.get()],
            &self.nonce.0,
            self.commitment.as_bytes(),
        ]
        .concat()
    }

    fn challenge(&self, a: &CompressedRistretto) -> Scalar {
        keys::possession_challenge(&self.statement(), a.as_bytes())
    }
}

impl PossessionProof {
    /// Number of bytes of a proof: format, one point and two scalars.
    pub const LENGTH_BYTES: usize = 1 + 3 * 32;

    /// Lays the proof out: format ‖ a ‖ z₁ ‖ z₂.
    pub fn to_bytes(&self) -> Vec<u8> {
        let [first, second] = &self.z;
        [&[PROOF_FORMAT], self.a.as_bytes().as_slice(), first.as_bytes(), second.as_bytes()].concat()
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// Answers [`PossessionError`] for another length or format, and for parts out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PossessionError> {
        let length = PossessionError::Length { found: bytes.len() };
        let bytes: &[u8; Self::LENGTH_BYTES] = bytes.try_into().map_err(|_| length)?;
        let ([format], parts) = bytes.split_first_chunk::<1>().ok_or(PossessionError::OutOfRange)?;
        if *format != PROOF_FORMAT {
            return Err(PossessionError::Format { found: *format });
        }
        let ([a, first, second], _) = parts.as_chunks::<32>() else { return Err(PossessionError::OutOfRange) };
        let a = CompressedRistretto(*a);
        let is_point = a.decompress().is_some_and(|point| !point.is_identity());
        let scalar = |bytes: &[u8; 32]| Scalar::from_canonical_bytes(*bytes).into_option();
        match (is_point, scalar(first), scalar(second)) {
            (true, Some(first), Some(second)) => Ok(Self { a, z: [first, second] }),
            _ => Err(PossessionError::OutOfRange),
        }
    }
}

impl Share {
    /// Proves to whoever chose the nonce that this share is at hand.
    ///
    /// The one-time numbers come from the share and the question besides `rng`, so that a weak source of randomness
    /// does not give the share away: two questions never meet the same ones.
    pub fn prove_possession(&self, nonce: &PossessionNonce, rng: &mut dyn CryptoRng) -> PossessionProof {
        let commitment = self.opening().commit().compress();
        let transcript =
            Transcript { vault: self.vault(), epoch: self.epoch(), index: self.index(), nonce, commitment };
        let mut fresh = Zeroizing::new([0; 32]);
        rng.fill_bytes(fresh.as_mut_slice());
        let statement = transcript.statement();
        let opening = self.opening();
        let k = keys::possession_one_time(&fresh, [opening.value(), opening.blinding()], &statement);
        let [first, second] = &*k;
        let a = (RistrettoPoint::mul_base(first) + blinding_generator() * second).compress();
        let c = transcript.challenge(&a);
        PossessionProof { a, z: [first + c * opening.value(), second + c * opening.blinding()] }
    }
}

impl Commitments {
    /// Checks a proof of possession.
    ///
    /// # Errors
    /// Answers [`PossessionError::DoesNotHold`] unless it was made with this share of this vault and epoch, for this nonce.
    pub fn verify_possession(
        &self,
        vault: VaultFingerprint,
        epoch: Epoch,
        index: ShareIndex,
        nonce: &PossessionNonce,
        proof: &PossessionProof,
    ) -> Result<(), PossessionError> {
        let commitment = self.of_share(index).ok_or(PossessionError::DoesNotHold)?;
        let transcript = Transcript { vault, epoch, index, nonce, commitment: commitment.compress() };
        let a = proof.a.decompress().ok_or(PossessionError::OutOfRange)?;
        let c = transcript.challenge(&proof.a);
        if answers(&commitment, &a, &c, &proof.z) { Ok(()) } else { Err(PossessionError::DoesNotHold) }
    }
}

/// Tells whether z₁·G + z₂·H = a + c·C; everything in it is public.
fn answers(commitment: &RistrettoPoint, a: &RistrettoPoint, c: &Scalar, [first, second]: &[Scalar; 2]) -> bool {
    RistrettoPoint::mul_base(first) + blinding_generator() * second == a + commitment * c
}

#[cfg(test)]
mod tests;
