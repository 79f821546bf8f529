//! `control_group` in a policy: what people must agree to before a path answers.
//!
//! The form is Vault's: factors, each of so many members of identity groups. What is added to it: a quorum of the charter in
//! place of groups, a reason, several uses, what an approval is bound to, when a change takes effect, who else may cancel, and
//! groups in training, whose votes are kept and never count.

use serde::{Deserialize, Serialize};

use super::PolicyError;
use super::capability::Capability;
use super::rules::{error, span, text, texts};
use super::syntax::{Item, Node, Value};
use crate::time::Span;

/// How long a request waits where the rule says nothing.
const TTL_DEFAULT: Span = Span(24 * 3600);

/// Longest time that a request waits.
const TTL_MAX: Span = Span(30 * 24 * 3600);

/// Most uses of one grant.
const USES_MAX: u32 = 1_000;

/// Most people that one factor asks for.
const APPROVALS_MAX: u8 = 32;

/// Most factors of one control group.
const FACTORS_MAX: usize = 16;

/// Most groups that a factor, or a training, names.
const GROUPS_MAX: usize = 64;

/// Who must agree before a request goes on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlGroup {
    /// Each must be met, by other people than the other ones.
    pub factors: Vec<Factor>,
    /// How long a request waits, and a grant lives, counted from the request.
    pub ttl_seconds: Span,
    /// Whether a request needs a reason.
    pub reason_required: bool,
    /// How often a grant may be used.
    pub uses: u32,
    /// What an approval is bound to.
    pub binds: Binds,
    /// When a change takes effect.
    pub applies: Applies,
    /// Whether those who may approve may also take a request back; its requester always may.
    pub approvers_may_cancel: bool,
    /// Groups whose members vote to learn: kept, shown, never counted.
    pub training: Vec<String>,
}

/// One condition: so many of these people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// What the policy calls it.
    pub name: String,
    /// The capabilities that it holds back; empty for all.
    pub controlled: Vec<Capability>,
    /// Who counts.
    pub who: Who,
}

/// Who counts for a factor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// So many members of any of these identity groups.
    Groups {
        /// Groups by name.
        names: Vec<String>,
        /// Groups by id.
        ids: Vec<String>,
        /// How many people.
        approvals: u8,
    },
    /// A quorum of the charter: `change`, `charter`, or a group of approvers by name.
    Quorum(String),
}

/// What an approval is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binds {
    /// To what is there when the request is made: a change underneath ends it.
    Version,
    /// To whatever is there when a grant to read is used. Changes are always bound to a version.
    Latest,
}

/// When a change takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// When its requester redeems the grant, as in Vault.
    Redeemed,
    /// With the last approval.
    Approved,
}

impl ControlGroup {
    /// The rule of the charter over what gives power.
    pub fn of_charter_change() -> Self {
        let who = Who::Quorum("change".to_owned());
        Self {
            factors: vec![Factor { name: "stewards".to_owned(), controlled: Vec::new(), who }],
            ttl_seconds: Span(7 * 24 * 3600),
            reason_required: true,
            applies: Applies::Approved,
            ..Self::default()
        }
    }

    /// Gives the part of the rule that holds back a capability; nothing if none does.
    pub(super) fn over(&self, capability: Capability) -> Option<Self> {
        let holds = |factor: &&Factor| factor.controlled.is_empty() || factor.controlled.contains(&capability);
        let factors: Vec<Factor> = self.factors.iter().filter(holds).cloned().collect();
        Some(Self { factors, ..self.clone() }).filter(|rule| !rule.factors.is_empty())
    }

