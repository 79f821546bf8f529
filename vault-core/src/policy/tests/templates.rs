//! Templates and wrapping against a slow reference that replaces text in the policy.

use super::*;
use crate::policy::pattern::Pattern;
use crate::time::Span;

/// The templates that the random policies use, with what they ask of the facts.
const TEMPLATES: [&str; 7] = [
    "{{identity.entity.id}}",
    "{{ identity.entity.name }}",
    "{{identity.entity.metadata.team.x}}",
    "{{identity.entity.aliases.userpass_1.name}}",
    "{{identity.entity.aliases.userpass_1.custom_metadata.k}}",
    "{{identity.groups.names.ops.id}}",
    "{{identity.groups.ids.g1.metadata.k}}",
];

/// Builds the facts in which each template stands for the value at its place; an empty one for `None`, since neither
/// resolves.
fn facts(values: &[Option<&str>; 7]) -> IdentityFacts {
    let [id, name, team, alias, custom, ops, group] = values.map(|value| value.unwrap_or_default().to_owned());
    let map = |key: &str, value: String| [(key.to_owned(), value)].into();
    IdentityFacts {
        entity: Some(EntityFacts {
            id,
            name,
            metadata: map("team.x", team),
            aliases: vec![AliasFacts {
                mount_accessor: "userpass_1".to_owned(),
                id: "unused".to_owned(),
                name: alias,
                metadata: [("k".to_owned(), "unused".to_owned())].into(),
                custom_metadata: map("k", custom),
            }],
        }),
        groups: vec![
            GroupFacts { id: ops, name: "ops".to_owned(), ..GroupFacts::default() },
            GroupFacts { id: "g1".to_owned(), name: "g".to_owned(), metadata: map("k", group) },
        ],
    }
}

fn known() -> IdentityFacts {
    facts(&[Some("e1"), Some("ann"), Some("blue"), Some("ann-at"), Some("custom"), Some("g9"), Some("gold")])
}

fn acl_for(facts: &IdentityFacts, texts: &[&str]) -> Acl {
    let policies: Vec<_> = texts.iter().map(|text| Arc::new(Policy::parse("p", text).unwrap())).collect();
    Acl::of(&policies, facts)
}

fn reads(acl: &Acl, path: &str) -> bool {
    allows(acl, path, Capability::Read)
}

#[test]
fn every_template_is_filled_in() {
    let cases = [
        (TEMPLATES[0], "e1"),
        (TEMPLATES[1], "ann"),
        (TEMPLATES[2], "blue"),
        (TEMPLATES[3], "ann-at"),
        (TEMPLATES[4], "custom"),
        (TEMPLATES[5], "g9"),
        (TEMPLATES[6], "gold"),
        ("{{identity.entity.aliases.userpass_1.id}}", "unused"),
        ("{{identity.entity.aliases.userpass_1.metadata.k}}", "unused"),
        ("{{identity.groups.ids.g1.name}}", "g"),
        ("{{identity.groups.names.g.metadata.k}}", "gold"),
    ];
    for (template, value) in cases {
        let policy = Policy::parse("p", &rule(&format!("/a/x-{template}/+"), &["read"])).unwrap();
        assert!(policy.is_templated());
        let acl = Acl::of(&[Arc::new(policy)], &known());
        assert!(reads(&acl, &format!("a/x-{value}/b")), "{template}");
        assert!(!reads(&acl, "a/x-/b") && !reads(&acl, &format!("a/x-{template}/b")) && !reads(&acl, "a/x-other/b"));
    }
    assert!(!Policy::parse("p", &rule("a/{b}", &["read"])).unwrap().is_templated());
}

#[test]
fn unknown_and_broken_templates_are_refused() {
    let selectors = [
        "",
        "identity",
        "identity.entity",
        "identity.entity.",
        "identity.entity.groups.names",
        "identity.entity.metadata",
        "identity.entity.metadata.",
        "identity.entity.custom_metadata.k",
        "identity.entity.aliases.acc",
        "identity.entity.aliases..id",
        "identity.entity.aliases.acc.policies",
        "identity.groups.names.ops",
        "identity.groups.names..id",
        "identity.groups.ids.g1.custom_metadata.k",
        "identity.groups.kinds.g1.id",
        "time.now",
        "{identity.entity.id",
    ];
    let whole = selectors.iter().map(|selector| format!("a/{{{{{selector}}}}}/b"));
    let broken =
        ["a/{{identity.entity.id", "a/identity.entity.id}}", "{{identity.entity.id}}}}", "a}}/{{identity.entity.id}}"]
            .map(str::to_owned);
    let misleading =
        ["{{identity.entity.id}}+*", "{{identity.entity.id}}*/a", "*{{identity.entity.id}}"].map(str::to_owned);
    for path in whole.chain(broken).chain(misleading) {
        let error = Policy::parse("p", &rule(&path, &["read"])).err();
        assert!(error.is_some_and(|error| error.line == 1), "{path}");
    }
    assert!(Policy::parse("p", &rule(&"{{identity.entity.id}}".repeat(200), &["read"])).is_err(), "too long");
}

