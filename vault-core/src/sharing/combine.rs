//! Combines verified shares.

use std::num::NonZeroU8;

use vsss_rs::{IdentifierPrimeField, ReadableShareSet, Share as _};

use super::commitments::{Commitments, CommittedChild, CommittedNode, places};
use super::dealer::PolynomialPoint;
use super::secret::{Opening, UnsealSecret};
use super::share::VerifiedShare;
use super::split::scalar;
use super::threshold::ShareIndex;

/// Says why shares do not combine.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CombineError {
    /// More people are needed.
    #[error("{given} shares were given, at least {missing} more are needed")]
    TooFew {
        /// How many were given.
        given: usize,
        /// How many it takes at least beside these.
        missing: u8,
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

/// Combines a set of shares that opens; of each node only as many children as are needed are looked at.
///
/// # Errors
/// Answers [`CombineError`] for too few or repeated shares, and if the result does not open the commitment to the
/// secret.
pub fn combine(shares: &[VerifiedShare], commitments: &Commitments) -> Result<UnsealSecret, CombineError> {
    if let Some(index) = repeated(shares) {
        return Err(CombineError::Repeated { index });
    }
    let missing = commitments.missing(shares);
    if missing > 0 {
        return Err(CombineError::TooFew { given: shares.len(), missing });
    }
    match open(commitments.root(), shares)? {
        Some(opening) => Ok(UnsealSecret(opening)),
        None => Err(CombineError::NotTheSecret),
    }
}

fn repeated(shares: &[VerifiedShare]) -> Option<ShareIndex> {
    let mut indices: Vec<ShareIndex> = shares.iter().map(VerifiedShare::index).collect();
    indices.sort_unstable();
    indices.array_windows().find(|[one, next]| one == next).map(|[index, _]| *index)
}

/// Gives the opening that a node shares, or nothing if too few of its children are there.
///
/// # Errors
/// Answers [`CombineError::NotTheSecret`] if what they give does not open the commitment of the node.
fn open(node: &CommittedNode, shares: &[VerifiedShare]) -> Result<Option<Opening>, CombineError> {
    let needed = usize::from(node.polynomial.needed());
    let mut points = Points::with_capacity(needed);
    for (child, place) in node.children.iter().zip(places()) {
        if points.len() == needed {
            break;
        }
        match child {
            CommittedChild::Share(index) => {
                if let Some(share) = shares.iter().find(|share| share.index() == *index) {
                    points.push(place, share.opening());
                }
            }
            CommittedChild::Node(below) => {
                if let Some(opening) = open(below, shares)? {
                    points.push(place, &opening);
                }
            }
        }
    }
    if points.len() < needed {
        return Ok(None);
    }
    let opening = points.interpolate().ok_or(CombineError::NotTheSecret)?;
    // vsss-rs also answers Ok for shares that do not belong together, with a wrong secret.
    if opening.opens(node.polynomial.secret()) { Ok(Some(opening)) } else { Err(CombineError::NotTheSecret) }
}

/// Points of the two polynomials of a node; they wipe themselves, and none is ever moved to a larger vector.
pub(super) struct Points {
    values: Vec<PolynomialPoint>,
    blindings: Vec<PolynomialPoint>,
}

impl Points {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { values: Vec::with_capacity(count), blindings: Vec::with_capacity(count) }
    }

    pub(super) fn push(&mut self, place: NonZeroU8, opening: &Opening) {
        let point = |part| {
            PolynomialPoint::with_identifier_and_value(IdentifierPrimeField(scalar(place)), IdentifierPrimeField(part))
        };
        self.values.push(point(*opening.value()));
        self.blindings.push(point(*opening.blinding()));
    }

    const fn len(&self) -> usize {
        self.values.len()
    }

    /// Interpolates both polynomials at 0.
    pub(super) fn interpolate(&self) -> Option<Opening> {
        let value = interpolate_one(&self.values)?;
        let blinding = interpolate_one(&self.blindings)?;
        Some(Opening::new(&value.value().0, &blinding.value().0))
    }
}

/// Interpolates one of the two; the answer is a point because points wipe themselves.
fn interpolate_one(points: &[PolynomialPoint]) -> Option<PolynomialPoint> {
    match points {
        // vsss-rs refuses a single share; with a constant polynomial it is the secret itself.
        [only] => Some(only.clone()),
        _ => {
            let mut result = PolynomialPoint::default();
            points.combine_in_place(result.value_mut()).ok()?;
            Some(result)
        }
    }
}
