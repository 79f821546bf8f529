//! Rules over the fields of a body: which may, must not and must be given.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The name that stands for every field.
const ANY: &str = "*";

/// What a rule says of the fields of a body. Field names are compared in lower case.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parameters {
    /// Allowed fields with their allowed values, none meaning any; nothing at all allows everything.
    allowed: Option<BTreeMap<String, Vec<Value>>>,
    /// Denied fields with their denied values, none meaning any.
    denied: BTreeMap<String, Vec<Value>>,
    required: Vec<String>,
}

impl Parameters {
    pub(super) fn allow(&mut self, fields: Vec<(String, Vec<Value>)>) {
        add(self.allowed.get_or_insert_default(), fields);
    }

    pub(super) fn deny(&mut self, fields: Vec<(String, Vec<Value>)>) {
        add(&mut self.denied, fields);
    }

    pub(super) fn require(&mut self, fields: Vec<String>) {
        self.required.extend(fields.into_iter().map(|field| field.to_lowercase()));
    }

    /// Tells whether there is nothing to check.
    pub(super) fn is_empty(&self) -> bool {
        self.allowed.is_none() && self.denied.is_empty() && self.required.is_empty()
    }

    /// Joins the rules that several policies have for one pattern: what either denies or requires stays so; what
    /// either allows is allowed, and one that restricts nothing lifts the other's restriction, as in Vault.
    pub(super) fn join(&mut self, other: &Self) {
        match (&mut self.allowed, &other.allowed) {
            (Some(own), Some(theirs)) => add(own, theirs.clone().into_iter().collect()),
            (own, _) => *own = None,
        }
        add(&mut self.denied, other.denied.clone().into_iter().collect());
        self.required.extend(other.required.iter().cloned());
    }

    /// Tells whether a body passes.
    pub(super) fn pass(&self, fields: &Map<String, Value>) -> bool {
        let given: Vec<(String, &Value)> = fields.iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
        let has = |required: &String| given.iter().any(|(name, _)| name == required);
        self.required.iter().all(has)
            && !given.iter().any(|(name, value)| self.denies(name, value))
            && given.iter().all(|(name, value)| self.allows(name, value))
    }

    fn denies(&self, name: &str, value: &Value) -> bool {
        self.denied.contains_key(ANY) || self.denied.get(name).is_some_and(|values| covers(values, value))
    }

    fn allows(&self, name: &str, value: &Value) -> bool {
        match &self.allowed {
            None => true,
            Some(allowed) => allowed.get(name).or_else(|| allowed.get(ANY)).is_some_and(|values| covers(values, value)),
        }
    }
}

/// Adds fields; an empty list means any value and swallows the others.
fn add(into: &mut BTreeMap<String, Vec<Value>>, fields: Vec<(String, Vec<Value>)>) {
    for (name, values) in fields {
        match into.entry(name.to_lowercase()) {
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(values)),
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                if entry.get().is_empty() || values.is_empty() {
                    entry.get_mut().clear();
                } else {
                    entry.get_mut().extend(values);
                }
            }
        }
    }
}

/// Tells whether a list of values covers a value. Texts may begin or end with `*`.
fn covers(values: &[Value], value: &Value) -> bool {
    values.is_empty() || values.iter().any(|pattern| matches(pattern, value))
}

fn matches(pattern: &Value, value: &Value) -> bool {
    let (Value::String(pattern), Value::String(text)) = (pattern, value) else { return pattern == value };
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pass(parameters: &Parameters, fields: Value) -> bool {
        parameters.pass(fields.as_object().unwrap())
    }

    #[test]
    fn fields_are_allowed_denied_and_required() {
        let mut allowed = Parameters::default();
        allowed.allow(vec![("Ttl".to_owned(), vec![json!("1h"), json!("2*")]), ("name".to_owned(), vec![])]);
        assert!(pass(&allowed, json!({"ttl": "1h", "NAME": 7})) && pass(&allowed, json!({"ttl": "24h"})));
        assert!(!pass(&allowed, json!({"ttl": "3h"})) && !pass(&allowed, json!({"other": 1})));
        allowed.allow(vec![("*".to_owned(), vec![])]);
        assert!(pass(&allowed, json!({"other": 1})) && !pass(&allowed, json!({"ttl": "3h"})));
        let mut denied = Parameters::default();
        denied.deny(vec![("policies".to_owned(), vec![json!("*root*")])]);
        assert!(pass(&denied, json!({"policies": "a"})) && !pass(&denied, json!({"policies": "my-root-x"})));
        let mut required = Parameters::default();
        required.require(vec!["reason".to_owned()]);
        assert!(pass(&required, json!({"Reason": ""})) && !pass(&required, json!({})));
    }

    #[test]
    fn joining_keeps_denials() {
        let mut one = Parameters::default();
        one.allow(vec![("a".to_owned(), vec![])]);
        let mut other = Parameters::default();
        other.deny(vec![("b".to_owned(), vec![])]);
        one.join(&other);
        assert!(pass(&one, json!({"c": 1})) && !pass(&one, json!({"b": 1})));
    }
}
