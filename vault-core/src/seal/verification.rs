//! The verification that ends a rekey where it is asked for: enough of the new shares must come back before anything
//! is committed, so that a vault is never left to shares that nobody has kept.

use std::sync::Arc;

use super::SealConfig;
use super::attempts::OfferError;
use super::renew::NewSeal;
use crate::id::AttemptId;
use crate::sharing::{Share, ShareError, VerifiedShare, combine};
use crate::time::Timestamp;

/// New shares that wait to be given back; dropping it wipes them and leaves the old ones in force.
pub struct Verification {
    nonce: AttemptId,
    new: NewSeal,
    shares: Vec<VerifiedShare>,
    deadline: Timestamp,
}

/// A new share that is genuine and was not given before.
#[must_use = "an offered share counts once it is taken"]
pub struct Returned(VerifiedShare);

impl Returned {
    /// Gives the number of the share.
    pub const fn index(&self) -> u8 {
        self.0.index().get()
    }
}

/// What a returned share led to.
#[must_use]
pub enum Verified {
    /// More are needed.
    More(Verification),
    /// Enough custodians hold their new shares.
    Enough(NewSeal),
    /// The shares are genuine one by one and do not combine; nothing was committed.
    Faulty,
}

impl Verification {
    /// Begins, `nonce` naming it.
    pub const fn begin(nonce: AttemptId, new: NewSeal, deadline: Timestamp) -> Self {
        Self { nonce, new, shares: Vec::new(), deadline }
    }

    /// Names the verification.
    pub const fn nonce(&self) -> AttemptId {
        self.nonce
    }

    /// Gives what is public about the new shares.
    pub const fn config(&self) -> &Arc<SealConfig> {
        self.new.config()
    }

    /// Tells how far the shares that have come back lead.
    pub fn progress(&self) -> u8 {
        self.config().progress(&self.shares)
    }

    /// Tells whether its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.deadline
    }

    /// Begins anew under another name; the new shares stay what they are.
    pub fn restart(&mut self, nonce: AttemptId, deadline: Timestamp) {
        self.nonce = nonce;
        self.shares.clear();
        self.deadline = deadline;
    }

    /// Checks a new share.
    ///
    /// # Errors
    /// Answers [`OfferError`] for another name and for a share that is not good or was given before.
    pub fn check(&self, nonce: AttemptId, share: Share, now: Timestamp) -> Result<Returned, OfferError> {
        if nonce != self.nonce || self.is_over(now) {
            return Err(OfferError::NoSuchAttempt);
        }
        let index = share.index();
        let verified = self.config().verify(share)?;
        if self.shares.iter().any(|given| given.index() == index) {
            return Err(ShareError::IndexAlreadyGiven { index }.into());
        }
        Ok(Returned(verified))
    }

    /// Counts a new share.
    pub fn take(mut self, returned: Returned) -> Verified {
        self.shares.push(returned.0);
        if self.config().commitments().missing(&self.shares) > 0 {
            return Verified::More(self);
        }
        match combine(&self.shares, self.config().commitments()) {
            Ok(_) => Verified::Enough(self.new),
            Err(_) => Verified::Faulty,
        }
    }
}