    /// Reads the rule out of a policy.
    pub(super) fn read(line: usize, node: Node) -> Result<Self, PolicyError> {
        let mut rule = Self::default();
        let mut ttl_max = None;
        for Item { line, key, node } in object(line, "control_group", node)? {
            match key.as_str() {
                "factor" => read_factors(node, &mut rule.factors)?,
                "ttl" => rule.ttl_seconds = positive_span(line, &key, node)?,
                "max_ttl" => ttl_max = Some(positive_span(line, &key, node)?),
                "reason_required" => rule.reason_required = truth(line, &key, node)?,
                "uses" => rule.uses = number(line, &key, node, USES_MAX)?,
                "binds" => {
                    let words = [("version", Binds::Version), ("latest", Binds::Latest)];
                    rule.binds = word(line, &key, node, &words)?;
                }
                "applies" => {
                    let words = [("redeemed", Applies::Redeemed), ("approved", Applies::Approved)];
                    rule.applies = word(line, &key, node, &words)?;
                }
                "approvers_may_cancel" => rule.approvers_may_cancel = truth(line, &key, node)?,
                "training_group_names" => rule.training = groups(line, &key, node)?,
                _ => return Err(error(line, format!("{key:?} is not known in a control_group"))),
            }
        }
        if rule.factors.is_empty() {
            return Err(error(line, "a control_group without a factor holds nothing back: add factor \"...\" { ... }"));
        }
        if rule.factors.len() > FACTORS_MAX {
            return Err(error(line, format!("more than {FACTORS_MAX} factors")));
        }
        if rule.factors.iter().filter(|factor| matches!(factor.who, Who::Quorum(_))).count() > 1 {
            return Err(error(line, "more than one factor names a quorum: make one of them in the charter"));
        }
        rule.ttl_seconds = rule.ttl_seconds.min(ttl_max.unwrap_or(TTL_MAX));
        Ok(rule)
    }
}

impl Default for ControlGroup {
    /// A rule that nothing meets yet, for one use within a day.
    fn default() -> Self {
        Self {
            factors: Vec::new(),
            ttl_seconds: TTL_DEFAULT,
            reason_required: false,
            uses: 1,
            binds: Binds::Version,
            applies: Applies::Redeemed,
            approvers_may_cancel: false,
            training: Vec::new(),
        }
    }
}

/// Reads `factor "a" { .. }` and the forms that JSON has for it: an object, or a list of objects.
fn read_factors(node: Node, factors: &mut Vec<Factor>) -> Result<(), PolicyError> {
    match node.value {
        Value::Object(named) => named.into_iter().try_for_each(|item| {
            if factors.iter().any(|factor| factor.name == item.key) {
                return Err(error(item.line, format!("the factor {:?} is there twice", item.key)));
            }
            let body = single(item.node);
            factors.push(read_factor(item.line, item.key, body)?);
            Ok(())
        }),
        Value::List(list) => list.into_iter().try_for_each(|node| read_factors(node, factors)),
        _ => Err(error(node.line, "a factor needs a name and a block: factor \"leads\" { identity { ... } }")),
    }
}

fn read_factor(line: usize, name: String, node: Node) -> Result<Factor, PolicyError> {
    let (mut controlled, mut who) = (Vec::new(), None);
    for Item { line, key, node } in object(line, "factor", node)? {
        let read = match key.as_str() {
            "identity" => read_identity(line, single(node))?,
            "quorum" => Who::Quorum(text(line, &key, node)?),
            "controlled_capabilities" => {
                for word in texts(line, &key, node)? {
                    read_controlled(line, &word, &mut controlled)?;
                }
                continue;
            }
            _ => return Err(error(line, format!("{key:?} is not known in a factor"))),
        };
        if who.replace(read).is_some() {
            return Err(error(line, format!("the factor {name:?} says twice who counts")));
        }
    }
    match who {
        Some(who) => Ok(Factor { name, controlled, who }),
        None => Err(error(line, format!("nobody counts for the factor {name:?}: add identity {{ ... }} or quorum"))),
    }
}

fn read_identity(line: usize, node: Node) -> Result<Who, PolicyError> {
    let (mut names, mut ids, mut approvals) = (Vec::new(), Vec::new(), None);
    for Item { line, key, node } in object(line, "identity", node)? {
        match key.as_str() {
            "group_names" => names = groups(line, &key, node)?,
            "group_ids" => ids = groups(line, &key, node)?,
            "approvals" => approvals = Some(number(line, &key, node, APPROVALS_MAX.into())?),
            _ => return Err(error(line, format!("{key:?} is not known in identity"))),
        }
    }
    let approvals = approvals.and_then(|number| u8::try_from(number).ok());
    let approvals = approvals.ok_or_else(|| error(line, "approvals is missing: how many people must agree?"))?;
    if names.is_empty() && ids.is_empty() {
        return Err(error(line, "nobody can agree: name groups in group_names or group_ids"));
    }
    Ok(Who::Groups { names, ids, approvals })
}