#[test]
fn a_value_never_widens_a_rule() {
    for value in ["", "*", "a*", "+", ".", "..", "a/b", "/", "{{identity.entity.id}}", "{", "}", "a\nb", "\u{7f}"] {
        let hostile = facts(&[Some(value); 7]);
        let acl = acl_for(&hostile, &[&rule("u/{{identity.entity.name}}", &["read"])]);
        for path in ["u/", "u/x", "u/a", "u/a/b", "u/+", "u/*", "u/a*", &format!("u/{value}")] {
            assert!(!reads(&acl, path), "{value:?} {path:?}");
        }
        assert!(!acl.reaches("u/"));
    }
    let plus = facts(&[Some("a+"); 7]);
    assert!(!reads(&acl_for(&plus, &[&rule("u/{{identity.entity.name}}*", &["read"])]), "u/a+"));
    assert!(reads(&acl_for(&plus, &[&rule("u/{{identity.entity.name}}", &["read"])]), "u/a+"));
    let dots = facts(&[Some("."); 7]);
    let twice = rule("u/{{identity.entity.id}}{{identity.entity.name}}", &["read"]);
    assert!(!reads(&acl_for(&dots, &[&twice]), "u/.."));
    let long = "x".repeat(5_000);
    assert!(!reads(&acl_for(&facts(&[Some(&long); 7]), &[&twice]), &format!("u/{long}{long}")));
}

#[test]
fn groups_resolve_for_their_members_only() {
    let text = rule("g/{{identity.groups.names.ops.id}}", &["read"]);
    assert!(reads(&acl_for(&known(), &[&text]), "g/g9"));
    let stranger = IdentityFacts { groups: Vec::new(), ..known() };
    assert!(!reads(&acl_for(&stranger, &[&text]), "g/g9"));
}

#[test]
fn a_denial_that_does_not_resolve_denies_for_every_value() {
    let text = rule("*", &["read"])
        + &rule("kv/x-{{identity.entity.name}}/*", &["deny"])
        + &rule("one/{{identity.entity.name}}", &["deny"])
        + &rule("one/b", &["read"])
        + &rule("kv/x-team/known", &["read"])
        + &rule("none/{{identity.entity.name}}", &[])
        + &rule("met/team/*", &["read"])
        + &rule("met/{{identity.entity.name}}/*", &["deny"])
        + &rule("plus/+/team", &["read"])
        + &rule("plus/+/{{identity.entity.name}}", &["deny"]);
    let nobody = acl_for(&IdentityFacts::default(), &[&text]);
    for path in ["kv/x-a/b", "kv/x-team/b/c", "one/a", "one/b", "one/+", "one/*", "none/a", "met/team/x", "plus/a/team"]
    {
        assert!(!reads(&nobody, path), "{path}");
        assert_eq!(nobody.capabilities(path), Some([Capability::Deny].into()), "{path}");
    }
    // An exact path is more specific than what ends with '*', for every value.
    for path in ["kv/x-/b", "kv/y/b", "kv/x-a", "one/a/b", "one/", "kv/x-team/known"] {
        assert!(reads(&nobody, path), "{path}");
    }
    let ann = acl_for(&known(), &[&text]);
    assert!(!reads(&ann, "one/ann") && !reads(&ann, "kv/x-ann/b"));
    assert!(reads(&ann, "one/b") && reads(&ann, "kv/x-team/b"));
}

#[test]
fn a_denial_that_becomes_too_long_denies_for_every_value() {
    let long = "x".repeat(5_000);
    let text = rule("*", &["read"]) + &rule("u/{{identity.entity.name}}", &["deny"]);
    assert!(!reads(&acl_for(&facts(&[Some(&long); 7]), &[&text]), "u/x"));
}

#[test]
fn wrapping_is_asked_for() {
    let text = "path \"a\" { capabilities = [\"read\", \"sudo\"]\n min_wrapping_ttl = \"1m\"\n max_wrapping_ttl = 90 }";
    let acl = acl(&[text]);
    let ask =
        |wrapping_ttl| acl.allows(&Ask { path: "a", capability: Capability::Read, fields: &Map::new(), wrapping_ttl });
    assert!(ask(Some(Span(60))) && ask(Some(Span(90))));
    for span in [None, Some(Span(0)), Some(Span(59)), Some(Span(91))] {
        assert!(!ask(span), "{span:?}");
    }
}

