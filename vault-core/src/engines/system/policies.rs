//! `policies/acl` and the older `policy`.

use serde::Deserialize;
use serde_json::json;

use super::{Call, Effect, Step};
use crate::engines::Change;
use crate::mounts;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request::Operation::{self, Delete, List, Read, Write};
use crate::view::Interrupt;

/// Longest name of a policy.
const NAME_LENGTH_BYTES_MAX: usize = 256;

/// Policies that nobody can write.
const PROTECTED: [&str; 2] = ["root", "response-wrapping"];

#[derive(Deserialize)]
struct Ask {
    policy: Option<String>,
    rules: Option<String>,
}

/// Answers `policies/acl`.
pub(super) fn current(call: &Call<'_>, name: &str) -> Result<Step, Interrupt> {
    let step = match (name, call.request.operation) {
        ("", List | Read) => answer(&json!({ "keys": names(call) })),
        (name, Read) if !name.is_empty() => {
            let (name, text) = find(call, name)?;
            answer(&json!({ "name": name, "policy": text }))
        }
        (name, operation) => change(call, name, operation),
    };
    Ok(step?)
}

/// Answers `policy`, whose replies have other fields.
pub(super) fn legacy(call: &Call<'_>, name: &str) -> Result<Step, Interrupt> {
    let step = match (name, call.request.operation) {
        ("", List | Read) => answer(&json!({ "keys": names(call), "policies": names(call) })),
        (name, Read) if !name.is_empty() => {
            let (name, text) = find(call, name)?;
            answer(&json!({ "name": name, "rules": text }))
        }
        (name, operation) => change(call, name, operation),
    };
    Ok(step?)
}

fn answer(data: &serde_json::Value) -> Result<Step, Refusal> {
    Ok(Step::answer(Reply::data(data)?))
}

fn names<'a>(call: &'a Call<'_>) -> Vec<&'a str> {
    let stored = call.tables.policies().map(|policy| policy.name());
    stored.chain(["root"]).collect()
}

fn find<'a>(call: &'a Call<'_>, name: &str) -> Result<(String, &'a str), Refusal> {
    let name = name.to_lowercase();
    if name == "root" {
        return Ok((name, ""));
    }
    let text = call.tables.policy(&name).ok_or_else(Refusal::missing)?.text();
    Ok((name, text))
}

fn change(call: &Call<'_>, name: &str, operation: Operation) -> Result<Step, Refusal> {
    let name = checked_name(name)?;
    let change = match operation {
        Write => {
            let ask: Ask = call.request.parse()?;
            let text = ask.policy.or(ask.rules).filter(|text| !text.trim().is_empty());
            let text = text.ok_or_else(|| Refusal::invalid("'policy' parameter not supplied or empty"))?;
            Policy::parse(&name, &text)
                .map_err(|error| Refusal::invalid(format!("failed to parse policy: {error}")))?;
            mounts::store_policy(call.names, &name, &text)
        }
        Delete if name == "default" => return Err(Refusal::invalid("cannot delete default policy")),
        Delete => Change::Delete { slot: mounts::policy_slot(call.names, &name) },
        _ => return Err(Refusal::unsupported()),
    };
    Ok(Step::commit(Reply::Empty, vec![change]).then(Effect::ReloadTables))
}

fn checked_name(name: &str) -> Result<String, Refusal> {
    let name = name.to_lowercase();
    if PROTECTED.contains(&name.as_str()) {
        return Err(Refusal::invalid(format!("cannot update or delete {name} policy")));
    }
    let printable = |c: char| !c.is_whitespace() && !matches!(c, '/' | ',');
    if name.is_empty() || name.len() > NAME_LENGTH_BYTES_MAX || !name.chars().all(printable) {
        return Err(Refusal::invalid(format!(
            "a policy name has 1 to {NAME_LENGTH_BYTES_MAX} bytes without spaces, commas and slashes"
        )));
    }
    Ok(name)
}
