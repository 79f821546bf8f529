//! What is counted of requests that wait for people: when they begin to, what people say, and when they wait no more.

use super::held::{HeldRequest, State, Weight};
use super::human::Human;
use super::judge::Judge;
use crate::mounts::Tables;
use crate::names::{Folder, Names};
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

/// Something that is counted of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counted {
    /// The request.
    pub request: String,
    /// What became of it.
    pub event: CountedEvent,
}

/// What can become of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CountedEvent {
    /// It waits.
    Waits(Waiting),
    /// Somebody said yes for the first time, and their word counts.
    Approved {
        /// The person of the charter who did; `None` for anybody else.
        person: Option<String>,
        /// Whether that was the last yes that it waited for.
        completes: bool,
    },
    /// Somebody said no, which ended it.
    Denied {
        /// The person of the charter who did; `None` for anybody else.
        person: Option<String>,
    },
    /// It ended otherwise.
    Ended,
}

/// A request that waits, or may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether enough people have agreed, so that it waits for its requester alone.
    pub is_approved: bool,
}

impl Counted {
    pub(super) fn waits(held: &HeldRequest) -> Self {
        Self { request: held.id.clone(), event: CountedEvent::Waits(Waiting::of(held, false)) }
    }

    /// Counts a yes; `None` for one that counts for nothing, or was said before.
    pub(super) fn approved(held: &HeldRequest, by: &Human, (is_first, completes): (bool, bool)) -> Option<Self> {
        let counts = held.votes.iter().any(|vote| vote.human == *by && vote.weight != Weight::Training);
        let event = CountedEvent::Approved { person: by.person().map(str::to_owned), completes };
        (is_first && counts).then(|| Self { request: held.id.clone(), event })
    }

    /// Counts a no.
    pub(crate) fn denied(request: &str, by: &Human) -> Self {
        let event = CountedEvent::Denied { person: by.person().map(str::to_owned) };
        Self { request: request.to_owned(), event }
    }

    /// Counts an end.
    pub(crate) fn ended(request: &str) -> Self {
        Self { request: request.to_owned(), event: CountedEvent::Ended }
    }
}

impl Waiting {
    const fn of(held: &HeldRequest, is_approved: bool) -> Self {
        Self { created_at: held.created_at, expires_at: held.expires_at, is_approved }
    }

    /// Tells how it stands with a request; `None` for one that is over or not there.
    ///
    /// # Errors
    /// Stops when something must be fetched first, and refuses what is damaged.
    pub fn read(
        (tables, names, now): (&Tables, &Names, Timestamp),
        id: &str,
        view: &mut View,
    ) -> Result<Option<Self>, Interrupt> {
        let Some(held) = HeldRequest::read(names, id, view)?.filter(|held| held.is_open(now)) else { return Ok(None) };
        let standing = Judge { tables, names, now }.judge(&held, view)?;
        Ok(Some(Self::of(&held, standing.is_approved)))
    }
}

/// Finds the folder of all requests that wait, or did.
pub fn requests(names: &Names) -> Folder {
    super::held::folder(names)
}

/// Tells whether the last use of a request is spent.
pub(super) fn is_over(held: &HeldRequest) -> bool {
    held.state != State::Open || held.uses_left == 0
}
