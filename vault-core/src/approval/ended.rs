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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::approval::held::Base;
    use crate::approval::{Human, Requester};
    use crate::auth::token::{Issuers, TokenId};
    use crate::engines::test_store::{START, TestStore};
    use crate::id::EntityId;
    use crate::record_format;
    use crate::secret::SecretBytes;

    fn held(state: State, expires_at: Timestamp) -> HeldRequest {
        let entity = EntityId([7; 16]);
        let token = TokenId::from_stored("t");
        let (human, name) = (Human::Entity(entity), "ann".to_owned());
        HeldRequest {
            id: "a".to_owned(),
            wrapping: TokenId::from_stored("w"),
            statement: String::new(),
            salt: [1; 32],
            requester: Requester { human, entity, name, token, issued_by: None },
            rules: Vec::new(),
            base: Some(Base::default()),
            shown: "{\"fields\":[1]}".to_owned(),
            state,
            uses_left: 1,
            votes: Vec::new(),
            comments: Vec::new(),
            created_at: START,
            expires_at,
        }
    }

    fn any_state() -> impl Strategy<Value = State> {
        let by = "ben".to_owned();
        prop_oneof![
            3 => Just(State::Open),
            1 => Just(State::Cancelled { by: by.clone(), at: START }),
            1 => Just(State::Denied { by, at: START, reason: String::new() }),
            1 => Just(State::Released { at: START }),
            1 => Just(State::Stale { at: START }),
        ]
    }

    fn swept(store: &mut TestStore, now: Timestamp) -> Option<HeldRequest> {
        let changes = store.read(|view| sweep_request(&store.names, "a", now, view)).unwrap();
        store.apply(changes);
        store.read(|view| HeldRequest::read(&store.names, "a", view)).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_open_stays_and_what_has_ended_stays_ended(
            state in any_state(),
            life in 1..3_000_000_u64,
            moments in proptest::collection::vec(0..6_000_000_u64, 1..6),
        ) {
            let mut store = TestStore::new();
            let before = held(state, START.after(Span(life)));
            store.apply(vec![before.store(&store.names).unwrap()]);
            let mut was_over = before.state != State::Open;
            for moment in moments {
                let now = START.after(Span(moment));
                was_over |= moment >= life;
                match swept(&mut store, now) {
                    Some(left) => {
                        prop_assert_eq!(left.is_open(now), !was_over);
                        prop_assert_eq!(left.has_matter(), !was_over);
                        prop_assert!(now < left.ended_at(now).unwrap_or(now).after(ENDED_SPAN_MAX));
                    }
                    None => {
                        prop_assert!(was_over && moment >= ENDED_SPAN_MAX.0);
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn a_request_from_before_issuers_is_read_and_swept_clean() {
        let mut store = TestStore::new();
        let old = held(State::Released { at: START }, START.after(Span(60)));
        let payload = record_format::encode(1, &old).unwrap();
        store.apply(vec![Change::Put {
            slot: slot(&store.names, "a"),
            payload: SecretBytes::new(payload.expose().to_vec()),
        }]);
        let read = store.read(|view| HeldRequest::read(&store.names, "a", view)).unwrap().unwrap();
        assert_eq!(read.requester.issued_by, Some(Issuers::UNTOLD));
        assert!(read.has_matter());
        assert!(!swept(&mut store, START.after(Span(60))).unwrap().has_matter());
    }
}
