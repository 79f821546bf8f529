//! Reads the tree of a policy into rules, refusing what it does not know.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value as Json;

use super::capability::{Capabilities, Capability};
use super::control_group::ControlGroup;
use super::parameters::Parameters;
use super::pattern::Pattern;
use super::syntax::{Item, Node, Value};
use super::template::{IdentityFacts, Template};
use super::wrapping::WrappingBounds;
use super::{Policy, PolicyError};
use crate::time::Span;

/// Most rules of one policy.
const RULES_MAX: usize = 10_000;

/// What a policy says of one path.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) path: RulePath,
    pub(super) capabilities: Capabilities,
    pub(super) parameters: Parameters,
    pub(super) wrapping: WrappingBounds,
    pub(super) control_group: Option<Arc<ControlGroup>>,
}

/// Where a rule applies.
#[derive(Clone, Debug)]
pub(super) enum RulePath {
    /// The same for everybody.
    Plain(Pattern),
    /// For each identity elsewhere.
    Templated(Template),
}

impl RulePath {
    fn parse(written: &str) -> Result<Self, String> {
        if Template::is_in(written) {
            Template::parse(written).map(Self::Templated)
        } else {
            Pattern::parse(written).map(Self::Plain)
        }
    }

    /// Gives the pattern for one identity; `None` if a template does not resolve.
    pub(super) fn pattern(&self, facts: &IdentityFacts) -> Option<Cow<'_, Pattern>> {
        match self {
            Self::Plain(pattern) => Some(Cow::Borrowed(pattern)),
            Self::Templated(template) => template.fill(facts).map(Cow::Owned),
        }
    }
}