fn read_controlled(line: usize, word: &str, into: &mut Vec<Capability>) -> Result<(), PolicyError> {
    let meant = match (word, Capability::parse(word)) {
        ("write", _) => vec![Capability::Create, Capability::Update, Capability::Patch],
        (_, Some(Capability::Deny | Capability::Sudo) | None) => {
            return Err(error(line, format!("controlled_capabilities: {word:?} cannot be held back")));
        }
        (_, Some(capability)) => vec![capability],
    };
    for capability in meant {
        if !into.contains(&capability) {
            into.push(capability);
        }
    }
    Ok(())
}

/// JSON writes a block also as a list of one object.
fn single(node: Node) -> Node {
    match node.value {
        Value::List(mut list) if list.len() == 1 => list.pop().unwrap_or(Node { line: node.line, value: Value::Null }),
        value => Node { line: node.line, value },
    }
}

fn object(line: usize, what: &str, node: Node) -> Result<Vec<Item>, PolicyError> {
    match single(node).value {
        Value::Object(items) => Ok(items),
        _ => Err(error(line, format!("{what} needs a block: {what} {{ ... }}"))),
    }
}

fn groups(line: usize, key: &str, node: Node) -> Result<Vec<String>, PolicyError> {
    let named = texts(line, key, node)?;
    if named.len() > GROUPS_MAX || named.iter().any(String::is_empty) {
        return Err(error(line, format!("{key} names at most {GROUPS_MAX} groups, none of them empty")));
    }
    Ok(named)
}

fn truth(line: usize, key: &str, node: Node) -> Result<bool, PolicyError> {
    match node.value {
        Value::Bool(truth) => Ok(truth),
        _ => Err(error(line, format!("{key} is true or false"))),
    }
}

fn number(line: usize, key: &str, node: Node, most: u32) -> Result<u32, PolicyError> {
    let number = match node.value {
        Value::Number(number) => number.as_u64(),
        _ => None,
    };
    let number = number.and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| error(line, format!("{key} is a number from 1 to {most}")))
}

fn positive_span(line: usize, key: &str, node: Node) -> Result<Span, PolicyError> {
    let span = span(line, key, node)?;
    if span.is_zero() || span > TTL_MAX {
        return Err(error(line, format!("{key} is from 1 second to {} days", TTL_MAX.0 / 86_400)));
    }
    Ok(span)
}

