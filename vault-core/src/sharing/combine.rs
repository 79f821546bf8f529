//! Combines verified shares.

use curve25519_dalek::Scalar;
use vsss_rs::{IdentifierPrimeField, ReadableShareSet, Share as _};

use super::commitments::Commitments;
use super::dealer::PolynomialPoint;
use super::secret::{Opening, UnsealSecret};
use super::share::VerifiedShare;
use super::split::place;
use super::threshold::ShareIndex;

/// Says why shares do not combine.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CombineError {
    /// More people are needed.
    #[error("{given} shares were given, {needed} are needed")]
    TooFew {
        /// How many were given.
        given: usize,
        /// How many are needed.
        needed: usize,
    },
    /// One share was counted twice.
    #[error("share {index} was given twice")]
    Repeated {
        /// Which one.
        index: ShareIndex,
    },
    /// What the shares give does not open the commitment: they were verified against other commitments.
    #[error("the shares do not give the committed secret: they are of another set")]
    NotTheSecret,
}

/// Combines as many shares as are needed; further ones are not looked at.
///
/// # Errors
/// Answers [`CombineError`] for too few or repeated shares, and if the result does not open the commitment to the
/// secret.
pub fn combine(shares: &[VerifiedShare], commitments: &Commitments) -> Result<UnsealSecret, CombineError> {
    let needed = commitments.needed();
    let Some(chosen) = shares.get(..needed) else {
        return Err(CombineError::TooFew { given: shares.len(), needed });
    };
    if let Some(index) = repeated(chosen) {
        return Err(CombineError::Repeated { index });
    }
    let opening = match chosen {
        // vsss-rs refuses a single share; with a constant polynomial it is the secret itself.
        [only] => Opening::new(only.opening().value(), only.opening().blinding()),
        _ => interpolate(chosen).ok_or(CombineError::NotTheSecret)?,
    };
    // vsss-rs also answers Ok for shares that do not belong together, with a wrong secret.
    if opening.opens(commitments.to_secret()) { Ok(UnsealSecret(opening)) } else { Err(CombineError::NotTheSecret) }
}

fn repeated(shares: &[VerifiedShare]) -> Option<ShareIndex> {
    let mut indices: Vec<ShareIndex> = shares.iter().map(VerifiedShare::index).collect();
    indices.sort_unstable();
    indices.array_windows().find(|[one, next]| one == next).map(|[index, _]| *index)
}

/// Interpolates both polynomials at 0.
pub(super) fn interpolate(shares: &[VerifiedShare]) -> Option<Opening> {
    let value = interpolate_one(shares, Opening::value)?;
    let blinding = interpolate_one(shares, Opening::blinding)?;
    Some(Opening::new(&value.value().0, &blinding.value().0))
}

/// Interpolates one of the two; the answer is a point because points wipe themselves.
fn interpolate_one(shares: &[VerifiedShare], part: fn(&Opening) -> &Scalar) -> Option<PolynomialPoint> {
    let points: Vec<PolynomialPoint> = shares
        .iter()
        .map(|share| {
            let value = IdentifierPrimeField(*part(share.opening()));
            PolynomialPoint::with_identifier_and_value(IdentifierPrimeField(place(share.index())), value)
        })
        .collect();
    let mut result = PolynomialPoint::default();
    points.combine_in_place(result.value_mut()).ok()?;
    Some(result)
}
