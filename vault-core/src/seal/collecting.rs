//! An attempt to unseal: shares come in one by one, each checked on its own.

use std::sync::Arc;

use super::{OpenError, SealConfig, Sealed, Unsealed};
use crate::custody::Custody;
use crate::id::UnsealAttemptId;
use crate::sharing::{Share, ShareError, ShareIndex, VerifiedShare, combine};
use crate::time::Timestamp;

/// An attempt that waits for shares; dropping it wipes them.
pub struct Collecting {
    sealed: Sealed,
    attempt: UnsealAttemptId,
    shares: Vec<VerifiedShare>,
    started_at: Timestamp,
    deadline: Timestamp,
}

/// What a share led to.
#[must_use]
pub enum Step {
    /// More shares are needed.
    More(Collecting),
    /// The vault is unsealed.
    Done(Unsealed),
}

/// What waiting led to.
#[must_use]
pub enum Waited {
    /// The attempt goes on.
    Still(Collecting),
    /// Its time is over; the shares are wiped.
    Expired(Sealed),
}

/// Says why a share did not further the attempt, and where the vault stands now.
pub enum Refused {
    /// The share is not good; the attempt goes on without it.
    Share {
        /// The attempt as it was.
        collecting: Collecting,
        /// What is wrong with the share.
        error: ShareError,
    },
    /// The attempt was over before the share came. The share is handed back, so that a new attempt can begin with it.
    Expired {
        /// The vault, without the shares of the attempt.
        sealed: Sealed,
        /// The share, unchecked.
        share: Share,
    },
    /// There were enough genuine shares, and the vault did not open.
    Damaged {
        /// The vault, without the shares of the attempt.
        sealed: Sealed,
        /// What is damaged.
        error: OpenError,
    },
}

/// Shows how far an attempt is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Names the attempt.
    pub attempt: UnsealAttemptId,
    /// Whose shares were given, in the order of their coming.
    pub given: Vec<ShareIndex>,
    /// How many are needed at least, from the beginning.
    pub needed: u8,
    /// How far the given ones lead: it falls short of `needed` as long as shares are missing.
    pub reached: u8,
    /// How many there are.
    pub total: u8,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// When its shares are wiped.
    pub deadline: Timestamp,
}

impl Collecting {
    pub(super) fn new(sealed: Sealed, attempt: UnsealAttemptId, started_at: Timestamp, deadline: Timestamp) -> Self {
        let shares = Vec::with_capacity(usize::from(sealed.config().threshold().needed()));
        Self { sealed, attempt, shares, started_at, deadline }
    }

    /// Takes a share; the one that completes the quorum opens the vault.
    ///
    /// # Errors
    /// Answers [`Refused`] for a share that is not good, after the deadline, and if the vault is damaged.
    pub fn add(mut self, share: Share, now: Timestamp) -> Result<Step, Refused> {
        if now >= self.deadline {
            return Err(Refused::Expired { sealed: self.sealed, share });
        }
        match self.verify(share) {
            Ok(verified) => self.shares.push(verified),
            Err(error) => return Err(Refused::Share { collecting: self, error }),
        }
        if self.config().commitments().missing(&self.shares) > 0 {
            return Ok(Step::More(self));
        }
        self.open().map(Step::Done)
    }

    /// Ends the attempt if its time is over.
    pub fn expire(self, now: Timestamp) -> Waited {
        if now >= self.deadline { Waited::Expired(self.sealed) } else { Waited::Still(self) }
    }

    /// Gives the attempt up; its shares are wiped.
    #[must_use]
    pub fn reset(self) -> Sealed {
        self.sealed
    }

    /// Gives what is public about the seal.
    pub const fn config(&self) -> &Arc<SealConfig> {
        self.sealed.config()
    }

    /// Gives who holds the shares; none where they were handed out in clear.
    pub const fn custody(&self) -> Option<&Arc<Custody>> {
        self.sealed.custody()
    }

    /// Tells how far the attempt is.
    pub fn progress(&self) -> Progress {
        Progress {
            attempt: self.attempt,
            given: self.shares.iter().map(VerifiedShare::index).collect(),
            needed: self.config().threshold().needed(),
            reached: self.config().progress(&self.shares),
            total: self.config().threshold().total(),
            started_at: self.started_at,
            deadline: self.deadline,
        }
    }

    fn verify(&self, share: Share) -> Result<VerifiedShare, ShareError> {
        let index = share.index();
        let verified = self.config().verify(share)?;
        // Only a genuine share is told that its number was given, so that guessing tells a stranger nothing.
        if self.shares.iter().any(|given| given.index() == index) {
            return Err(ShareError::IndexAlreadyGiven { index });
        }
        Ok(verified)
    }

    fn open(self) -> Result<Unsealed, Refused> {
        match combine(&self.shares, self.config().commitments()) {
            Ok(secret) => self.sealed.open(&secret).map_err(|(sealed, error)| Refused::Damaged { sealed, error }),
            Err(error) => Err(Refused::Damaged { sealed: self.sealed, error: OpenError::Combine(error) }),
        }
    }
}
