//! Decisions against the documented rules, and against a slow reference that tries every rule.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::pattern::Pattern;
use super::*;

mod templates;

fn acl(texts: &[&str]) -> Acl {
    let policies: Vec<_> = texts.iter().map(|text| Arc::new(Policy::parse("p", text).unwrap())).collect();
    Acl::of(&policies, &IdentityFacts::default())
}

fn allows(acl: &Acl, path: &str, capability: Capability) -> bool {
    acl.allows(&Ask { path, capability, fields: &Map::new(), wrapping_ttl: None })
}

fn rule(path: &str, capabilities: &[&str]) -> String {
    format!("path {path:?} {{ capabilities = {capabilities:?} }}\n")
}

#[test]
fn nothing_is_allowed_by_default() {
    let none = acl(&[]);
    assert!(!allows(&none, "a", Capability::Read) && !none.reaches("a/"));
    let empty = acl(&["path \"a\" { capabilities = [] }", "path \"b\" { }"]);
    assert!(!allows(&empty, "a", Capability::Read) && !allows(&empty, "b", Capability::Read));
}

#[test]
fn the_most_specific_path_decides_and_deny_wins() {
    let rules = acl(&[
        &(rule("secret/*", &["read", "list"]) + &rule("secret/app", &["deny"]) + &rule("secret/team/+/x", &["update"])),
        &(rule("secret/app", &["read"]) + &rule("secret/team/*", &["delete"])),
    ]);
    assert!(allows(&rules, "secret/other", Capability::Read));
    assert!(!allows(&rules, "secret/app", Capability::Read));
    assert!(allows(&rules, "secret/team/a", Capability::Delete) && !allows(&rules, "secret/team/a", Capability::Read));
    assert!(allows(&rules, "secret/team/a/x", Capability::Update));
    assert!(!allows(&rules, "secret/team/a/x", Capability::Delete));
    assert!(!allows(&rules, "secret", Capability::List), "a prefix with a slash is not its folder's own name");
    assert!(allows(&rules, "secret/", Capability::List));
}

#[test]
fn a_list_may_be_granted_with_or_without_the_slash() {
    let rules = acl(&[&(rule("a", &["list"]) + &rule("b/", &["list"]) + &rule("c/+", &["list"]))]);
    for path in ["a/", "b/", "c/x/"] {
        assert!(allows(&rules, path, Capability::List), "{path}");
    }
    assert!(!allows(&acl(&[&rule("a", &["read"])]), "a/", Capability::Read));
}

#[test]
fn parameters_are_checked() {
    let rules = acl(&["path \"a\" { capabilities = [\"update\"]\n allowed_parameters = { \"x\" = [\"1\"] } }"]);
    let ask = |fields: Value| {
        let fields = fields.as_object().unwrap();
        rules.allows(&Ask { path: "a", capability: Capability::Update, fields, wrapping_ttl: None })
    };
    assert!(rules.looks_at_fields("a") && !rules.looks_at_fields("b"));
    assert!(ask(json!({"x": "1"})) && !ask(json!({"x": "2"})) && !ask(json!({"y": "1"})));
}

#[test]
fn both_languages_and_the_old_form_say_the_same() {
    let texts = [
        "path \"a/*\" { capabilities = [\"read\", \"list\"] }",
        "{\"path\": {\"a/*\": {\"capabilities\": [\"read\", \"list\"]}}}",
        "{\"path\": [{\"a/*\": [{\"policy\": \"read\"}]}]}",
        "path \"a/*\" { policy = \"read\" }",
    ];
    for text in texts {
        let rules = acl(&[text]);
        assert!(allows(&rules, "a/b", Capability::Read) && !allows(&rules, "a/b", Capability::Update), "{text}");
    }
}

#[test]
fn mistakes_are_named_with_their_line() {
    let cases = [
        ("path \"a\" {\n capabilities = [\"raed\"]\n}", 2, "raed"),
        ("path \"a\" {\n capabilitis = [\"read\"]\n}", 2, "capabilitis"),
        ("\npaths \"a\" { }", 2, "paths"),
        ("path \"a\" {\n control_group = { }\n}", 2, "without a factor"),
        ("path \"a/*/b\" { }", 1, "'*' only stands at the end"),
        ("path \"a\" { capabilities = \"read\" }", 1, "list"),
        ("path \"a\" {\n min_wrapping_ttl = \"2h\"\n max_wrapping_ttl = \"1h\" }", 1, "longer than max_wrapping_ttl"),
        ("path \"a\" {\n max_wrapping_ttl = \"soon\" }", 2, "max_wrapping_ttl"),
        ("\npath \"a/{{identity.entity.nam}}\" { }", 2, "not known"),
        ("\npath \"a/{{identity.entity.id}\" { }", 2, "needs its"),
        ("path \"a\"", 1, "missing"),
    ];
    for (text, line, part) in cases {
        let error = Policy::parse("p", text).err().unwrap_or_else(|| panic!("{text} was accepted"));
        assert!(error.line == line && error.reason.contains(part), "{text}: {error}");
    }
    assert!(Policy::parse("p", &" ".repeat(POLICY_LENGTH_BYTES_MAX + 1)).is_err());
}

