//! The public commitments by which a good share is told from a bad one.

use std::sync::LazyLock;

use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::traits::IsIdentity;
use data_encoding::HEXLOWER;

use super::share::{Share, ShareError, VerifiedShare};
use super::threshold::{ShareIndex, Threshold};
use crate::keys;

static BLINDING_GENERATOR: LazyLock<RistrettoPoint> = LazyLock::new(keys::blinding_generator);

/// Gives the second generator `H`, to which nobody knows the logarithm.
pub(super) fn blinding_generator() -> RistrettoPoint {
    *BLINDING_GENERATOR
}

/// Commits to the two polynomials of a set of shares: exactly as many points as shares are needed, none the identity.
///
/// The points are public; they say nothing about the secret, even to an attacker without bounds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commitments {
    secret: RistrettoPoint,
    higher: Vec<RistrettoPoint>,
}

/// Says why a list is not the commitments of a set.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CommitmentsError {
    /// A longer list would let shares pass that do not combine, a shorter one would need fewer people.
    #[error("there are {found} commitments; a set of which {needed} shares open has exactly {needed}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: u8,
    },
    /// An entry is no point of the group.
    #[error("commitment {position} is damaged: it is not the hexadecimal form of a point of Ristretto255")]
    Undecodable {
        /// Its place in the list, from 0.
        position: usize,
    },
    /// An entry commits to nothing.
    #[error("commitment {position} is empty: it is the identity of the group")]
    Identity {
        /// Its place in the list, from 0.
        position: usize,
    },
}

impl Commitments {
    /// Reads the commitments of a set of shares with that threshold, each as 64 hexadecimal digits in lower case.
    ///
    /// # Errors
    /// Answers [`CommitmentsError`] unless there are exactly as many as shares are needed and each is a point.
    pub fn from_hex<T: AsRef<str>>(list: &[T], threshold: Threshold) -> Result<Self, CommitmentsError> {
        check_count(list.len(), threshold)?;
        let points = list
            .iter()
            .enumerate()
            .map(|(position, text)| point(text.as_ref()).ok_or(CommitmentsError::Undecodable { position }))
            .collect::<Result<_, _>>()?;
        Self::from_points(points, threshold)
    }

    /// Gives each commitment as 64 hexadecimal digits.
    pub fn to_hex(&self) -> Vec<String> {
        std::iter::once(&self.secret)
            .chain(&self.higher)
            .map(|point| HEXLOWER.encode(point.compress().as_bytes()))
            .collect()
    }

    /// Gives how many shares open: one for each commitment.
    pub fn needed(&self) -> usize {
        self.higher.len() + 1
    }

    /// Checks one share alone; only a verified share can be combined.
    ///
    /// # Errors
    /// Answers [`ShareError::NotOfThisSet`] if the share does not open the commitment to its index.
    pub fn verify(&self, share: Share) -> Result<VerifiedShare, ShareError> {
        if self.admit(&share) {
            Ok(VerifiedShare::new(share))
        } else {
            Err(ShareError::NotOfThisSet { index: share.index() })
        }
    }

    pub(super) fn from_points(points: Vec<RistrettoPoint>, threshold: Threshold) -> Result<Self, CommitmentsError> {
        check_count(points.len(), threshold)?;
        if let Some(position) = points.iter().position(IsIdentity::is_identity) {
            return Err(CommitmentsError::Identity { position });
        }
        let Some((secret, higher)) = points.split_first() else {
            return Err(CommitmentsError::Count { found: 0, needed: threshold.needed() });
        };
        Ok(Self { secret: *secret, higher: higher.to_vec() })
    }

    /// Gives the commitment that the secret opens.
    pub(super) const fn to_secret(&self) -> &RistrettoPoint {
        &self.secret
    }

    pub(super) fn admit(&self, share: &Share) -> bool {
        share.opening().opens(&self.at(share.index()))
    }

    /// Computes the commitment that the share `index` opens, by Horner's rule. Its time depends on the index and
    /// the points, which are public.
    fn at(&self, index: ShareIndex) -> RistrettoPoint {
        let mut coefficients = self.higher.iter().rev();
        let Some(&first) = coefficients.next() else { return self.secret };
        let sum = coefficients.fold(first, |sum, coefficient| multiple(&sum, index) + coefficient);
        multiple(&sum, index) + self.secret
    }
}

fn check_count(found: usize, threshold: Threshold) -> Result<(), CommitmentsError> {
    let needed = threshold.needed();
    if found == usize::from(needed) { Ok(()) } else { Err(CommitmentsError::Count { found, needed }) }
}

fn point(text: &str) -> Option<RistrettoPoint> {
    CompressedRistretto::from_slice(&HEXLOWER.decode(text.as_bytes()).ok()?).ok()?.decompress()
}

/// Multiplies by doubling and adding: an index has 8 bits, where the general multiplication walks over 253.
fn multiple(point: &RistrettoPoint, index: ShareIndex) -> RistrettoPoint {
    let bits = u8::BITS - index.get().leading_zeros();
    (0..bits.saturating_sub(1)).rev().fold(*point, |sum, bit| {
        let doubled = sum + sum;
        if index.get() >> bit & 1 == 1 { doubled + point } else { doubled }
    })
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::Scalar;
    use rand::SeedableRng;

    use super::*;

    fn points(count: usize) -> Vec<RistrettoPoint> {
        let mut rng = rand::rngs::StdRng::seed_from_u64(5);
        (0..count).map(|_| RistrettoPoint::random(&mut rng)).collect()
    }

    #[test]
    fn a_list_has_exactly_as_many_points_as_shares_are_needed() {
        let threshold = Threshold::new(3, 5).unwrap();
        let hex = Commitments::from_points(points(3), threshold).unwrap().to_hex();
        assert_eq!(Commitments::from_hex(&hex, threshold).unwrap().to_hex(), hex);
        for count in [0, 1, 2, 4, 300] {
            let list = vec![hex[0].clone(); count];
            let expected = CommitmentsError::Count { found: count, needed: 3 };
            assert_eq!(Commitments::from_hex(&list, threshold), Err(expected));
        }
    }

    #[test]
    fn a_bad_entry_is_named() {
        let threshold = Threshold::new(3, 5).unwrap();
        let good = Commitments::from_points(points(3), threshold).unwrap().to_hex();
        for bad in ["", "00", "zz", &"ff".repeat(32), &good[0].to_uppercase(), &good[0][..62]] {
            let mut list = good.clone();
            list[1] = bad.to_owned();
            let expected = Err(CommitmentsError::Undecodable { position: 1 });
            assert_eq!(Commitments::from_hex(&list, threshold), expected, "{bad}");
        }
        let mut list = good.clone();
        list[2] = "00".repeat(32);
        assert_eq!(Commitments::from_hex(&list, threshold), Err(CommitmentsError::Identity { position: 2 }));
    }

    #[test]
    fn the_short_multiplication_agrees_with_the_general_one() {
        let point = points(1)[0];
        for number in 1..=255 {
            assert_eq!(multiple(&point, ShareIndex::new(number).unwrap()), point * Scalar::from(number), "{number}");
        }
    }

    #[test]
    fn the_blinding_generator_is_none_of_the_trivial_points() {
        let base = RistrettoPoint::mul_base(&Scalar::ONE);
        assert!(!blinding_generator().is_identity());
        assert_ne!(blinding_generator(), base);
        assert_ne!(blinding_generator(), -base);
    }
}
