//! Conversations of applications with a vault, kept as data: what is sent, and what the application reads of the answer.
//!
//! A file under `tests/conversations` is one conversation: `client` names the application, `headers` go with every
//! request, `steps` follow each other. A step has
//!
//! - `method` and `path` (below `/v1/`, with its query), and if wanted `body`, `headers` and `token`;
//! - `status`: the one that is expected;
//! - `answer`: what the body must hold at least. Objects may hold more; `"<text>"` stands for any text that is not
//!   empty, `"<number>"` for any number, `"<any>"` for anything that is there, `"<none>"` for nothing or null;
//! - `keep`: names for values of the answer, by their place in it (RFC 6901).
//!
//! `{{name}}` stands for a kept value, or for one that the test brings, such as `{{root}}`, in every text.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::https::Connection;

/// Values by the names that stand for them.
pub type Names = BTreeMap<String, String>;

/// One conversation.
pub struct Conversation {
    script: Value,
}

impl Conversation {
    /// Reads a file.
    ///
    /// # Errors
    /// Fails when it cannot be read or is no JSON with a client and at least one step.
    pub fn read(file: &Path) -> Result<Self> {
        let script: Value = serde_json::from_slice(&std::fs::read(file)?)?;
        ensure!(script.get("client").is_some_and(Value::is_string), "the client has no name");
        ensure!(steps(&script).next().is_some(), "there are no steps");
        Ok(Self { script })
    }

    /// Carries the conversation on, beginning with the values in `names`.
    ///
    /// # Errors
    /// Tells which step was not answered as expected, and how.
    pub fn carry_on(&self, connection: &mut Connection, mut names: Names) -> Result<()> {
        let common = self.script.get("headers").cloned().unwrap_or_default();
        for (position, step) in steps(&self.script).enumerate() {
            take(step, &common, connection, &mut names)
                .with_context(|| format!("step {}: {} {}", position + 1, text(step, "method"), text(step, "path")))?;
        }
        Ok(())
    }
}

fn steps(script: &Value) -> impl Iterator<Item = &Value> {
    script.get("steps").and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn take(step: &Value, common: &Value, connection: &mut Connection, names: &mut Names) -> Result<()> {
    const FIELDS: [&str; 9] = ["about", "method", "path", "headers", "token", "body", "status", "answer", "keep"];
    for field in step.as_object().context("a step is an object")?.keys() {
        ensure!(FIELDS.contains(&field.as_str()), "a step has no {field:?}");
    }
    let mut headers = Vec::new();
    for (name, value) in
        [Some(common), step.get("headers")].into_iter().flatten().filter_map(Value::as_object).flatten()
    {
        headers.push((name.clone(), filled(value.as_str().context("a header is a text")?, names)?));
    }
    if step.get("token").is_some() {
        headers.push(("X-Vault-Token".to_owned(), filled(text(step, "token"), names)?));
    }
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = step.get("body").map(|body| filled_in(body, names)).transpose()?;
    let path = filled(text(step, "path"), names)?;
    let reply = connection.call_with(text(step, "method"), &path, &headers, body.as_ref())?;
    let status = step.get("status").and_then(Value::as_u64).context("a step names the status that is expected")?;
    ensure!(u64::from(reply.status) == status, "expected {status}, got {}: {}", reply.status, reply.body);
    if let Some(expected) = step.get("answer") {
        let expected = filled_in(expected, names)?;
        compare(&expected, Some(&reply.body), "").with_context(|| format!("of {}", reply.body))?;
    }
    for (name, place) in step.get("keep").and_then(Value::as_object).into_iter().flatten() {
        names.insert(name.clone(), reply.text(place.as_str().context("a place is a text")?)?);
    }
    Ok(())
}

/// Puts values in the place of their names in a text.
fn filled(text: &str, names: &Names) -> Result<String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").with_context(|| format!("a name does not end: {text}"))?;
        out.push_str(before);
        out.push_str(names.get(name).with_context(|| format!("nothing is called {name:?}"))?);
        rest = after;
    }
    Ok(out + rest)
}

/// Puts values in the place of their names in every text of a value, and in the names of fields.
fn filled_in(value: &Value, names: &Names) -> Result<Value> {
    Ok(match value {
        Value::String(text) => Value::String(filled(text, names)?),
        Value::Array(items) => Value::Array(items.iter().map(|item| filled_in(item, names)).collect::<Result<_>>()?),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((filled(name, names)?, filled_in(value, names)?)));
            Value::Object(fields.collect::<Result<Map<_, _>>>()?)
        }
        other => other.clone(),
    })
}

/// Tells whether a value holds what is expected at least.
fn compare(expected: &Value, found: Option<&Value>, place: &str) -> Result<()> {
    if expected == "<none>" {
        ensure!(found.is_none_or(Value::is_null), "{place} is there");
        return Ok(());
    }
    let found = found.with_context(|| format!("{place} is not there"))?;
    match (expected, found) {
        (Value::String(kind), _) if kind == "<any>" => Ok(()),
        (Value::String(kind), Value::String(text)) if kind == "<text>" => {
            ensure!(!text.is_empty(), "{place} is empty");
            Ok(())
        }
        (Value::String(kind), Value::Number(_)) if kind == "<number>" => Ok(()),
        (Value::Object(fields), Value::Object(own)) => {
            fields.iter().try_for_each(|(name, value)| compare(value, own.get(name), &format!("{place}/{name}")))
        }
        _ if expected == found => Ok(()),
        _ => bail!("{place} is {found}, expected {expected}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn agrees(expected: &Value, found: &Value) -> bool {
        compare(expected, Some(found), "").is_ok()
    }

    #[test]
    fn answers_may_hold_more_but_not_less() {
        let found = json!({"auth": {"client_token": "t", "ttl": 5, "policies": ["a"], "gone": null}});
        assert!(agrees(&json!({"auth": {"client_token": "<text>", "ttl": "<number>"}}), &found));
        assert!(agrees(&json!({"auth": {"policies": ["a"], "gone": "<none>", "other": "<none>"}}), &found));
        assert!(agrees(&json!({"auth": "<any>"}), &found));
        for wrong in [
            json!({"auth": {"missing": "<any>"}}),
            json!({"auth": {"policies": []}}),
            json!({"auth": {"ttl": "<text>"}}),
            json!({"auth": {"client_token": "<number>"}}),
            json!({"auth": {"client_token": "<none>"}}),
            json!({"data": "<text>"}),
        ] {
            assert!(!agrees(&wrong, &found), "{wrong}");
        }
        assert!(!agrees(&json!("<text>"), &json!("")));
    }

    #[test]
    fn names_are_filled_in_everywhere_and_unknown_ones_are_mistakes() {
        let names = Names::from([("role".to_owned(), "app".to_owned())]);
        let value = json!({"a": ["role/{{role}}/x", 1], "{{role}}": true});
        assert!(filled_in(&value, &names).is_ok_and(|value| value == json!({"a": ["role/app/x", 1], "app": true})));
        assert!(filled("{{other}}", &names).is_err());
        assert!(filled("{{role", &names).is_err());
    }
}
