//! The secret that is shared and the openings that its shares are.

use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::commitments::blinding_generator;
use crate::secret::SecretKey;

/// Holds the unseal secret: a random scalar `s`, with the blinding `r` that hides it in its commitment.
///
/// Both lie in a heap allocation of their own and are wiped when dropped.
pub struct UnsealSecret(pub(super) Opening);

impl UnsealSecret {
    /// Draws a secret and its blinding, each uniformly over the whole field.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut opening = Opening::zero();
        opening.0.value = Scalar::random(rng);
        opening.0.blinding = Scalar::random(rng);
        Self(opening)
    }

    /// Gives the 32 bytes of `s` (little-endian, canonical) from which the seal key is derived.
    pub fn to_key(&self) -> SecretKey {
        SecretKey::fill_with(|key| key.copy_from_slice(self.0.value().as_bytes()))
    }
}

/// Opens a commitment `value·G + blinding·H`: the unseal secret is one, and so is every share.
pub(super) struct Opening(Box<Scalars>);

#[derive(Zeroize, ZeroizeOnDrop)]
struct Scalars {
    value: Scalar,
    blinding: Scalar,
}

/// The box is all there is to it, and what lies in it wipes itself.
impl ZeroizeOnDrop for Opening {}

impl Opening {
    /// Number of bytes of an opening: both scalars.
    pub(super) const LENGTH_BYTES: usize = 64;

    fn zero() -> Self {
        Self(Box::new(Scalars { value: Scalar::ZERO, blinding: Scalar::ZERO }))
    }

    pub(super) fn new(value: &Scalar, blinding: &Scalar) -> Self {
        let mut opening = Self::zero();
        opening.0.value.clone_from(value);
        opening.0.blinding.clone_from(blinding);
        opening
    }

    /// Reads value ‖ blinding; `None` unless both are canonical.
    pub(super) fn from_bytes(bytes: &[u8; Self::LENGTH_BYTES]) -> Option<Self> {
        let (value, blinding) = bytes.split_at(32);
        let mut opening = Self::zero();
        opening.0.value = canonical(value)?;
        opening.0.blinding = canonical(blinding)?;
        Some(opening)
    }

    pub(super) const fn value(&self) -> &Scalar {
        &self.0.value
    }

    pub(super) const fn blinding(&self) -> &Scalar {
        &self.0.blinding
    }

    /// Computes, in constant time, the commitment that this opens.
    pub(super) fn commit(&self) -> RistrettoPoint {
        RistrettoPoint::mul_base(self.value()) + blinding_generator() * self.blinding()
    }

    /// Tells in constant time whether this opens `commitment`.
    pub(super) fn opens(&self, commitment: &RistrettoPoint) -> bool {
        bool::from(self.commit().ct_eq(commitment))
    }
}

fn canonical(bytes: &[u8]) -> Option<Scalar> {
    Scalar::from_canonical_bytes(bytes.try_into().ok()?).into_option()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn wiping_an_opening_leaves_zeros() {
        let mut secret = UnsealSecret::random(&mut rand::rngs::StdRng::seed_from_u64(1));
        assert_ne!(secret.0.value(), &Scalar::ZERO);
        secret.0.0.zeroize();
        assert_eq!((secret.0.value(), secret.0.blinding()), (&Scalar::ZERO, &Scalar::ZERO));
    }

    #[test]
    fn scalars_beyond_the_group_order_are_refused() {
        let mut bytes = [0; 64];
        assert!(Opening::from_bytes(&bytes).is_some());
        bytes[31] = 0xFF;
        assert!(Opening::from_bytes(&bytes).is_none());
        bytes[31] = 0;
        bytes[63] = 0xFF;
        assert!(Opening::from_bytes(&bytes).is_none());
    }
}