fn word<T: Copy>(line: usize, key: &str, node: Node, words: &[(&str, T)]) -> Result<T, PolicyError> {
    let written = text(line, key, node)?;
    let found = words.iter().find(|(word, _)| *word == written);
    found.map(|(_, meant)| *meant).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        error(line, format!("{key} is one of {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::Map;

    use super::super::{Acl, Ask, IdentityFacts, Policy};
    use super::*;

    fn rule(body: &str) -> Result<ControlGroup, PolicyError> {
        let policy = Policy::parse("p", &format!("path \"a\" {{\n capabilities = [\"read\"]\n{body}\n}}"))?;
        Ok(policy.rules().first().and_then(|rule| rule.control_group.as_deref()).cloned().expect("a rule"))
    }

    const LEADS: &str = "factor \"leads\" { identity { group_names = [\"managers\", \"leads\"] approvals = 2 } }";

    #[test]
    fn the_forms_of_vault_are_read() {
        // As in the documentation of Vault's control groups.
        let read = rule(
            "control_group = {\n max_ttl = \"4h\"\n factor \"tech leads\" {\n controlled_capabilities = [\"read\", \
             \"write\"]\n identity {\n group_names = [\"managers\", \"leads\"]\n approvals = 2 } }\n factor \"CISOs\" {\n \
             identity { group_ids = [\"9d\"] approvals = 1 } } }",
        );
        let read = read.unwrap();
        assert_eq!((read.ttl_seconds, read.uses, read.binds), (Span(4 * 3600), 1, Binds::Version));
        let (names, ids) = (vec!["managers".to_owned(), "leads".to_owned()], Vec::new());
        assert_eq!(read.factors[0].who, Who::Groups { names, ids, approvals: 2 });
        assert_eq!(read.factors[1].who, Who::Groups { names: Vec::new(), ids: vec!["9d".to_owned()], approvals: 1 });
        assert_eq!(read.over(Capability::Read).unwrap().factors.len(), 2);
        assert_eq!(read.over(Capability::Update).unwrap().factors.len(), 2);
        assert_eq!(read.over(Capability::List).unwrap().factors.len(), 1);
        let json = "{\"path\": {\"a\": {\"capabilities\": [\"read\"], \"control_group\": {\"max_ttl\": \"4h\", \"factor\": \
                    [{\"leads\": {\"identity\": [{\"group_names\": [\"leads\"], \"approvals\": 1}]}}]}}}}";
        let policy = Policy::parse("p", json).unwrap();
        assert_eq!(policy.rules()[0].control_group.as_ref().unwrap().factors[0].name, "leads");
    }

    #[test]
    fn what_is_added_is_read() {
        let read = rule(&format!(
            "control_group {{ {LEADS} factor \"charter\" {{ quorum = \"group.database\" }}\n ttl = \"1h\" reason_required = true \
             uses = 3 binds = \"latest\" applies = \"approved\" approvers_may_cancel = true training_group_names = [\"new\"] }}"
        ))
        .unwrap();
        assert_eq!(read.factors[1].who, Who::Quorum("group.database".to_owned()));
        assert!(read.reason_required && read.approvers_may_cancel);
        assert_eq!((read.uses, read.binds, read.applies), (3, Binds::Latest, Applies::Approved));
        assert_eq!((read.ttl_seconds, read.training), (Span(3600), vec!["new".to_owned()]));
    }

    #[test]
    fn what_would_hold_nothing_back_does_not_parse() {
        let identity = |inside: &str| format!("control_group = {{ factor \"x\" {{ identity {{ {inside} }} }} }}");
        for (body, part) in [
            ("control_group = { }".to_owned(), "without a factor"),
            ("control_group = 1".to_owned(), "needs a block"),
            ("control_group = { factor \"x\" { } }".to_owned(), "nobody counts"),
            (identity("group_names = [\"g\"]"), "approvals is missing"),
            (identity("group_names = [\"g\"] approvals = 0"), "from 1 to 32"),
            (identity("group_names = [\"g\"] approvals = -1"), "from 1 to 32"),
            (identity("group_names = [\"g\"] approvals = 33"), "from 1 to 32"),
            (identity("group_names = [\"g\"] approvals = \"1\""), "from 1 to 32"),
            (identity("approvals = 1"), "nobody can agree"),
            (identity("group_names = [] approvals = 1"), "nobody can agree"),
            (identity("group_names = [\"\"] approvals = 1"), "none of them empty"),
            (format!("control_group = {{ {LEADS} uses = 0 }}"), "from 1 to"),
            (format!("control_group = {{ {LEADS} ttl = 0 }}"), "from 1 second"),
            (format!("control_group = {{ {LEADS} max_ttl = \"31d\" }}"), "30 days"),
            (format!("control_group = {{ {LEADS} binds = \"never\" }}"), "version, latest"),
            (format!("control_group = {{ {LEADS} {LEADS} }}"), "twice"),
            (format!("control_group = {{ {LEADS} reason = true }}"), "not known"),
            (
                "control_group = { factor \"x\" { quorum = \"a\" }\n factor \"y\" { quorum = \"b\" } }".to_owned(),
                "more than one factor",
            ),
            ("control_group = { factor \"x\" { quorum = \"a\" quorum = \"b\" } }".to_owned(), "says twice"),
            (
                "control_group = { factor \"x\" { quorum = \"a\" controlled_capabilities = [\"deny\"] } }".to_owned(),
                "cannot be held back",
            ),
        ] {
            let refused = rule(&body).err().unwrap_or_else(|| panic!("{body} was accepted"));
            assert!(refused.reason.contains(part), "{body}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn what_a_rule_grants_it_holds_back(path in "[ab+]{0,2}(/[ab+]{0,2}){0,3}[*]?", asked in "[ab]{0,2}(/[ab]{0,2}){0,3}") {
            let text = format!("path \"{path}\" {{ capabilities = [\"read\", \"list\"]\n control_group {{ {LEADS} }} }}");
            prop_assume!(!asked.ends_with("//"), "no request has such a path");
            if let Ok(policy) = Policy::parse("p", &text) {
                let acl = Acl::of(&[Arc::new(policy)], &IdentityFacts::default());
                for capability in [Capability::Read, Capability::List] {
                    let allows = |path| acl.allows(&Ask { path, capability, fields: &Map::new(), wrapping_ttl: None });
                    // Also with a slash at the end, which grants nothing.
                    let due = allows(&asked) || asked.strip_suffix('/').is_some_and(allows);
                    prop_assert_eq!(due, !acl.control_groups(&asked, capability).is_empty(), "{} {}", path, asked);
                }
            }
        }
    }
}
