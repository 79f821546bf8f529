//! Telling people what becomes of a request: the notice that goes into the batch of the change it tells of.

use super::held::{HeldRequest, State};
use super::judge::Judge;
use crate::engines::{Call, Change};
use crate::notice::{About, AboutRequest, Event, Line, Notice};
use crate::refusal::Refusal;

/// Gives the change that enqueues a notice, where anybody is to be told. `held` is as it is stored with the same batch.
///
/// # Errors
/// Refuses with an internal error if the request is damaged.
pub(crate) fn tell(call: &Call<'_>, held: &HeldRequest, event: Event) -> Result<Option<Change>, Refusal> {
    if !call.tells {
        return Ok(None);
    }
    let stated = held.stated()?;
    let judge = Judge { tables: call.tables, names: call.names, now: call.now };
    let (by, remark) = match (&held.state, event) {
        (State::Denied { by, reason, .. }, _) => (Some(by.as_str()), Some(reason.as_str())),
        (State::Cancelled { by, .. }, _) => (Some(by.as_str()), None),
        (_, Event::Approved) => (held.votes.last().map(|vote| vote.name.as_str()), None),
        _ => (None, None),
    };
    let notice = Notice {
        id: name(held, event),
        at: call.now,
        vault: call.vault,
        about: About::Request(AboutRequest {
            event,
            request: held.id.clone(),
            operation: Line::of(&stated.operation),
            path: Line::of(&stated.path),
            requester: Line::of(&held.requester.name),
            reason: Line::of(&stated.reason),
            waits_for: Line::of(&judge.waits_for(&held.rules)),
            by: by.map(Line::of),
            remark: remark.map(Line::of),
            asked_at: held.created_at,
            expires_at: held.expires_at,
        }),
    };
    notice.enqueue(call.names).map(Some)
}

/// Names a notice. Of what may become of one use only one thing does: should the gate let a request through that then turns
/// out to be stale, the notice of that takes the place of the other in their batch.
fn name(held: &HeldRequest, event: Event) -> String {
    match event {
        Event::Waits | Event::Approved => format!("{}.{}", held.id, event.word()),
        Event::Denied | Event::Cancelled | Event::Released | Event::Stale => {
            format!("{}.use.{}", held.id, held.uses_left)
        }
    }
}
