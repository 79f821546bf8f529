//! What a decision costs among a thousand policies, and what it costs to put them together for one identity.
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::sync::Arc;

use divan::{Bencher, black_box};
use serde_json::Map;
use vault_core::policy::{Acl, Ask, Capability, EntityFacts, IdentityFacts, Policy};

const POLICIES: usize = 1_000;

/// Each path with whether it is read.
const PATHS: [(&str, bool); 9] = [
    ("secret/data/app-500", true),
    ("team/501/anything/below", true),
    ("shared/x/service-502/config", true),
    ("home/e1/box-504/notes", true),
    ("closed/nobody/box-505", false),
    ("shared/x/service-nothing/config", false),
    ("home/e2/box-504/notes", false),
    ("team/none/of/these", false),
    ("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", false),
];

fn main() {
    divan::main();
}

/// Gives policies of six kinds in turn: exact, prefix, with `+`, templated, templated denials that do not resolve, and
/// such denials whose text does not tell them apart before the last segment.
fn policies() -> Vec<Arc<Policy>> {
    let policy = |number: usize| {
        let (path, granted) = match number % 6 {
            0 => (format!("home/{{{{identity.entity.id}}}}/box-{number}/*"), "read"),
            1 => (format!("closed/{{{{identity.entity.metadata.none}}}}/box-{number}"), "deny"),
            2 => (format!("secret/data/app-{number}"), "read"),
            3 => (format!("team/{number}/*"), "read"),
            4 => (format!("shared/+/service-{number}/config"), "read"),
            _ => (format!("+/closed/+/{{{{identity.entity.metadata.none}}}}/{number}/*"), "deny"),
        };
        Arc::new(Policy::parse("p", &format!("path \"{path}\" {{ capabilities = [\"{granted}\"] }}")).unwrap())
    };
    (0..POLICIES).map(policy).collect()
}

fn facts() -> IdentityFacts {
    let entity = EntityFacts { id: "e1".to_owned(), name: "ann".to_owned(), ..EntityFacts::default() };
    IdentityFacts { entity: Some(entity), groups: Vec::new() }
}

#[divan::bench(args = PATHS.map(|(path, _)| path))]
fn decide(bencher: Bencher<'_, '_>, path: &str) {
    let acl = Acl::of(&policies(), &facts());
    let fields = Map::new();
    let ask = Ask { path, capability: Capability::Read, fields: &fields, wrapping_ttl: None };
    let expected = PATHS.iter().find(|(known, _)| *known == path).is_some_and(|(_, reads)| *reads);
    assert_eq!(acl.allows(&ask), expected, "{path}");
    bencher.bench_local(|| acl.allows(black_box(&ask)));
}

#[divan::bench]
fn put_together(bencher: Bencher<'_, '_>) {
    let (policies, facts) = (policies(), facts());
    bencher.bench_local(|| Acl::of(black_box(&policies), &facts));
}
