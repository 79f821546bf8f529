//! Attempts at a ceremony of the custodians, side by side: each is named by its nonce and collects shares of its own.
//!
//! Anybody may begin one, as stock command lines do so without a token. So that this lets nobody stand in the way of
//! others, a stranger's attempt displaces only what strangers left without a share, and only a privileged caller
//! cancels what is not their own: docs/decisions/0010-attempts-of-ceremonies-run-side-by-side.md.

use super::{OpenError, SealConfig};
use crate::id::AttemptId;
use crate::keys;
use crate::network::Network;
use crate::sharing::{Share, ShareError, ShareIndex, VerifiedShare, combine};
use crate::time::{Span, Timestamp};

/// Most attempts of one kind at a time: far more than custodians need, little enough to hold in memory.
pub const ATTEMPTS_MAX: usize = 32;

/// Most attempts without a share that strangers from one network hold.
pub const SHARELESS_PER_NETWORK_MAX: usize = 2;

/// Most attempts of strangers that hold one share only and the same one, so that one custodian cannot fill the list.
pub const SAME_SOLE_SHARE_MAX: usize = 2;

/// Who begins or cancels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Party {
    /// Where they come from.
    pub network: Network,
    /// Whether they showed a token that may do so by policy.
    pub privileged: bool,
}

/// Attempts of one kind. `P` is what they are for. Dropping it wipes every share.
pub struct Attempts<P> {
    span: Span,
    /// The oldest first.
    running: Vec<Attempt<P>>,
}

struct Attempt<P> {
    id: AttemptId,
    by: Party,
    purpose: P,
    shares: Vec<VerifiedShare>,
    deadline: Timestamp,
}

/// What is shown of an attempt.
pub struct Shown<'a, P> {
    /// Names it.
    pub id: AttemptId,
    /// The shares that have come.
    pub shares: &'a [VerifiedShare],
    /// What it is for.
    pub purpose: &'a P,
}

/// Says that there is no room for another attempt.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{ATTEMPTS_MAX} attempts run already and none can make room: give shares to one of them, or cancel some")]
pub struct Full;

/// Says why a share was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OfferError {
    /// The nonce names none.
    #[error("no attempt with this nonce is running: it may have ended; see the status for those that are")]
    NoSuchAttempt,
    /// The share is not good.
    #[error(transparent)]
    Share(#[from] ShareError),
}

/// A share that is genuine and new to its attempt. It counts once it is taken, so that its record can come first.
#[must_use = "an offered share counts once it is taken"]
pub struct Offered {
    attempt: AttemptId,
    share: VerifiedShare,
    displaces: Option<AttemptId>,
}

impl Offered {
    /// Gives the number of the share.
    pub const fn index(&self) -> u8 {
        self.share.index().get()
    }

    /// Names the attempt with the same sole share that makes room.
    pub const fn displaces(&self) -> Option<AttemptId> {
        self.displaces
    }
}

/// What a share led to.
#[must_use]
pub enum Taken<P> {
    /// More are needed.
    More,
    /// Enough custodians agree; the attempt is over.
    Enough(Quorum<P>),
}

/// Proof that enough custodians gave their shares for a purpose; used up by the act.
#[must_use = "a quorum is there for an act"]
pub struct Quorum<P> {
    purpose: P,
}

impl<P> Quorum<P> {
    /// Shows what the custodians agreed to.
    pub const fn purpose(&self) -> &P {
        &self.purpose
    }

    pub(super) fn into_purpose(self) -> P {
        self.purpose
    }
}

impl<P> Attempt<P> {
    const fn is_strangers_without_share(&self) -> bool {
        self.shares.is_empty() && !self.by.privileged
    }

    fn has_only(&self, index: ShareIndex) -> bool {
        matches!(self.shares.as_slice(), [only] if only.index() == index) && !self.by.privileged
    }
}

impl<P> Attempts<P> {
    /// Holds none yet; each will end after `span`.
    pub const fn new(span: Span) -> Self {
        Self { span, running: Vec::new() }
    }

    /// Ends every attempt whose time is over; its shares are wiped.
    pub fn expire(&mut self, now: Timestamp) {
        self.running.retain(|attempt| now < attempt.deadline);
    }

    /// Ends every attempt.
    pub fn clear(&mut self) {
        self.running.clear();
    }

