//! What stays of requests that have ended: for some time and some number of each requester, as their history; the audit log has all
//! of them for good.

use super::held::{HeldRequest, State, slot};
use super::votes::take_away;
use crate::engines::Change;
use crate::names::Names;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

/// How long a request is kept after its end.
pub(super) const ENDED_SPAN_MAX: Span = Span(30 * 24 * 3600);

/// Most ended requests of one human that are kept, the last ones: each is read whenever anybody lists requests.
pub(super) const ENDED_MAX: usize = 100;

/// Looks after one request for the sweep: closes it for good once its time is up, whatever the clock says later, and removes
/// it when it has been kept for long enough. What is open stays as it is.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub fn sweep_request(names: &Names, id: &str, now: Timestamp, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let Some(mut held) = HeldRequest::read(names, id, view)? else { return Ok(Vec::new()) };
    let Some(ended_at) = held.ended_at(now) else { return Ok(Vec::new()) };
    if now >= ended_at.after(ENDED_SPAN_MAX) {
        let mut changes = take_away(names, &held, view)?;
        changes.push(Change::Delete { slot: slot(names, id) });
        return Ok(changes);
    }
    let mut changes = Vec::new();
    if held.state == State::Open {
        held.state = State::Expired { at: ended_at };
        changes = take_away(names, &held, view)?;
        changes.push(held.store(names)?);
    } else if held.has_matter() {
        // It ended before rows were cleared at their end.
        changes.push(held.store(names)?);
    }
    Ok(changes)
}

/// Gives the changes that remove requests which are kept no longer.
pub(super) fn remove(names: &Names, ids: Vec<String>) -> impl Iterator<Item = Change> {
    ids.into_iter().map(|id| Change::Delete { slot: slot(names, &id) })
}
