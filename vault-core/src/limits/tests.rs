use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::auth::{Identity, Sender};
use crate::engines::Change;
use crate::engines::test_store::{START, TestStore, data, mount, token};
use crate::identity::Groups;
use crate::mounts::{Mount, Tables};
use crate::notice::{self, About, Outgoing, Turn};
use crate::refusal::Class;
use crate::reply::Reply;
use crate::request::Operation;
use crate::secret::SecretBytes;
use crate::time::Span;

const HOUR: Span = Span(3600);

/// A vault in memory with secrets in both versions of the engine, and a reader for each name.
struct House {
    store: TestStore,
    mounts: [Mount; 2],
}

fn limit(name: &str, metric: Metric, path: &str, soft: Option<u64>, hard: Option<u64>) -> Limit {
    let path = metric.has_path().then_some(path);
    Limit { soft, hard, ..Limit::new(name, metric, path, START).unwrap() }
}

impl House {
    fn new(limits: Vec<Limit>) -> Self {
        let mut versioned = mount("secret/", "kv", "2");
        versioned.id = MountId([2; 16]);
        let mut house = Self { store: TestStore::new(), mounts: [mount("kv/", "kv", "1"), versioned] };
        house.limit(limits);
        for path in ["kv/a", "kv/b", "kv/c"] {
            house.ask("ann", Operation::Write, path, Some(r#"{"x":"1"}"#)).unwrap();
        }
        for path in ["secret/data/a", "secret/data/b"] {
            house.ask("ann", Operation::Write, path, Some(r#"{"data":{"x":"1"}}"#)).unwrap();
        }
        house
    }

    fn limit(&mut self, limits: Vec<Limit>) {
        let canaries = std::mem::take(&mut self.limits().canaries);
        let mut limits = Limits::new(limits).unwrap();
        limits.canaries = canaries;
        self.store.tables = Tables::new(self.mounts.clone(), [], Groups::default()).with_limits(limits);
    }

    fn limits(&mut self) -> Limits {
        let tables = std::mem::take(&mut self.store.tables);
        tables.into_limits()
    }

    fn ask(&mut self, who: &str, operation: Operation, path: &str, body: Option<&str>) -> Result<Reply, Refusal> {
        let sender = Identity::for_test(who, token(&["root"]), &self.store.names);
        self.ask_as(&sender, operation, path, body)
    }

    fn ask_as(
        &mut self,
        sender: &Sender,
        operation: Operation,
        path: &str,
        body: Option<&str>,
    ) -> Result<Reply, Refusal> {
        let mount = self.mounts.iter().find(|mount| path.starts_with(&mount.path)).unwrap().clone();
        let mut request = self.store.request(operation, path, body, None);
        request.id = crate::id::RequestId(self.store.rng_bytes());
        let engine = crate::engines::find(&mount.kind).unwrap();
        self.store.run(engine, &mount, sender, &request)
    }

    fn read(&mut self, who: &str, path: &str) -> Result<Reply, Refusal> {
        self.ask(who, Operation::Read, path, None)
    }

    /// The tallies that there are.
    fn tallies(&self) -> Vec<String> {
        self.store.names_in(&tally::folder(&self.store.names))
    }

    fn teller(&self) -> Teller<'_> {
        Teller { names: &self.store.names, now: self.store.now, vault: VaultId([1; 16]), tells: true }
    }

    fn sweep(&mut self) {
        for name in self.tallies() {
            let limits = self.store.tables.limits();
            let swept = self.store.read(|view| tally::sweep(limits, &self.teller(), &name, view)).unwrap();
            self.store.apply(swept.changes);
        }
    }

    /// What people were told of limits: the turn and the level.
    fn told(&self) -> Vec<(Turn, Level)> {
        let mut told: Vec<_> = self
            .notices()
            .into_iter()
            .filter_map(|notice| match notice.about {
                About::Limit(limit) => Some((notice.at, limit.turn as u8, limit.turn, limit.level)),
                About::Request(_) | About::Canary(_) => None,
            })
            .collect();
        told.sort_unstable_by_key(|(at, rank, _, level)| (*at, *rank, *level));
        told.into_iter().map(|(_, _, turn, level)| (turn, level)).collect()
    }

    fn notices(&self) -> Vec<notice::Notice> {
        let names = self.store.names_in(&notice::folder(&self.store.names));
        let read = |id: &String| self.store.read(|view| Outgoing::read(&self.store.names, id, view)).unwrap().unwrap();
        names.iter().map(|id| read(id).notice).collect()
    }
}

fn class(outcome: Result<Reply, Refusal>) -> Option<Class> {
    outcome.err().map(|refusal| refusal.class)
}

#[test]
fn where_no_limit_holds_nothing_is_looked_up_or_written() {
    let mut house = House::new(vec![limit("other", Metric::ReadsPerHour, "other/*", Some(1), Some(1))]);
    let before = house.store.rows.len();
    for _ in 0..5 {
        house.read("ann", "kv/a").unwrap();
        house.read("ann", "secret/data/a").unwrap();
    }
    assert_eq!(house.store.rows.len(), before);
}

#[test]
fn a_refusal_names_the_limit_its_value_its_end_and_who_can_raise_it() {
    let mut house = House::new(vec![limit("reads", Metric::ReadsPerHour, "kv/*", None, Some(2))]);
    house.read("ann", "kv/a").unwrap();
    house.read("ann", "kv/a").unwrap();
    let refusal = house.read("ann", "kv/a").err().unwrap();
    assert_eq!(refusal.class, Class::Busy);
    for part in [
        "\"reads\"",
        "2 reads in an hour",
        "3 reads",
        "kv/a",
        "2027-01-15T09:00:00",
        "sys/limits/reads",
        "keyturn limit raise reads",
    ] {
        assert!(refusal.public.contains(part), "{part}: {}", refusal.public);
    }
    assert_eq!(house.told(), [(Turn::Breached, Level::Hard)]);
    assert_eq!(class(house.read("ann", "kv/a")), Some(Class::Busy));
    assert_eq!(house.told().len(), 1, "told once");
    // Others, and other secrets, have their own count.
    house.read("ben", "kv/a").unwrap();
    house.read("ann", "kv/b").unwrap();
    house.store.now = START.after(HOUR);
    house.read("ann", "kv/a").unwrap();
    assert_eq!(house.told(), [(Turn::Breached, Level::Hard), (Turn::Resolved, Level::Hard)]);
}

#[test]
fn what_is_not_there_or_not_given_is_not_counted() {
    let mut house = House::new(vec![limit("reads", Metric::ReadsPerHour, "*", None, Some(1))]);
    for _ in 0..3 {
        assert_eq!(class(house.read("ann", "kv/none")), Some(Class::Missing));
    }
    house.ask("ann", Operation::List, "kv/", None).unwrap();
    house.read("ann", "kv/a").unwrap();
    assert_eq!(class(house.read("ann", "kv/a")), Some(Class::Busy));
    // Data and the names of its fields are one secret.
    house.read("ann", "secret/subkeys/a").unwrap();
    assert_eq!(class(house.read("ann", "secret/data/a")), Some(Class::Busy));
    house.read("ann", "secret/metadata/a").unwrap();
}

#[test]
fn tokens_of_ones_own_making_count_for_oneself() {
    let mut house = House::new(vec![limit("reads", Metric::ReadsPerHour, "*", None, Some(2))]);
    let parent = crate::auth::token::TokenId::from_stored("ann");
    let child = crate::auth::token::Token { parent: Some(parent.clone()), ..token(&["root"]) };
    let row = Change::Put { slot: parent.slot(&house.store.names), payload: token(&["root"]).encode().unwrap() };
    house.store.apply(vec![row]);
    let child = Identity::for_test("child", child, &house.store.names);
    house.read("ann", "kv/a").unwrap();
    house.ask_as(&child, Operation::Read, "kv/a", None).unwrap();
    assert_eq!(class(house.ask_as(&child, Operation::Read, "kv/a", None)), Some(Class::Busy));
    assert_eq!(class(house.read("ann", "kv/a")), Some(Class::Busy));
}

#[test]
fn different_secrets_are_counted_once_a_day_each() {
    let mut house = House::new(vec![limit("many", Metric::DistinctSecretsPerDay, "*", Some(1), Some(3))]);
    for path in ["kv/a", "kv/a", "kv/b", "secret/data/a", "secret/subkeys/a", "kv/b"] {
        house.read("ann", path).unwrap();
    }
    assert_eq!(house.told(), [(Turn::Breached, Level::Soft)]);
    assert_eq!(class(house.read("ann", "kv/c")), Some(Class::Busy));
    house.read("ann", "kv/a").unwrap();
    house.read("ben", "kv/c").unwrap();
    house.store.now = START.after(Span(24 * 3600));
    house.sweep();
    assert!(house.tallies().is_empty());
    house.read("ann", "kv/c").unwrap();
    let level = |turn| house.told().iter().filter(|(own, _)| *own == turn).map(|(_, level)| *level).collect::<Vec<_>>();
    assert_eq!(level(Turn::Breached), [Level::Soft, Level::Hard]);
    assert_eq!(level(Turn::Resolved), [Level::Hard]);
}

#[test]
fn an_old_version_is_told_of_and_refused_at_its_boundary() {
    let mut house = House::new(vec![limit("age", Metric::SecretAgeDays, "secret/*", Some(1), Some(2))]);
    let day = Span(24 * 3600);
    house.store.now = START.after(day);
    house.read("ann", "secret/data/a").unwrap();
    assert!(house.told().is_empty());
    house.store.now.0 += 1;
    house.read("ann", "secret/data/a").unwrap();
    house.read("ann", "secret/data/a").unwrap();
    assert_eq!(house.told(), [(Turn::Breached, Level::Soft)]);
    house.store.now = START.after(day).after(day);
    house.read("ann", "secret/data/a").unwrap();
    house.store.now.0 += 1;
    assert_eq!(class(house.read("ann", "secret/data/a")), Some(Class::Denied));
    assert_eq!(class(house.read("ann", "secret/subkeys/a")), Some(Class::Denied));
    assert_eq!(house.told(), [(Turn::Breached, Level::Soft), (Turn::Breached, Level::Hard)]);
    house.ask("ann", Operation::Write, "secret/data/a", Some(r#"{"data":{"x":"2"}}"#)).unwrap();
    assert_eq!(house.told().last(), Some(&(Turn::Resolved, Level::Hard)));
    assert!(house.tallies().is_empty());
    house.read("ann", "secret/data/a").unwrap();
    assert_eq!(house.told().len(), 3);
}

#[test]
fn what_people_were_told_of_a_limit_is_over_when_the_limit_is_gone() {
    let mut house = House::new(vec![limit("reads", Metric::ReadsPerHour, "*", Some(1), None)]);
    house.read("ann", "kv/a").unwrap();
    house.read("ann", "kv/a").unwrap();
    house.sweep();
    assert_eq!(house.told(), [(Turn::Breached, Level::Soft)]);
    house.limit(Vec::new());
    house.sweep();
    assert_eq!(house.told(), [(Turn::Breached, Level::Soft), (Turn::Resolved, Level::Soft)]);
    assert!(house.tallies().is_empty());
}

#[test]
fn without_a_backup_for_too_long_nothing_new_is_written_and_everything_read() {
    let mut house = House::new(vec![limit("backup", Metric::BackupAgeDays, "", None, Some(1))]);
    let mut limits = house.limits();
    limits.upkeep.backup = Some(upkeep::Backup { taken_at: Some(START), counted_from: START });
    house.store.tables = Tables::new(house.mounts.clone(), [], Groups::default()).with_limits(limits);
    house.store.now = START.after(Span(24 * 3600));
    house.ask("ann", Operation::Write, "kv/a", Some(r#"{"x":"2"}"#)).unwrap();
    house.store.now.0 += 1;
    assert_eq!(class(house.ask("ann", Operation::Write, "kv/a", Some(r#"{"x":"3"}"#))), Some(Class::Denied));
    let merge = Some(r#"{"data":{"x":"3"}}"#);
    assert_eq!(class(house.ask("ann", Operation::Patch, "secret/data/a", merge)), Some(Class::Denied));
    assert_eq!(data(&house.read("ann", "kv/a").unwrap()), serde_json::json!({"x": "2"}));
    house.ask("ann", Operation::Delete, "kv/b", None).unwrap();
}

#[test]
fn upkeep_that_is_overdue_is_told_once_and_resolved_when_it_is_done() {
    let mut house = House::new(Vec::new());
    let mut limits = house.limits();
    let taken = |at| Some(upkeep::Backup { taken_at: Some(at), counted_from: START });
    limits.upkeep = Upkeep { backup: taken(START), checkup_at: Some(START) };
    for (days, told) in [(7, 0), (8, 1), (9, 1), (91, 2)] {
        house.store.now = START.after(Span(days * 24 * 3600));
        let changes = house.store.read(|view| upkeep::watch(&limits, &house.teller(), view)).unwrap();
        house.store.apply(changes);
        assert_eq!(house.told().len(), told, "day {days}");
    }
    limits.upkeep.backup = taken(house.store.now);
    let changes = house.store.read(|view| upkeep::watch(&limits, &house.teller(), view)).unwrap();
    house.store.apply(changes);
    assert_eq!(house.told().iter().filter(|(turn, _)| *turn == Turn::Resolved).count(), 1);
    assert_eq!(house.tallies().len(), 1, "the check-ups are overdue still");
}

#[test]
fn a_canary_is_told_of_at_each_read_and_answers_as_ever() {
    let mut house = House::new(Vec::new());
    let before = data(&house.read("eve", "kv/a").unwrap());
    let mut limits = house.limits();
    limits.canaries.insert((house.mounts[0].id, "a".to_owned()));
    limits.canaries.insert((house.mounts[1].id, "data/a".to_owned()));
    limits.canaries.insert((house.mounts[0].id, "none".to_owned()));
    house.store.tables = Tables::new(house.mounts.clone(), [], Groups::default()).with_limits(limits);
    for _ in 0..3 {
        assert_eq!(data(&house.read("eve", "kv/a").unwrap()), before);
    }
    house.read("eve", "secret/data/a").unwrap();
    house.read("eve", "secret/subkeys/a").unwrap();
    assert_eq!(class(house.read("eve", "kv/none")), Some(Class::Missing));
    house.read("eve", "kv/b").unwrap();
    house.read("eve", "secret/metadata/a").unwrap();
    let mut paths: Vec<_> = house
        .notices()
        .into_iter()
        .filter_map(|notice| match notice.about {
            About::Canary(canary) => Some(canary.path.to_string()),
            About::Request(_) | About::Limit(_) => None,
        })
        .collect();
    paths.sort_unstable();
    assert_eq!(paths, ["kv/a", "kv/a", "kv/a", "kv/none", "secret/data/a", "secret/data/a"]);
}

fn grounds(now: Timestamp, span: Span) -> Grounds {
    Grounds { until: Some(now.after(span)), reason: "migration".to_owned(), by: "ann".to_owned() }
}

#[test]
fn a_hard_limit_goes_down_for_good_and_up_for_a_time() {
    let mut own = limit("x", Metric::ReadsPerHour, "*", None, Some(10));
    for bad in [
        Grounds::default(),
        grounds(START, Span::ZERO),
        grounds(START, Span(RAISE_SPAN_MAX.0 + 1)),
        Grounds { reason: " ".to_owned(), ..grounds(START, HOUR) },
    ] {
        assert!(own.set_hard(Wanted::Value(11), bad.clone(), START).is_err());
        assert!(own.set_hard(Wanted::Nothing, bad, START).is_err());
    }
    assert_eq!((own.hard, &own.raised), (Some(10), &None));
    own.set_hard(Wanted::Value(20), grounds(START, HOUR), START).unwrap();
    let end = START.after(HOUR);
    assert_eq!((own.hard_at(Timestamp(end.0 - 1)), own.hard_at(end)), (Some(20), Some(10)));
    own.set_hard(Wanted::Nothing, grounds(START, HOUR), START).unwrap();
    assert_eq!((own.hard_at(START), own.hard_at(end)), (None, Some(10)));
    own.set_hard(Wanted::Value(9), Grounds::default(), START).unwrap();
    assert_eq!((own.hard_at(START), &own.raised), (Some(9), &None));
    assert!(own.set_hard(Wanted::Value(0), grounds(START, HOUR), START).is_err());
    own.set_soft(Some(10)).unwrap();
    assert!(own.check().is_err());
}

/// One step of a random run: who reads what, and how much time has passed before.
#[derive(Clone, Debug)]
struct Act {
    who: &'static str,
    path: &'static str,
    pause_seconds: u64,
}

fn act() -> impl Strategy<Value = Act> {
    let (who, path) =
        (prop::sample::select(vec!["ann", "ben"]), prop::sample::select(vec!["kv/a", "kv/b", "secret/data/a"]));
    let pause = prop_oneof![8 => 0_u64..40, 1 => 600_u64..4000];
    (who, path, pause).prop_map(|(who, path, pause_seconds)| Act { who, path, pause_seconds })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Against a reference that counts in a plain map.
    #[test]
    fn every_read_is_judged_as_by_a_plain_count(
        soft in prop::option::of(1_u64..6),
        hard in prop::option::of(1_u64..6),
        raised in prop::option::of((1_u64..12, 1_u64..8000)),
        acts in prop::collection::vec(act(), 1..60),
    ) {
        prop_assume!(soft.is_some() || hard.is_some());
        let mut own = limit("x", Metric::ReadsPerHour, "kv/*", soft, hard);
        if let (Some((value, seconds)), Some(_)) = (raised, hard) {
            own.set_hard(Wanted::Value(value), grounds(START, Span(seconds)), START).unwrap();
        }
        let mut house = House::new(vec![own.clone()]);
        let mut counts = BTreeMap::<(&str, &str, i64), (u64, bool, bool)>::new();
        for Act { who, path, pause_seconds } in acts {
            house.store.now = house.store.now.after(Span(pause_seconds));
            let passes = house.read(who, path).is_ok();
            if !path.starts_with("kv/") {
                prop_assert!(passes);
                continue;
            }
            let hour = house.store.now.unix_seconds().div_euclid(3600);
            let (count, told_soft, told_hard) = counts.entry((who, path, hour)).or_default();
            let due = own.hard_at(house.store.now).is_none_or(|hard| *count < hard);
            prop_assert_eq!(passes, due);
            *count += u64::from(passes);
            // Whoever was told of a refusal, as before a raise, is not told of less.
            *told_soft |= passes && !*told_hard && soft.is_some_and(|soft| *count > soft);
            *told_hard |= !passes;
        }
        let told = house.told();
        let breached = |level| told.iter().filter(|own| **own == (Turn::Breached, level)).count();
        prop_assert_eq!(breached(Level::Hard), counts.values().filter(|(_, _, hard)| *hard).count());
        prop_assert_eq!(breached(Level::Soft), counts.values().filter(|(_, soft, _)| *soft).count());
        house.store.now = house.store.now.after(Span(2 * 3600));
        house.sweep();
        prop_assert!(house.tallies().is_empty());
        let breaches = counts.values().filter(|(_, soft, hard)| *soft || *hard).count();
        let resolved = house.told().iter().filter(|(turn, _)| *turn == Turn::Resolved).count();
        prop_assert_eq!(resolved, breaches);
    }

    /// However a limit is written without grounds, it never allows more than it did; and whatever was raised ends.
    #[test]
    fn what_is_written_without_grounds_never_raises(
        first in 1_u64..20,
        writes in prop::collection::vec((prop::option::of(0_u64..25), any::<bool>(), 1_u64..5000, 0_u64..3000), 0..12),
    ) {
        let mut own = limit("x", Metric::ReadsPerHour, "*", None, Some(first));
        let (mut base, mut raised, mut now) = (first, None::<(Option<u64>, Timestamp)>, START);
        for (value, has_grounds, span, pause) in writes {
            now = now.after(Span(pause));
            let wanted = value.map_or(Wanted::Nothing, Wanted::Value);
            let given = if has_grounds { grounds(now, Span(span)) } else { Grounds::default() };
            let written = own.set_hard(wanted, given, now).is_ok();
            let lowers = value.is_some_and(|value| value <= base);
            prop_assert_eq!(written, value != Some(0) && (lowers || has_grounds));
            match (written, lowers) {
                (true, true) => (base, raised) = (value.unwrap_or(base), None),
                (true, false) => raised = Some((value, now.after(Span(span)))),
                (false, _) => {}
            }
            for later in [now, now.after(Span(2000)), now.after(RAISE_SPAN_MAX)] {
                let due = raised.filter(|(_, until)| later < *until).map_or(Some(base), |(hard, _)| hard);
                prop_assert_eq!(own.hard_at(later), due);
            }
        }
        prop_assert!(base <= first);
    }

    #[test]
    fn no_row_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let payload = SecretBytes::new([vec![1], bytes].concat());
        let _ = (Limit::decode(&payload), canary::decode(&payload), tally::is_tally(&payload));
    }

    #[test]
    fn no_name_and_no_path_panics(name in "\\PC{0,20}", path in "\\PC{0,20}") {
        if let Ok(limit) = Limit::new(&name, Metric::ReadsPerHour, Some(&path), START) {
            prop_assert!(Rule::new(limit, false).is_ok());
        }
    }
}
