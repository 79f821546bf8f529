//! Splits a secret into shares.

use std::num::NonZeroU8;

use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;
use vsss_rs::pedersen::{self, PedersenOptions, PedersenResult, StdPedersenResult};
use vsss_rs::{IdentifierPrimeField, PedersenVerifierSet, Share as _, ValueGroup};
use zeroize::Zeroize;

use super::commitments::{Commitments, blinding_generator, places};
use super::dealer::{PolynomialPoint, Verifier};
use super::secret::{Opening, UnsealSecret};
use super::share::Share;
use super::structure::{Child, Node, Structure};
use super::threshold::Threshold;
use crate::id::{Epoch, VaultFingerprint};

/// Says why a secret was not split; no share was handed out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SplitError {
    /// The sharing library refused.
    #[error("the secret cannot be split {threshold}: {reason}")]
    Refused {
        /// What was asked for.
        threshold: Threshold,
        /// What the library said.
        reason: String,
    },
    /// What came out does not fit together, so nothing of it is used.
    #[error("the split went wrong, nothing was handed out: do not use this machine for it, its computations fail")]
    Faulty,
}

/// Splits `secret` into shares for `vault` and `epoch`; each is checked against the commitments before it is given.
///
/// # Errors
/// Answers [`SplitError`] if the library refuses or its result does not hold.
pub fn split(
    secret: &UnsealSecret,
    structure: impl Into<Structure>,
    vault: VaultFingerprint,
    epoch: Epoch,
    rng: &mut dyn CryptoRng,
) -> Result<(Commitments, Vec<Share>), SplitError> {
    let structure = structure.into();
    let mut dealt = Dealt::default();
    dealt.deal(&secret.0, structure.root(), rng)?;
    let commitments = Commitments::from_points(&dealt.points, structure).map_err(|_| SplitError::Faulty)?;
    let threshold = commitments.threshold();
    let openings = dealt.openings.into_iter().zip(threshold.indices());
    let shares: Vec<Share> = openings.map(|(opening, index)| Share::new(vault, epoch, index, opening)).collect();
    let sound = secret.0.opens(commitments.root().polynomial.secret())
        && shares.len() == usize::from(threshold.total())
        && shares.iter().all(|share| commitments.admit(share));
    if sound { Ok((commitments, shares)) } else { Err(SplitError::Faulty) }
}

/// What was dealt so far, depth first from the left.
#[derive(Default)]
struct Dealt {
    /// The commitments of each node.
    points: Vec<Vec<RistrettoPoint>>,
    /// The opening of each share.
    openings: Vec<Opening>,
}

impl Dealt {
    /// Splits an opening among the children of a node, and what falls to a node below among its children.
    fn deal(&mut self, opening: &Opening, node: &Node, rng: &mut dyn CryptoRng) -> Result<(), SplitError> {
        let threshold = node.threshold().map_err(|_| SplitError::Faulty)?;
        let (points, openings) = split_opening(opening, threshold, rng)?;
        self.points.push(points);
        for (child, opening) in node.children.iter().zip(openings) {
            match child {
                Child::Share => self.openings.push(opening),
                Child::Node(node) => self.deal(&opening, node, rng)?,
            }
        }
        Ok(())
    }
}

/// Splits any opening, which may itself be a share, into openings at the places from 1 on.
fn split_opening(
    secret: &Opening,
    threshold: Threshold,
    rng: &mut dyn CryptoRng,
) -> Result<(Vec<RistrettoPoint>, Vec<Opening>), SplitError> {
    if threshold.needed() == 1 {
        // vsss-rs refuses polynomials of degree 0. They are constant: each share is the secret itself.
        let copies = threshold.indices().map(|_| Opening::new(secret.value(), secret.blinding()));
        return Ok((vec![secret.commit()], copies.collect()));
    }
    let identifiers = places().take(threshold.total().into()).map(|place| IdentifierPrimeField(scalar(place)));
    // A point wipes itself; the blinding, which the library wants to own, is wiped below.
    let intercept =
        PolynomialPoint::with_identifier_and_value(IdentifierPrimeField::ZERO, IdentifierPrimeField(*secret.value()));
    let mut options = PedersenOptions::<PolynomialPoint, Verifier> {
        secret: intercept.value(),
        blinder: Some(IdentifierPrimeField(*secret.blinding())),
        secret_generator: None,
        blinder_generator: Some(ValueGroup(blinding_generator())),
    };
    let result = pedersen::split_secret_with_ids(
        usize::from(threshold.needed()),
        usize::from(threshold.total()),
        &options,
        rng,
        identifiers,
    );
    if let Some(blinder) = options.blinder.as_mut() {
        blinder.0.zeroize();
    }
    let result = result.map_err(|error| SplitError::Refused { threshold, reason: error.to_string() })?;
    Ok(take_apart(&result))
}

fn take_apart(result: &StdPedersenResult<PolynomialPoint, Verifier>) -> (Vec<RistrettoPoint>, Vec<Opening>) {
    let verifiers = PedersenVerifierSet::<PolynomialPoint, Verifier>::blind_verifiers(result.pedersen_verifier_set());
    let points = verifiers.iter().map(|verifier| verifier.0).collect();
    let values = result.secret_shares().iter();
    let openings = values.zip(result.blinder_shares()).map(|(s, r)| Opening::new(&s.value().0, &r.value().0)).collect();
    (points, openings)
}

/// Gives the place at which the polynomials are evaluated as the field has it.
pub(super) fn scalar(place: NonZeroU8) -> Scalar {
    Scalar::from(place.get())
}
