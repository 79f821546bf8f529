//! The chain of charters: each is signed by the quorum `charter` of the one before, the first by its own.

use super::quorum::Missing;
use super::{Charter, CharterError, Digest, PAYLOAD_TYPE, PersonSet};
use crate::envelope::{Envelope, EnvelopeError};

/// Most charters in a chain; one a day for more than ten years.
pub const CHAIN_LENGTH_MAX: usize = 4096;

/// A chain whose every signature was verified.
#[derive(Clone, Debug)]
pub struct Chain {
    links: Vec<Link>,
}

/// A charter of a chain, and who signed it.
#[derive(Clone, Debug)]
pub struct Link {
    /// The charter.
    pub charter: Charter,
    /// Who signed it, by the names of the charter that judged the signatures.
    pub signers: Vec<String>,
}

/// Says at which epoch a chain breaks, and why.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("epoch {epoch}: {problem}")]
pub struct ChainError {
    /// The epoch that is due where the chain breaks.
    pub epoch: u32,
    /// Why.
    pub problem: ChainProblem,
}

/// Why a chain breaks.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChainProblem {
    /// There is nothing to verify.
    #[error("no charter was given")]
    Empty,
    /// There are too many.
    #[error("the chain is longer than {CHAIN_LENGTH_MAX} charters")]
    TooLong,
    /// The document is no charter.
    #[error("the charter, line and column {0}")]
    Charter(#[from] CharterError),
    /// Another epoch is due.
    #[error("the charter given here is of epoch {found}")]
    Epoch {
        /// The epoch that it names.
        found: u32,
    },
    /// It follows another charter.
    #[error("it follows a charter with the digest {found}, but the one before has {expected}")]
    Previous {
        /// The digest that it names.
        found: Digest,
        /// The digest of the one before.
        expected: Digest,
    },
    /// The envelope or a signature is bad.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// Too few have signed.
    #[error("signatures are missing: {} (quorum `charter` of epoch {judge}: {rule})", missing_text(.missing))]
    Missing {
        /// How many of which teams.
        missing: Vec<Missing>,
        /// The epoch of the charter whose quorum it is.
        judge: u32,
        /// That quorum.
        rule: String,
    },
}

/// Says what is missing in words: `1 more of security and 2 more of operations`.
pub fn missing_text(missing: &[Missing]) -> String {
    let parts: Vec<_> = missing.iter().map(|missing| format!("{} more of {}", missing.count, missing.team)).collect();
    parts.join(" and ")
}

/// A charter on its way to be the next one: what was checked of it, and what is missing.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The charter.
    pub charter: Charter,
    /// Who has signed, of the people of the charter that judges.
    pub signers: PersonSet,
    /// What is missing; nothing once it is signed by enough.
    pub missing: Vec<Missing>,
}

/// Judges an envelope as the charter after `before`, or as a first one, however few have signed.
///
/// # Errors
/// Answers [`ChainProblem`] for all but missing signatures.
pub fn judge(envelope: &Envelope, before: Option<&Charter>) -> Result<Standing, ChainProblem> {
    envelope.is_of_type(PAYLOAD_TYPE)?;
    let charter = Charter::parse(envelope.payload())?;
    let due = before.map_or(Some(1), |before| before.epoch().checked_add(1));
    if Some(charter.epoch()) != due {
        return Err(ChainProblem::Epoch { found: charter.epoch() });
    }
    // A first charter without `previous` and later ones with it: reading has seen to that.
    if let (Some(found), Some(before)) = (charter.previous(), before)
        && found != before.digest()
    {
        return Err(ChainProblem::Previous { found, expected: before.digest() });
    }
    let judge = before.unwrap_or(&charter);
    let signers = envelope.signers(PAYLOAD_TYPE, judge)?;
    let missing = if judge.charter().is_met_by(&signers) { Vec::new() } else { judge.charter().missing(&signers) };
    Ok(Standing { charter, signers, missing })
}

impl Chain {
    /// Verifies a chain from the first charter to the last.
    ///
    /// Whether the first is the right one no signature says: compare its digest.
    ///
    /// # Errors
    /// Answers [`ChainError`] for the first epoch that does not follow from the one before.
    pub fn verify<'e>(envelopes: impl IntoIterator<Item = &'e Envelope>) -> Result<Self, ChainError> {
        let mut envelopes = envelopes.into_iter();
        let first = envelopes.next().ok_or(ChainError { epoch: 1, problem: ChainProblem::Empty })?;
        let link = accept(first, None).map_err(|problem| ChainError { epoch: 1, problem })?;
        let mut chain = Self { links: vec![link] };
        envelopes.try_for_each(|envelope| chain.extend(envelope))?;
        Ok(chain)
    }

    /// Adds the next charter.
    ///
    /// # Errors
    /// Answers [`ChainError`] if it does not follow from the last; the chain is then as before.
    pub fn extend(&mut self, envelope: &Envelope) -> Result<(), ChainError> {
        let epoch = u32::try_from(self.links.len()).unwrap_or(u32::MAX).saturating_add(1);
        let error = |problem| ChainError { epoch, problem };
        if self.links.len() >= CHAIN_LENGTH_MAX {
            return Err(error(ChainProblem::TooLong));
        }
        self.links.push(accept(envelope, self.links.last().map(|link| &link.charter)).map_err(error)?);
        Ok(())
    }

    /// Gives the charters from the first to the last; there is at least one.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Gives the charter in force.
    pub fn last(&self) -> Option<&Charter> {
        self.links.last().map(|link| &link.charter)
    }
}

/// Accepts an envelope as the charter after `before`, or as a first one, if enough have signed.
///
/// # Errors
/// Answers [`ChainProblem`] if it is not the next one, or if signatures are bad or missing.
pub fn accept(envelope: &Envelope, before: Option<&Charter>) -> Result<Link, ChainProblem> {
    let Standing { charter, signers, missing } = judge(envelope, before)?;
    let judge = before.unwrap_or(&charter);
    if !judge.charter().is_met_by(&signers) {
        let (judge, rule) = (judge.epoch(), judge.charter().text().to_owned());
        return Err(ChainProblem::Missing { missing, judge, rule });
    }
    let signers = signers.iter().map(|person| judge.name_of(person)).collect();
    Ok(Link { charter, signers })
}