/// Replaces the templates of a path as text: all paths that it becomes, none if one does not resolve. Where `any` texts
/// are given, whatever does not resolve becomes each of them.
fn expand(path: &str, values: &[Option<&str>; 7], any: Option<&[&str]>) -> Vec<String> {
    let (body, star) = path.strip_suffix('*').map_or((path, ""), |body| (body, "*"));
    let mut whole: Vec<Vec<String>> = vec![Vec::new()];
    let count = body.split('/').count();
    for (index, segment) in body.split('/').enumerate() {
        let bad = |value: &str| value.is_empty() || value.contains(['*', '/', '{', '}', '\n']);
        let good = |at: usize| values[at].filter(|value| !bad(value));
        let replaced = |by: &dyn Fn(usize) -> Option<String>| {
            TEMPLATES.iter().enumerate().try_fold(segment.to_owned(), |text, (at, template)| {
                if text.contains(template) { Some(text.replace(template, &by(at)?)) } else { Some(text) }
            })
        };
        let fits = |text: &String| {
            let has_meaning = ["+", ".", ".."].contains(&text.as_str());
            let before_star = index + 1 == count && star == "*";
            text == segment || !(has_meaning || (before_star && text.ends_with('+')))
        };
        let segments = match (replaced(&|at| good(at).map(str::to_owned)).filter(fits), any) {
            (Some(text), _) => vec![text],
            (None, None) => Vec::new(),
            (None, Some(any)) => {
                let all_good =
                    TEMPLATES.iter().enumerate().all(|(at, one)| !segment.contains(one) || good(at).is_some());
                // Good values that make no segment together count as if none of them resolved.
                let open = |at: usize| all_good || good(at).is_none();
                every(segment, any, &open, &|at| good(at).unwrap_or_default().to_owned())
            }
        };
        whole = whole
            .iter()
            .flat_map(|start| segments.iter().map(|segment| [start.clone(), vec![segment.clone()]].concat()))
            .collect();
    }
    whole.into_iter().map(|segments| segments.join("/") + star).collect()
}

/// Replaces every single occurrence of an open template by each of the texts, and the others by their values.
fn every(segment: &str, any: &[&str], open: &dyn Fn(usize) -> bool, value: &dyn Fn(usize) -> String) -> Vec<String> {
    let next = TEMPLATES.iter().enumerate().filter_map(|(at, one)| segment.find(one).map(|place| (place, at))).min();
    let Some((place, at)) = next else { return vec![segment.to_owned()] };
    let rest = every(&segment[place + TEMPLATES[at].len()..], any, open, value);
    let own: Vec<String> = if open(at) { any.iter().map(|&text| text.to_owned()).collect() } else { vec![value(at)] };
    own.iter().flat_map(|own| rest.iter().map(move |rest| segment[..place].to_owned() + own + rest)).collect()
}

/// Every text that a gap could have taken somewhere in a path.
fn texts_within(path: &str) -> Vec<&str> {
    let segments = path.split('/');
    let mut texts: Vec<&str> = segments
        .flat_map(|one| (0..one.len()).flat_map(move |start| (start + 1..=one.len()).map(move |end| &one[start..end])))
        .collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn any_templated_path() -> impl Strategy<Value = String> {
    let template = || (0..TEMPLATES.len()).prop_map(|at| TEMPLATES[at].to_owned());
    let plain = || prop_oneof![Just("a"), Just("b"), Just("ab"), Just("+")].prop_map(str::to_owned);
    let segment = prop_oneof![
        4 => plain(),
        3 => template(),
        1 => ("[ab]{0,1}", template(), "[ab]{0,1}").prop_map(|(start, template, end)| start + &template + &end),
        1 => (template(), template()).prop_map(|(one, other)| one + &other),
    ];
    (
        proptest::collection::vec(segment, 1..4),
        prop_oneof![4 => Just(""), 1 => Just("*"), 1 => Just("/*"), 1 => Just("/")],
    )
        .prop_map(|(segments, end)| segments.join("/") + end)
        .prop_filter("a '+' before '*' is refused", |pattern| !pattern.contains("+*"))
}

fn any_value() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![
        3 => Just(None),
        5 => prop_oneof![Just("a"), Just("b"), Just("ab"), Just("c")].prop_map(Some),
        2 => prop_oneof![Just("*"), Just("+"), Just("a+"), Just("."), Just("a/b"), Just("{"), Just("\n")].prop_map(Some),
    ]
}

fn any_bounds() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![6 => Just((0, 0)), 1 => Just((10, 0)), 1 => Just((0, 20)), 1 => Just((5, 15)), 1 => Just((15, 15))]
}

fn any_rule() -> impl Strategy<Value = SlowRule> {
    let path = prop_oneof![any_pattern(), any_templated_path()];
    (path, proptest::collection::vec(any_capability(), 0..3), any_bounds())
        .prop_map(|(path, granted, (least, most))| SlowRule { path, granted, least, most })
}