    /// Names the attempt that makes room if `by` begins another; `None` if there is room.
    ///
    /// # Errors
    /// Answers [`Full`] when nothing can make room.
    pub fn displaced_by(&self, by: Party) -> Result<Option<AttemptId>, Full> {
        let mut own = self.running.iter().filter(|attempt| {
            attempt.is_strangers_without_share() && attempt.by.network == by.network && !by.privileged
        });
        let oldest = own.next();
        if own.count() + 1 >= SHARELESS_PER_NETWORK_MAX && oldest.is_some() {
            return Ok(oldest.map(|attempt| attempt.id));
        }
        if self.running.len() < ATTEMPTS_MAX {
            return Ok(None);
        }
        let shareless = self.running.iter().find(|attempt| attempt.is_strangers_without_share());
        shareless.map(|attempt| Some(attempt.id)).ok_or(Full)
    }

    /// Begins an attempt, which `id` names, and gives the one that made room.
    ///
    /// # Errors
    /// Answers [`Full`] when nothing can make room.
    pub fn begin(&mut self, id: AttemptId, purpose: P, by: Party, now: Timestamp) -> Result<Option<AttemptId>, Full> {
        let displaced = self.displaced_by(by)?;
        self.running.retain(|attempt| Some(attempt.id) != displaced);
        let deadline = now.after(self.span);
        self.running.push(Attempt { id, by, purpose, shares: Vec::new(), deadline });
        Ok(displaced)
    }

    /// Shows the attempt that is named; else one that a privileged caller began before others, then the one with the
    /// most shares, then the newest.
    pub fn shown(&self, named: Option<AttemptId>) -> Option<Shown<'_, P>> {
        let attempt = match named {
            Some(id) => self.running.iter().find(|attempt| attempt.id == id),
            // Of several that are equal, the last one is the greatest: the newest.
            None => self.running.iter().max_by_key(|attempt| (attempt.by.privileged, attempt.shares.len())),
        }?;
        Some(Shown { id: attempt.id, shares: &attempt.shares, purpose: &attempt.purpose })
    }

    /// Checks a share for an attempt.
    ///
    /// # Errors
    /// Answers [`OfferError`] for an attempt that is not running and for a share that is not good or was given before.
    pub fn check(
        &self,
        id: AttemptId,
        share: Share,
        config: &SealConfig,
        now: Timestamp,
    ) -> Result<Offered, OfferError> {
        let running = self.running.iter().find(|attempt| attempt.id == id && now < attempt.deadline);
        let attempt = running.ok_or(OfferError::NoSuchAttempt)?;
        let index = share.index();
        let share = config.verify(share)?;
        // Only a genuine share is told that its number was given, so that guessing tells a stranger nothing.
        if attempt.shares.iter().any(|given| given.index() == index) {
            return Err(ShareError::IndexAlreadyGiven { index }.into());
        }
        let is_first = attempt.shares.is_empty() && !attempt.by.privileged;
        let mut alike = self.running.iter().filter(|other| is_first && other.id != id && other.has_only(index));
        let oldest = alike.next();
        let crowded = alike.count() + 1 >= SAME_SOLE_SHARE_MAX;
        Ok(Offered { attempt: id, share, displaces: oldest.filter(|_| crowded).map(|attempt| attempt.id) })
    }

    /// Counts a share. The one that completes the quorum ends the attempt.
    ///
    /// # Errors
    /// Answers [`OpenError`] when there are enough genuine shares and they do not give the secret of the vault.
    pub fn take(&mut self, offered: Offered, config: &SealConfig) -> Result<Taken<P>, OpenError> {
        self.running.retain(|attempt| Some(attempt.id) != offered.displaces);
        let Some(position) = self.running.iter().position(|attempt| attempt.id == offered.attempt) else {
            return Ok(Taken::More);
        };
        if let Some(attempt) = self.running.get_mut(position) {
            attempt.shares.push(offered.share);
            if config.commitments().missing(&attempt.shares) > 0 {
                return Ok(Taken::More);
            }
        }
        let Attempt { shares, purpose, .. } = self.running.remove(position);
        let secret = combine(&shares, config.commitments()).map_err(OpenError::Combine)?;
        if !config.has_key_check(&keys::key_check(&secret.to_key(), config.vault())) {
            return Err(OpenError::KeyCheck);
        }
        Ok(Taken::Enough(Quorum { purpose }))
    }

    /// Tells whether `by` may cancel an attempt: a privileged caller any, a stranger one of strangers from the same
    /// network that holds no share.
    pub fn may_cancel(&self, id: AttemptId, by: Party) -> bool {
        let own = |attempt: &Attempt<P>| attempt.is_strangers_without_share() && attempt.by.network == by.network;
        self.running.iter().any(|attempt| attempt.id == id && (by.privileged || own(attempt)))
    }

    /// Cancels an attempt if `by` may; its shares are wiped. Tells whether it did.
    pub fn cancel(&mut self, id: AttemptId, by: Party) -> bool {
        let may = self.may_cancel(id, by);
        self.running.retain(|attempt| !may || attempt.id != id);
        may
    }
}

#[cfg(test)]
mod tests;
