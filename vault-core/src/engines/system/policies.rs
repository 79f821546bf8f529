//! `policies/acl` and the older `policy`.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use super::{Call, Effect, Step};
use crate::approval::{Judge, check_rules};
use crate::engines::Change;
use crate::mounts;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};
use crate::wrapping::POLICY_NAME;

/// Longest name of a policy.
const NAME_LENGTH_BYTES_MAX: usize = 256;

/// Policies that nobody can write.
const PROTECTED: [&str; 2] = ["root", "response-wrapping"];

#[derive(Deserialize)]
struct Ask {
    policy: Option<String>,
    rules: Option<String>,
}

pub(super) fn list(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(answer(&json!({ "keys": names(call) }))?)
}

pub(super) fn read(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (name, text) = find(call)?;
    Ok(answer(&json!({ "name": name, "policy": text }))?)
}

/// Answers the older path, whose replies have other fields.
pub(super) fn list_legacy(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(answer(&json!({ "keys": names(call), "policies": names(call) }))?)
}

/// Answers the older path, whose replies have other fields.
pub(super) fn read_legacy(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (name, text) = find(call)?;
    Ok(answer(&json!({ "name": name, "rules": text }))?)
}

pub(super) fn write(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = checked_name(call)?;
    let ask: Ask = call.request.parse()?;
    let text = ask.policy.or(ask.rules).filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| Refusal::invalid("'policy' parameter not supplied or empty"))?;
    let policy = Policy::parse(&name, &text);
    let policy = policy.map_err(|error| Refusal::invalid(format!("failed to parse policy: {error}")))?;
    check_rules(&policy, &Judge { tables: call.tables, names: call.names, now: call.now })?;
    let change = mounts::store_policy(call.names, &name, &text);
    Ok(Step::commit(Reply::Empty, vec![change]).then(Effect::ReloadTables))
}

pub(super) fn delete(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = checked_name(call)?;
    if name == "default" {
        return Err(Refusal::invalid("cannot delete default policy").into());
    }
    let change = Change::Delete { slot: mounts::policy_slot(call.names, &name) };
    Ok(Step::commit(Reply::Empty, vec![change]).then(Effect::ReloadTables))
}

fn answer(data: &serde_json::Value) -> Result<Step, Refusal> {
    Ok(Step::answer(Reply::data(data)?))
}

fn names<'a>(call: &'a Call<'_>) -> Vec<&'a str> {
    // The policy of wrapping tokens is nobody's to give.
    let stored = call.tables.policies().map(|policy| policy.name()).filter(|name| *name != POLICY_NAME);
    stored.chain(["root"]).collect()
}

fn find<'a>(call: &'a Call<'_>) -> Result<(String, &'a str), Refusal> {
    let name = call.capture("name").to_lowercase();
    if name == "root" {
        return Ok((name, ""));
    }
    let text = call.tables.policy(&name).ok_or_else(Refusal::missing)?.text();
    Ok((name, text))
}

fn checked_name(call: &Call<'_>) -> Result<String, Refusal> {
    let name = call.capture("name").to_lowercase();
    if PROTECTED.contains(&name.as_str()) {
        return Err(Refusal::invalid(format!("cannot update or delete {name} policy")));
    }
    check_name(&name)?;
    Ok(name)
}

/// Checks what names of policies have in common.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let printable = |c: char| !c.is_whitespace() && !matches!(c, '/' | ',');
    if name.is_empty() || name.len() > NAME_LENGTH_BYTES_MAX || !name.chars().all(printable) {
        return Err(Refusal::invalid(format!(
            "a policy name has 1 to {NAME_LENGTH_BYTES_MAX} bytes without spaces, commas and slashes"
        )));
    }
    Ok(())
}