/// Rules, and for some templated ones a grant of what they become with one value, so that both meet.
fn any_rules() -> impl Strategy<Value = Vec<SlowRule>> {
    proptest::collection::vec((any_rule(), any::<bool>()), 0..6).prop_map(|drawn| {
        let mut rules = Vec::new();
        for (rule, meets) in drawn {
            let path = TEMPLATES.iter().fold(rule.path.clone(), |path, template| path.replace(template, "a"));
            if meets && path != rule.path {
                rules.push(SlowRule { path, granted: vec![Capability::Read, Capability::List], least: 0, most: 0 });
            }
            rules.push(rule);
        }
        rules
    })
}

fn text_of(rules: &[SlowRule]) -> String {
    let text = |SlowRule { path, granted, least, most }: &SlowRule| {
        let words: Vec<_> = granted.iter().map(|one| one.word()).collect();
        format!(
            "path {path:?} {{ capabilities = {words:?}\n min_wrapping_ttl = {least}\n max_wrapping_ttl = {most} }}\n"
        )
    };
    rules.iter().map(text).collect()
}

/// Replaces the templates of all rules. A rule that grants and does not resolve is gone; one that does not grant
/// denies whatever could have stood there.
fn expanded(rules: &[SlowRule], values: &[Option<&str>; 7], path: &str) -> Vec<SlowRule> {
    let any = texts_within(path);
    let become_rules = |rule: &SlowRule| -> Vec<SlowRule> {
        let with = |path: String, granted: &[Capability]| SlowRule { path, granted: granted.to_vec(), ..rule.clone() };
        let filled = expand(&rule.path, values, None);
        let grants = !rule.granted.is_empty() && !rule.granted.contains(&Capability::Deny);
        if !filled.is_empty() || grants {
            return filled.into_iter().map(|path| with(path, &rule.granted)).collect();
        }
        expand(&rule.path, values, Some(&any)).into_iter().map(|path| with(path, &[Capability::Deny])).collect()
    };
    rules.iter().flat_map(become_rules).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn decisions_agree_with_the_slow_reference(
        rules in any_rules(),
        values in proptest::array::uniform7(any_value()),
        path in any_path(),
        wanted in prop_oneof![Just(Capability::Read), Just(Capability::List)],
        wrapping_ttl in prop_oneof![Just(0_u64), Just(10), Just(15), Just(30)],
        split in 0_usize..8,
    ) {
        let (one, other) = rules.split_at(split.min(rules.len()));
        let acl = acl_for(&facts(&values), &[&text_of(one), &text_of(other)]);
        let ask = Ask { path: &path, capability: wanted, fields: &Map::new(), wrapping_ttl: Some(Span(wrapping_ttl)) };
        let slow = expanded(&rules, &values, &path);
        // A value that ends with '+' before the closing '*' has no pattern that the reference could be asked about.
        prop_assume!(slow.iter().all(|rule| Pattern::parse(&rule.path).is_ok()));
        prop_assert_eq!(acl.allows(&ask), reference(&slow, &path, wanted, wrapping_ttl), "{:?}", slow);
    }

    #[test]
    fn a_denial_that_does_not_resolve_is_only_stricter(
        rules in proptest::collection::vec(any_rule(), 0..6),
        denied in any_templated_path(),
        value in prop_oneof![Just("a"), Just("b"), Just("ab")],
        path in any_path(),
    ) {
        let plain: Vec<_> = rules.into_iter().filter(|rule| !rule.path.contains("{{")).collect();
        let text = text_of(&plain) + &rule(&denied, &["deny"]);
        let resolved = acl_for(&facts(&[Some(value); 7]), &[&text]);
        let unresolved = acl_for(&IdentityFacts::default(), &[&text]);
        prop_assert!(reads(&resolved, &path) || !reads(&unresolved, &path));
    }

    #[test]
    fn no_template_panics_or_grants_unresolved(
        path in "(a|/|\\+|\\*|\\{\\{|\\}\\}|\\{|\\}| |\\.|é|\\{\\{identity\\.entity\\.(id|name|metadata\\.k)\\}\\}){1,12}",
        value in "(a|/|\\+|\\*|\\{|\\}|\\.|é|\n){0,4}",
        asked in any_path(),
    ) {
        if let Ok(policy) = Policy::parse("p", &rule(&path, &["read"])) {
            let policies = [Arc::new(policy)];
            if policies[0].is_templated() {
                prop_assert!(!reads(&Acl::of(&policies, &IdentityFacts::default()), &asked));
            }
            let _ = reads(&Acl::of(&policies, &facts(&[Some(&value); 7])), &asked);
        }
    }
}
