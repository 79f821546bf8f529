//! Requests that wait for people, and what people say of them.
//!
//! What waits is known from the events of the requests themselves; a census of the store begins it after unsealing, and
//! puts right what went by unseen.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use vault_core::approval::{Counted, CountedEvent, Waiting};
use vault_core::time::Timestamp;

/// Most requests that are followed; one human has at most 32 open.
const FOLLOWED_MAX: usize = 100_000;

/// The states that requests are counted by.
pub(super) const STATES: [&str; 2] = ["waiting", "approved"];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// A person of the charter; the empty name is everybody else.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct PersonLabel {
    person: String,
}

/// What is counted of people and of what waits for them.
pub(crate) struct PeopleMetrics {
    followed: Mutex<Followed>,
    held: Family<StateLabel, Gauge>,
    oldest_age: Gauge,
    approvals: Family<PersonLabel, Counter>,
    denials: Family<PersonLabel, Counter>,
}

#[derive(Default)]
struct Followed {
    open: BTreeMap<String, Waiting>,
    /// What has happened since a census began; `None` while there is none.
    since: Option<Vec<Counted>>,
}

impl Followed {
    fn happened(&mut self, counted: &Counted) {
        match &counted.event {
            CountedEvent::Waits(waiting) if self.open.len() < FOLLOWED_MAX => {
                self.open.insert(counted.request.clone(), *waiting);
            }
            CountedEvent::Approved { completes: true, .. } => {
                if let Some(waiting) = self.open.get_mut(&counted.request) {
                    waiting.is_approved = true;
                }
            }
            CountedEvent::Waits(_) | CountedEvent::Approved { .. } => {}
            CountedEvent::Denied { .. } | CountedEvent::Ended => drop(self.open.remove(&counted.request)),
        }
    }
}

impl PeopleMetrics {
    /// Lists the metrics; `named` are those with people among their labels.
    pub(super) fn register(registry: &mut Registry, named: &mut Registry) -> Self {
        let (held, approvals, denials) =
            (Family::<StateLabel, Gauge>::default(), Family::default(), Family::<PersonLabel, Counter>::default());
        let made = Self {
            followed: Mutex::default(),
            held: held.clone(),
            oldest_age: Gauge::default(),
            approvals: approvals.clone(),
            denials: denials.clone(),
        };
        for state in STATES {
            drop(held.get_or_create(&StateLabel { state }));
        }
        let nobody = PersonLabel { person: String::new() };
        drop((approvals.get_or_create(&nobody), denials.get_or_create(&nobody)));
        registry.register("requests_held", "Requests that wait for people, or were agreed to and not yet used", held);
        let help = "How long the oldest of those that wait for people has waited; 0 if none does";
        registry.register_with_unit("requests_held_oldest_age", help, Unit::Seconds, made.oldest_age.clone());
        let help = "Approvals of held requests, by person of the charter";
        named.register("request_approvals", help, approvals);
        named.register("request_denials", "Denials of held requests, by person of the charter", denials);
        made
    }

    /// Counts what became of a request.
    pub(crate) fn happened(&self, counted: &Counted) {
        let label = |person: &Option<String>| PersonLabel { person: person.clone().unwrap_or_default() };
        match &counted.event {
            CountedEvent::Approved { person, .. } => drop(self.approvals.get_or_create(&label(person)).inc()),
            CountedEvent::Denied { person } => drop(self.denials.get_or_create(&label(person)).inc()),
            CountedEvent::Waits(_) | CountedEvent::Ended => {}
        }
        let mut followed = self.followed();
        followed.happened(counted);
        if let Some(since) = &mut followed.since {
            since.push(counted.clone());
        }
    }

    /// Begins a census: what happens from now on is newer than what it finds.
    pub(crate) fn census_begins(&self) {
        self.followed().since = Some(Vec::new());
    }

    /// Takes what a census has found, unless the vault was sealed meanwhile.
    pub(crate) fn census_ends(&self, open: BTreeMap<String, Waiting>) {
        let mut followed = self.followed();
        if let Some(since) = followed.since.take() {
            followed.open = open;
            since.iter().for_each(|counted| followed.happened(counted));
        }
    }