#[test]
fn the_default_policy_lets_tokens_look_after_themselves() {
    let rules = acl(&[DEFAULT_POLICY]);
    assert!(allows(&rules, "auth/token/lookup-self", Capability::Read));
    assert!(allows(&rules, "cubbyhole/x", Capability::Create));
    assert!(!allows(&rules, "auth/token/create", Capability::Update));
    assert!(!allows(&rules, "secret/data/x", Capability::Read));
    for path in ["sys/wrapping/unwrap", "sys/leases/renew", "sys/tools/hash/sha2-256"] {
        assert!(allows(&rules, path, Capability::Update), "{path}");
    }
    assert!(!allows(&rules, "identity/entity/id/", Capability::Read), "nobody in particular has no entity");
}

#[test]
fn what_root_may_do_has_no_list() {
    assert_eq!(Acl::root().capabilities("a"), None);
    assert!(allows(&Acl::root(), "any/thing", Capability::Sudo));
    let rules = acl(&[&rule("a", &["read"])]);
    assert_eq!(rules.capabilities("a"), Some([Capability::Read].into()));
    assert_eq!(rules.capabilities("b"), Some([Capability::Deny].into()));
}

/// A rule as the slow reference sees it.
#[derive(Clone, Debug)]
struct SlowRule {
    path: String,
    granted: Vec<Capability>,
    /// Bounds of the wrapping TTL in seconds; zero is none.
    least: u64,
    most: u64,
}

/// The documented rules, tried one after another: an exact path decides; else, of all patterns that match, the one of
/// the highest priority. Deny at the deciding pattern wins over whatever else is granted there.
fn reference(rules: &[SlowRule], path: &str, wanted: Capability, wrapping_ttl: u64) -> bool {
    let listing = (wanted == Capability::List).then(|| path.strip_suffix('/')).flatten();
    let spoken: Vec<&str> = [Some(path), listing].into_iter().flatten().collect();
    let wild = |pattern: &str| pattern.ends_with('*') || pattern.split('/').any(|segment| segment == "+");
    let patterns = || rules.iter().map(|rule| &rule.path);
    let exact = spoken.iter().find_map(|path| patterns().find(|pattern| !wild(pattern) && pattern == path));
    let deciding = exact.or_else(|| {
        let matching = patterns().filter(|pattern| {
            wild(pattern)
                && spoken.iter().enumerate().any(|(order, path)| {
                    // A plain prefix speaks of the path itself only.
                    let plus = pattern.split('/').any(|segment| segment == "+");
                    (order == 0 || plus) && slow_match(pattern, path)
                })
        });
        matching.max_by(|one, other| {
            Pattern::parse(one).unwrap().priority().cmp(&Pattern::parse(other).unwrap().priority())
        })
    });
    let Some(deciding) = deciding else { return false };
    let together: Vec<&SlowRule> = rules.iter().filter(|rule| rule.path == *deciding).collect();
    let granted: Vec<Capability> = together.iter().flat_map(|rule| rule.granted.clone()).collect();
    let lowest = |bounds: Vec<u64>| bounds.into_iter().filter(|bound| *bound > 0).min();
    let least = lowest(together.iter().map(|rule| rule.least).collect());
    let most = lowest(together.iter().map(|rule| rule.most).collect());
    let wrapped_well = match (least, most) {
        (None, None) => true,
        _ => wrapping_ttl > 0 && wrapping_ttl >= least.unwrap_or(0) && wrapping_ttl <= most.unwrap_or(u64::MAX),
    };
    granted.contains(&wanted) && !granted.contains(&Capability::Deny) && wrapped_well
}

fn slow_match(pattern: &str, path: &str) -> bool {
    match pattern.split_once('/') {
        None if pattern == "+" => !path.contains('/'),
        None => pattern.strip_suffix('*').map_or(pattern == path, |start| path.starts_with(start)),
        Some((segment, pattern)) => path
            .split_once('/')
            .is_some_and(|(first, path)| (segment == "+" || segment == first) && slow_match(pattern, path)),
    }
}

fn any_pattern() -> impl Strategy<Value = String> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("+")];
    (proptest::collection::vec(segment, 1..4), prop_oneof![Just(""), Just("*"), Just("/*"), Just("/")])
        .prop_map(|(segments, end)| segments.join("/") + end)
        .prop_filter("a '+' before '*' is refused", |pattern| !pattern.contains("+*"))
}

fn any_path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("c")];
    (proptest::collection::vec(segment, 1..5), prop_oneof![Just(""), Just("/")])
        .prop_map(|(segments, end)| segments.join("/") + end)
}

fn any_capability() -> impl Strategy<Value = Capability> {
    prop_oneof![Just(Capability::Read), Just(Capability::List), Just(Capability::Deny)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_panics(text in "(path|capabilities|policy|\"a/\\*\"|\"read\"|\\{|\\}|\\[|\\]|=|,|\n| |\\PC){0,40}") {
        let _ = Policy::parse("p", &text);
    }
}

#[test]
fn a_slash_at_the_end_goes_around_no_control_group() {
    let text = "path \"sys/mounts/*\" { capabilities = [\"update\"] }\n\
        path \"sys/mounts/a\" { capabilities = [\"update\"]\n control_group = { factor \"x\" { quorum = \"change\" } } }";
    for path in ["sys/mounts/a", "sys/mounts/a/"] {
        assert_eq!(acl(&[text]).control_groups(path, Capability::Update).len(), 1, "{path}");
    }
    assert!(acl(&[text]).control_groups("sys/mounts/b/", Capability::Update).is_empty());
}
