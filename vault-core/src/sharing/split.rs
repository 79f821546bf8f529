//! Splits a secret into shares.

use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;
use vsss_rs::pedersen::{self, PedersenOptions, PedersenResult, StdPedersenResult};
use vsss_rs::{IdentifierPrimeField, PedersenVerifierSet, Share as _, ValueGroup};
use zeroize::Zeroize;

use super::commitments::{Commitments, blinding_generator};
use super::dealer::{PolynomialPoint, Verifier};
use super::secret::{Opening, UnsealSecret};
use super::share::Share;
use super::threshold::{ShareIndex, Threshold};
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
    threshold: Threshold,
    vault: VaultFingerprint,
    epoch: Epoch,
    rng: &mut dyn CryptoRng,
) -> Result<(Commitments, Vec<Share>), SplitError> {
    let (points, openings) = split_opening(&secret.0, threshold, rng)?;
    let commitments = Commitments::from_points(points, threshold).map_err(|_| SplitError::Faulty)?;
    let shares: Vec<Share> = openings
        .into_iter()
        .zip(threshold.indices())
        .map(|(opening, index)| Share::new(vault, epoch, index, opening))
        .collect();
    let sound = secret.0.opens(commitments.to_secret())
        && shares.len() == usize::from(threshold.total())
        && shares.iter().all(|share| commitments.admit(share));
    if sound { Ok((commitments, shares)) } else { Err(SplitError::Faulty) }
}

/// Splits any opening, which may itself be a share, into openings at the indices from 1 on.
fn split_opening(
    secret: &Opening,
    threshold: Threshold,
    rng: &mut dyn CryptoRng,
) -> Result<(Vec<RistrettoPoint>, Vec<Opening>), SplitError> {
    if threshold.needed() == 1 {
        // vsss-rs refuses polynomials of degree 0. They are constant: each share is the secret itself.
        let openings = threshold.indices().map(|_| Opening::new(secret.value(), secret.blinding())).collect();
        return Ok((vec![secret.commit()], openings));
    }
    let identifiers = threshold.indices().map(|index| IdentifierPrimeField(place(index)));
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

/// Gives the place at which the polynomials are evaluated for a share.
pub(super) fn place(index: ShareIndex) -> Scalar {
    Scalar::from(index.get())
}