    /// Forgets what waits: a sealed vault does not know.
    pub(crate) fn forget(&self) {
        *self.followed() = Followed::default();
    }

    /// Shows how it stands now: requests end by themselves.
    pub(super) fn refresh(&self, now: Timestamp) {
        let mut followed = self.followed();
        followed.open.retain(|_, waiting| now < waiting.expires_at);
        let oldest =
            followed.open.values().filter(|waiting| !waiting.is_approved).map(|waiting| waiting.created_at).min();
        let approved = followed.open.values().filter(|waiting| waiting.is_approved).count();
        let counts = [followed.open.len().saturating_sub(approved), approved];
        drop(followed);
        for (state, count) in STATES.into_iter().zip(counts) {
            self.held.get_or_create(&StateLabel { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let age = oldest.map_or(0, |oldest| now.unix_seconds().saturating_sub(oldest.unix_seconds()).max(0));
        self.oldest_age.set(age);
    }

    fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn made() -> PeopleMetrics {
        PeopleMetrics::register(&mut Registry::default(), &mut Registry::default())
    }

    fn waiting(created: i64, expires: i64) -> Waiting {
        Waiting { created_at: Timestamp(created * SECOND), expires_at: Timestamp(expires * SECOND), is_approved: false }
    }

    fn event(request: &str, event: CountedEvent) -> Counted {
        Counted { request: request.to_owned(), event }
    }

    fn seen(metrics: &PeopleMetrics, now: i64) -> (i64, i64, i64) {
        metrics.refresh(Timestamp(now * SECOND));
        let held = |state| metrics.held.get_or_create(&StateLabel { state }).get();
        (held("waiting"), held("approved"), metrics.oldest_age.get())
    }

    fn approved(person: Option<&str>, completes: bool) -> CountedEvent {
        CountedEvent::Approved { person: person.map(str::to_owned), completes }
    }

    #[test]
    fn requests_are_followed_from_asking_to_their_end() {
        let metrics = made();
        assert_eq!(seen(&metrics, 100), (0, 0, 0));
        metrics.happened(&event("a", CountedEvent::Waits(waiting(100, 200))));
        metrics.happened(&event("b", CountedEvent::Waits(waiting(110, 150))));
        assert_eq!(seen(&metrics, 120), (2, 0, 20));
        metrics.happened(&event("a", approved(Some("ben"), false)));
        assert_eq!(seen(&metrics, 120), (2, 0, 20));
        metrics.happened(&event("a", approved(None, true)));
        assert_eq!(seen(&metrics, 120), (1, 1, 10));
        assert_eq!(seen(&metrics, 150), (0, 1, 0), "b ends by itself");
        metrics.happened(&event("a", CountedEvent::Ended));
        metrics.happened(&event("c", CountedEvent::Denied { person: Some("ben".to_owned()) }));
        assert_eq!(seen(&metrics, 150), (0, 0, 0));
        let of = |family: &Family<PersonLabel, Counter>, person: &str| {
            family.get_or_create(&PersonLabel { person: person.to_owned() }).get()
        };
        assert_eq!((of(&metrics.approvals, "ben"), of(&metrics.approvals, "")), (1, 1));
        assert_eq!((of(&metrics.denials, "ben"), of(&metrics.denials, "")), (1, 0));
    }

    #[test]
    fn what_happens_during_a_census_is_newer_than_what_it_finds() {
        let metrics = made();
        metrics.census_begins();
        metrics.happened(&event("new", CountedEvent::Waits(waiting(100, 200))));
        metrics.happened(&event("old", CountedEvent::Ended));
        let found = BTreeMap::from([("old".to_owned(), waiting(50, 200)), ("other".to_owned(), waiting(90, 200))]);
        metrics.census_ends(found.clone());
        assert_eq!(seen(&metrics, 100), (2, 0, 10));
        metrics.census_begins();
        metrics.forget();
        metrics.census_ends(found);
        assert_eq!(seen(&metrics, 100), (0, 0, 0), "a vault that was sealed meanwhile tells nothing");
    }
}
