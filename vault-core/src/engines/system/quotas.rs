//! `quotas/`: how many requests one client may make below a path.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Effect, Step};
use crate::engines::Change;
use crate::field::span;
use crate::quota::{self, LIMITS_MAX, RateLimit};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Span;
use crate::view::{Interrupt, View};

/// Longest name of a limit.
const NAME_LENGTH_BYTES_MAX: usize = 256;

#[derive(Deserialize)]
struct Ask {
    rate: Option<Value>,
    path: Option<String>,
    interval: Option<Value>,
    block_interval: Option<Value>,
    role: Option<String>,
    inheritable: Option<bool>,
}

pub(super) fn list(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut keys: Vec<&str> = call.tables.rate_limits().iter().map(|limit| limit.name.as_str()).collect();
    keys.sort_unstable();
    if keys.is_empty() {
        return Err(Refusal::missing().into());
    }
    Ok(Step::answer(Reply::data(&json!({ "keys": keys }))?))
}

pub(super) fn read(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let limit = find(call).ok_or_else(Refusal::missing)?;
    Ok(Step::answer(Reply::data(&json!({
        "name": limit.name,
        "type": "rate-limit",
        "path": limit.path,
        "rate": limit.rate,
        "interval": limit.interval.0,
        "block_interval": limit.block_interval.0,
        "role": "",
        "inheritable": true,
    }))?))
}

pub(super) fn write(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let name = call.capture("name");
    if name.len() > NAME_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("a name has at most {NAME_LENGTH_BYTES_MAX} bytes")).into());
    }
    if ask.role.is_some_and(|role| !role.is_empty()) {
        return Err(Refusal::invalid("limits by login role are not supported: leave 'role' out").into());
    }
    if ask.inheritable == Some(false) {
        return Err(Refusal::invalid("a limit holds for all below its path: leave 'inheritable' out").into());
    }
    let known = find(call).cloned();
    if known.is_none() && call.tables.rate_limits().len() >= LIMITS_MAX {
        return Err(Refusal::invalid(format!("there are {LIMITS_MAX} limits already; delete one first")).into());
    }
    let mut limit = known.unwrap_or_else(|| RateLimit {
        name: name.to_owned(),
        path: String::new(),
        rate: 0.0,
        interval: Span(1),
        block_interval: Span::ZERO,
    });
    if let Some(rate) = &ask.rate {
        limit.rate = number(rate).ok_or_else(|| Refusal::invalid("'rate' is a number of requests"))?;
    }
    if !(limit.rate.is_finite() && limit.rate > 0.0) {
        return Err(Refusal::invalid("'rate' must be more than 0: a limit of nothing would lock everybody out").into());
    }
    if let Some(path) = ask.path {
        limit.path = path.trim_start_matches('/').to_owned();
    }
    if let Some(interval) = &ask.interval {
        limit.interval = span("interval", Some(interval))?;
    }
    if limit.interval.is_zero() {
        return Err(Refusal::invalid("'interval' must be at least one second").into());
    }
    if let Some(block) = &ask.block_interval {
        limit.block_interval = span("block_interval", Some(block))?;
    }
    check_path(call, &limit)?;
    Ok(Step::commit(Reply::Empty, vec![limit.store(call.names)?]).then(Effect::ReloadTables))
}

pub(super) fn delete(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let change = Change::Delete { slot: quota::slot(call.names, call.capture("name")) };
    Ok(Step::commit(Reply::Empty, vec![change]).then(Effect::ReloadTables))
}

/// Tells what holds for all limits; none of it can be set.
pub(super) fn settings(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::data(&json!({
        "enable_rate_limit_audit_logging": true,
        "enable_rate_limit_response_headers": false,
        "rate_limit_exempt_paths": ["sys/health", "sys/seal-status", "sys/unseal", "sys/seal", "sys/quotas/"],
    }))?))
}

pub(super) fn refuse_settings(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Err(Refusal::invalid("refusals by limits are always on record, and which paths are exempt is fixed").into())
}

fn find<'a>(call: &Call<'a>) -> Option<&'a RateLimit> {
    let name = call.capture("name");
    call.tables.rate_limits().iter().find(|limit| limit.name == name)
}

/// Checks that no other limit holds for the same path, so that it is clear which one counts.
fn check_path(call: &Call<'_>, limit: &RateLimit) -> Result<(), Refusal> {
    let bare = |limit: &RateLimit| limit.path.trim_end_matches('/').to_owned();
    let same = call.tables.rate_limits().iter().find(|other| other.name != limit.name && bare(other) == bare(limit));
    match same {
        None => Ok(()),
        Some(other) => Err(Refusal::invalid(format!("the limit {:?} holds for this path already", other.name))),
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}
