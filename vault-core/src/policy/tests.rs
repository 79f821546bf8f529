//! Decisions against the documented rules, and against a slow reference that tries every rule.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::pattern::Pattern;
use super::*;

fn acl(texts: &[&str]) -> Acl {
    let policies: Vec<_> = texts.iter().map(|text| Arc::new(Policy::parse("p", text).unwrap())).collect();
    Acl::of(&policies)
}

fn allows(acl: &Acl, path: &str, capability: Capability) -> bool {
    acl.allows(&Ask { path, capability, fields: &Map::new() })
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
        rules.allows(&Ask { path: "a", capability: Capability::Update, fields: fields.as_object().unwrap() })
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
        ("path \"a\" {\n control_group = { }\n}", 2, "control_group"),
        ("path \"a/*/b\" { }", 1, "'*' only stands at the end"),
        ("path \"a\" { capabilities = \"read\" }", 1, "list"),
        ("path \"a\" { max_wrapping_ttl = \"1h\" }", 1, "wrapping"),
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
}

#[test]
fn what_root_may_do_has_no_list() {
    assert_eq!(Acl::root().capabilities("a"), None);
    assert!(allows(&Acl::root(), "any/thing", Capability::Sudo));
    let rules = acl(&[&rule("a", &["read"])]);
    assert_eq!(rules.capabilities("a"), Some([Capability::Read].into()));
    assert_eq!(rules.capabilities("b"), Some([Capability::Deny].into()));
}

/// The documented rules, tried one after another: an exact path decides; else, of all patterns that match, the one of
/// the highest priority. Deny at the deciding pattern wins over whatever else is granted there.
fn reference(rules: &[(String, Vec<Capability>)], path: &str, wanted: Capability) -> bool {
    let listing = (wanted == Capability::List).then(|| path.strip_suffix('/')).flatten();
    let spoken: Vec<&str> = [Some(path), listing].into_iter().flatten().collect();
    let wild = |pattern: &str| pattern.ends_with('*') || pattern.split('/').any(|segment| segment == "+");
    let exact = spoken
        .iter()
        .find_map(|path| rules.iter().map(|(pattern, _)| pattern).find(|pattern| !wild(pattern) && pattern == path));
    let deciding = exact.or_else(|| {
        let matching = rules.iter().map(|(pattern, _)| pattern).filter(|pattern| {
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
    let granted: Vec<Capability> =
        rules.iter().filter(|(pattern, _)| pattern == deciding).flat_map(|(_, granted)| granted.clone()).collect();
    granted.contains(&wanted) && !granted.contains(&Capability::Deny)
}

fn slow_match(pattern: &str, path: &str) -> bool {
    match pattern.chars().next() {
        None => path.is_empty(),
        Some('*') if pattern == "*" => true,
        Some('+') => {
            let end = path.find('/').unwrap_or(path.len());
            slow_match(&pattern[1..], &path[end..])
        }
        Some(c) => path.starts_with(c) && slow_match(&pattern[c.len_utf8()..], &path[c.len_utf8()..]),
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
    fn decisions_agree_with_the_slow_reference(
        rules in proptest::collection::vec((any_pattern(), proptest::collection::vec(any_capability(), 0..3)), 0..8),
        path in any_path(),
        wanted in prop_oneof![Just(Capability::Read), Just(Capability::List)],
        split in 0_usize..8,
    ) {
        let text = |rules: &[(String, Vec<Capability>)]| -> String {
            rules.iter().map(|(pattern, granted)| rule(pattern, &granted.iter().map(|one| one.word()).collect::<Vec<_>>())).collect()
        };
        let (one, other) = rules.split_at(split.min(rules.len()));
        let decided = allows(&acl(&[&text(one), &text(other)]), &path, wanted);
        prop_assert_eq!(decided, reference(&rules, &path, wanted), "{:?} {} {:?}", rules, path, wanted);
    }

    #[test]
    fn no_text_panics(text in "(path|capabilities|policy|\"a/\\*\"|\"read\"|\\{|\\}|\\[|\\]|=|,|\n| |\\PC){0,40}") {
        let _ = Policy::parse("p", &text);
    }
}
