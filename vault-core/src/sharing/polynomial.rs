//! The commitments to the two polynomials of one node.

use std::num::NonZeroU8;

use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::traits::IsIdentity;
use data_encoding::HEXLOWER;

use super::commitments::CommitmentsError;

/// Commits to the coefficients: as many points as children are needed, none the identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Polynomial {
    needed: u8,
    secret: RistrettoPoint,
    higher: Vec<RistrettoPoint>,
}

impl Polynomial {
    /// Takes the points of the node `node`, which needs `needed` of its children.
    ///
    /// # Errors
    /// Answers [`CommitmentsError`] unless there are exactly as many points as children are needed, none the identity.
    pub(super) fn new(points: &[RistrettoPoint], node: usize, needed: u8) -> Result<Self, CommitmentsError> {
        let count = CommitmentsError::Count { node, found: points.len(), needed };
        let Some((secret, higher)) = points.split_first().filter(|_| points.len() == usize::from(needed)) else {
            return Err(count);
        };
        match points.iter().position(IsIdentity::is_identity) {
            Some(position) => Err(CommitmentsError::Identity { node, position }),
            None => Ok(Self { needed, secret: *secret, higher: higher.to_vec() }),
        }
    }

    /// Reads the points, each as 64 hexadecimal digits in lower case.
    ///
    /// # Errors
    /// Answers [`CommitmentsError`] as [`Polynomial::new`], and for what is no point.
    pub(super) fn from_hex<T: AsRef<str>>(list: &[T], node: usize, needed: u8) -> Result<Self, CommitmentsError> {
        if list.len() != usize::from(needed) {
            return Err(CommitmentsError::Count { node, found: list.len(), needed });
        }
        let points = list
            .iter()
            .enumerate()
            .map(|(position, text)| point(text.as_ref()).ok_or(CommitmentsError::Undecodable { node, position }))
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(&points, node, needed)
    }

    pub(super) fn to_hex(&self) -> Vec<String> {
        let points = std::iter::once(&self.secret).chain(&self.higher);
        points.map(|point| HEXLOWER.encode(point.compress().as_bytes())).collect()
    }

    /// Gives how many children are needed: one for each point.
    pub(super) const fn needed(&self) -> u8 {
        self.needed
    }

    /// Gives the commitment that the shared secret opens.
    pub(super) const fn secret(&self) -> &RistrettoPoint {
        &self.secret
    }

    /// Computes the commitment that the child at `place` opens, by Horner's rule. Its time depends on the place and
    /// the points, which are public.
    pub(super) fn at(&self, place: NonZeroU8) -> RistrettoPoint {
        let mut coefficients = self.higher.iter().rev();
        let Some(&first) = coefficients.next() else { return self.secret };
        let sum = coefficients.fold(first, |sum, coefficient| multiple(&sum, place) + coefficient);
        multiple(&sum, place) + self.secret
    }
}

fn point(text: &str) -> Option<RistrettoPoint> {
    CompressedRistretto::from_slice(&HEXLOWER.decode(text.as_bytes()).ok()?).ok()?.decompress()
}

/// Multiplies by doubling and adding: a place has 8 bits, where the general multiplication walks over 253.
fn multiple(point: &RistrettoPoint, place: NonZeroU8) -> RistrettoPoint {
    let bits = u8::BITS - place.leading_zeros();
    (0..bits.saturating_sub(1)).rev().fold(*point, |sum, bit| {
        let doubled = sum + sum;
        if place.get() >> bit & 1 == 1 { doubled + point } else { doubled }
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
    fn a_list_has_exactly_as_many_points_as_children_are_needed() {
        let hex = Polynomial::new(&points(3), 0, 3).unwrap().to_hex();
        assert_eq!(Polynomial::from_hex(&hex, 0, 3).unwrap().to_hex(), hex);
        for count in [0, 1, 2, 4, 300] {
            let list = vec![hex[0].clone(); count];
            let expected = CommitmentsError::Count { node: 4, found: count, needed: 3 };
            assert_eq!(Polynomial::from_hex(&list, 4, 3), Err(expected));
        }
    }

    #[test]
    fn a_bad_entry_is_named() {
        let good = Polynomial::new(&points(3), 0, 3).unwrap().to_hex();
        for bad in ["", "00", "zz", &"ff".repeat(32), &good[0].to_uppercase(), &good[0][..62]] {
            let mut list = good.clone();
            list[1] = bad.to_owned();
            let expected = Err(CommitmentsError::Undecodable { node: 2, position: 1 });
            assert_eq!(Polynomial::from_hex(&list, 2, 3), expected, "{bad}");
        }
        let mut list = good.clone();
        list[2] = "00".repeat(32);
        assert_eq!(Polynomial::from_hex(&list, 2, 3), Err(CommitmentsError::Identity { node: 2, position: 2 }));
    }

    #[test]
    fn the_short_multiplication_agrees_with_the_general_one() {
        let point = points(1)[0];
        for number in 1..=255 {
            assert_eq!(multiple(&point, NonZeroU8::new(number).unwrap()), point * Scalar::from(number), "{number}");
        }
    }
}