impl Policy {
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

pub(super) fn read(items: Vec<Item>) -> Result<Vec<Rule>, PolicyError> {
    let mut rules = Vec::new();
    for item in items {
        match item.key.as_str() {
            "path" => read_paths(item.node, &mut rules)?,
            "name" => {}
            key => return Err(error(item.line, format!("{key:?} is not known here: write path \"...\" {{ ... }}"))),
        }
        if rules.len() > RULES_MAX {
            return Err(error(item.line, format!("more than {RULES_MAX} rules")));
        }
    }
    Ok(rules)
}

/// Reads `path "a" { .. }` and the forms that JSON has for it: an object, or a list of objects.
fn read_paths(node: Node, rules: &mut Vec<Rule>) -> Result<(), PolicyError> {
    match node.value {
        Value::Object(paths) => paths.into_iter().try_for_each(|path| read_bodies(&path.key, path.node, rules)),
        Value::List(list) => list.into_iter().try_for_each(|node| read_paths(node, rules)),
        _ => Err(error(node.line, "a path needs a block: path \"secret/data/app\" { capabilities = [\"read\"] }")),
    }
}

fn read_bodies(path: &str, node: Node, rules: &mut Vec<Rule>) -> Result<(), PolicyError> {
    match node.value {
        Value::Object(attributes) => {
            let path = RulePath::parse(path).map_err(|reason| error(node.line, reason))?;
            rules.push(read_rule(path, node.line, attributes)?);
            Ok(())
        }
        Value::List(list) => list.into_iter().try_for_each(|node| read_bodies(path, node, rules)),
        _ => Err(error(node.line, format!("path {path:?} needs a block with capabilities"))),
    }
}

fn read_rule(path: RulePath, line: usize, attributes: Vec<Item>) -> Result<Rule, PolicyError> {
    let (capabilities, parameters) = (Capabilities::default(), Parameters::default());
    let wrapping = WrappingBounds::default();
    let mut rule = Rule { path, capabilities, parameters, wrapping, control_group: None };
    let (mut least, mut most) = (Span::ZERO, Span::ZERO);
    for Item { line, key, node } in attributes {
        match key.as_str() {
            "capabilities" => {
                for word in texts(line, &key, node)? {
                    read_capability(line, &word, &mut rule.capabilities)?;
                }
            }
            "policy" => read_shorthand(line, &text(line, &key, node)?, &mut rule.capabilities)?,
            "allowed_parameters" => rule.parameters.allow(read_lists(line, &key, node)?),
            "denied_parameters" => rule.parameters.deny(read_lists(line, &key, node)?),
            "required_parameters" => rule.parameters.require(texts(line, &key, node)?),
            "min_wrapping_ttl" => least = span(line, &key, node)?,
            "max_wrapping_ttl" => most = span(line, &key, node)?,
            "control_group" => {
                // Where a template does not resolve, nobody could tell what is to be held back.
                if matches!(rule.path, RulePath::Templated(_)) {
                    return Err(error(line, "a path with a template cannot have a control_group"));
                }
                if rule.control_group.replace(Arc::new(ControlGroup::read(line, node)?)).is_some() {
                    return Err(error(line, "a path has one control_group"));
                }
            }
            _ => return Err(error(line, format!("{key:?} is not known in a path block"))),
        }
    }
    if !most.is_zero() && least > most {
        return Err(error(line, "min_wrapping_ttl is longer than max_wrapping_ttl"));
    }
    rule.wrapping = WrappingBounds::new(least, most);
    Ok(rule)
}

fn read_capability(line: usize, word: &str, into: &mut Capabilities) -> Result<(), PolicyError> {
    match (Capability::parse(word), word) {
        (Some(capability), _) => into.add(capability),
        // Capabilities of operations that this server does not have grant nothing.
        (None, "subscribe" | "recover" | "scan") => {}
        (None, _) => {
            let known: Vec<&str> = Capability::ALL.into_iter().map(Capability::word).collect();
            return Err(error(line, format!("capability {word:?} is not known: take one of {}", known.join(", "))));
        }
    }
    Ok(())
}

/// Reads the old form `policy = "read"`.
fn read_shorthand(line: usize, word: &str, into: &mut Capabilities) -> Result<(), PolicyError> {
    use Capability::{Create, Delete, Deny, List, Read, Sudo, Update};
    let meant: &[Capability] = match word {
        "deny" => &[Deny],
        "read" => &[Read, List],
        "write" => &[Create, Read, Update, Delete, List],
        "sudo" => &[Create, Read, Update, Delete, List, Sudo],
        _ => return Err(error(line, format!("policy {word:?} is not known: write capabilities = [...]"))),
    };
    meant.iter().for_each(|capability| into.add(*capability));
    Ok(())
}

/// Reads an object of lists, such as `{ "name" = ["a", "b*"] }`.
fn read_lists(line: usize, key: &str, node: Node) -> Result<Vec<(String, Vec<Json>)>, PolicyError> {
    let wrong = || error(line, format!("{key} needs an object of lists: {{ \"name\" = [\"value\"] }}"));
    let Value::Object(items) = node.value else { return Err(wrong()) };
    items
        .into_iter()
        .map(|item| match item.node.value {
            Value::List(values) => Ok((item.key, values.into_iter().map(|value| json(value.value)).collect())),
            _ => Err(wrong()),
        })
        .collect()
}

fn json(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(truth),
        Value::Number(number) => Json::Number(number),
        Value::Text(text) => Json::String(text),
        Value::List(list) => Json::Array(list.into_iter().map(|node| json(node.value)).collect()),
        Value::Object(items) => Json::Object(items.into_iter().map(|item| (item.key, json(item.node.value))).collect()),
    }
}

pub(super) fn texts(line: usize, key: &str, node: Node) -> Result<Vec<String>, PolicyError> {
    let wrong = || error(line, format!("{key} needs a list of texts: [\"...\"]"));
    let Value::List(list) = node.value else { return Err(wrong()) };
    let text = |node: Node| match node.value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong()),
    };
    list.into_iter().map(text).collect()
}

pub(super) fn text(line: usize, key: &str, node: Node) -> Result<String, PolicyError> {
    match node.value {
        Value::Text(text) => Ok(text),
        _ => Err(error(line, format!("{key} needs a text"))),
    }
}

pub(super) fn span(line: usize, key: &str, node: Node) -> Result<Span, PolicyError> {
    let text = match node.value {
        Value::Text(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Err(error(line, format!("{key} needs a length of time"))),
    };
    Span::parse(&text).map_err(|reason| error(line, format!("{key}: {reason}")))
}

pub(super) fn error(line: usize, reason: impl Into<String>) -> PolicyError {
    PolicyError { line, reason: reason.into() }
}
