//! `limits/`: beyond which values people are told, and beyond which acts are refused.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Effect, Step};
use crate::auth::Sender;
use crate::engines::Change;
use crate::field;
use crate::limits::{self, Grounds, LIMITS_MAX, Limit, Metric, Rule, Wanted};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    metric: Option<String>,
    path: Option<String>,
    #[serde(default, deserialize_with = "given")]
    soft: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    hard: Option<Value>,
    until: Option<Value>,
    reason: Option<String>,
}

/// Tells `null`, which takes a value away, from a field that is not there.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads a value of a limit: a number, or nothing.
fn value(field: &str, given: &Value) -> Result<Option<u64>, Refusal> {
    match given {
        Value::Null => Ok(None),
        given => field::count(field, given).map(Some),
    }
}

/// Reads a moment: RFC 3339, or seconds since 1970.
fn moment(given: &Value) -> Result<Timestamp, Refusal> {
    let seconds = |text: &str| text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000_000));
    let nanoseconds = match given {
        Value::Number(number) => seconds(&number.to_string()),
        Value::String(text) => seconds(text).or_else(|| {
            text.parse::<jiff::Timestamp>().ok().and_then(|instant| i64::try_from(instant.as_nanosecond()).ok())
        }),
        _ => None,
    };
    nanoseconds.map(Timestamp).ok_or_else(|| {
        Refusal::invalid("'until' is a moment such as 2027-01-15T08:00:00Z, or a number of seconds since 1970")
    })
}

pub(super) fn list(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let all = call.tables.limits().all();
    if all.is_empty() {
        return Err(Refusal::missing().into());
    }
    let keys: Vec<&str> = all.iter().map(|rule| rule.limit.name.as_str()).collect();
    let info: serde_json::Map<String, Value> =
        all.iter().map(|rule| (rule.limit.name.clone(), shown(rule, call.now))).collect();
    Ok(Step::answer(Reply::data(&json!({ "keys": keys, "key_info": info }))?))
}

pub(super) fn read(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let rule = call.tables.limits().named(call.capture("name")).ok_or_else(Refusal::missing)?;
    Ok(Step::answer(Reply::data(&shown(rule, call.now))?))
}

fn shown(rule: &Rule, now: Timestamp) -> Value {
    let limit = &rule.limit;
    let raised = limit.raised_at(now).map(|raised| {
        json!({
            "hard": raised.hard,
            "until": raised.until.to_string(),
            "by": raised.by,
            "reason": raised.reason,
            "at": raised.at.to_string(),
        })
    });
    json!({
        "name": limit.name,
        "metric": limit.metric.word(),
        "path": limit.path,
        "soft": limit.soft,
        "hard": limit.hard,
        "hard_now": limit.hard_at(now),
        "raised": raised,
        "is_default": rule.is_default,
        "created_at": (!rule.is_default).then(|| limit.created_at.to_string()),
        "updated_at": (!rule.is_default).then(|| limit.updated_at.to_string()),
    })
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let name = call.capture("name");
    let metric = ask.metric.as_deref().map(metric).transpose()?;
    let mut limit = match known(call, view)? {
        Some(known) => {
            // Another metric or path would take a hard limit away for good.
            let same_path = ask.path.as_deref().is_none_or(|path| path.trim_start_matches('/') == known.path);
            if metric.is_some_and(|metric| metric != known.metric) || !same_path {
                let text = "the metric and the path of a limit stay as they are: make another limit";
                return Err(Refusal::invalid(text).into());
            }
            known
        }
        None => {
            let stored = call.tables.limits().all().iter().filter(|rule| !rule.is_default).count();
            if stored >= LIMITS_MAX {
                return Err(Refusal::invalid(format!("there are {LIMITS_MAX} limits already; delete one first")).into());
            }
            let metric = metric.ok_or_else(|| Refusal::invalid(metrics("a new limit needs a 'metric'")))?;
            Limit::new(name, metric, ask.path.as_deref(), call.now)?
        }
    };
    if let Some(soft) = &ask.soft {
        limit.set_soft(value("soft", soft)?)?;
    }
    let wanted = match &ask.hard {
        None => Wanted::Same,
        Some(hard) => value("hard", hard)?.map_or(Wanted::Nothing, Wanted::Value),
    };
    limit.set_hard(wanted, grounds(call, ask.until.as_ref(), ask.reason)?, call.now)?;
    limit.check()?;
    limit.updated_at = call.now;
    Ok(Step::commit(Reply::Empty, vec![limit.store(call.names)?]).then(Effect::ReloadTables))
}

/// Removes a limit. One with a hard value is not removed for good: it is taken away for a time, as a raise without bound.
pub(super) fn delete(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let slot = limits::slot(call.names, call.capture("name"));
    let change = match known(call, view)? {
        Some(mut limit) if limit.hard.is_some() => {
            let until = call.request.parameter("until").map(|until| Value::String(until.to_owned()));
            let reason = call.request.parameter("reason").map(str::to_owned);
            limit.set_hard(Wanted::Nothing, grounds(call, until.as_ref(), reason)?, call.now)?;
            limit.updated_at = call.now;
            limit.store(call.names)?
        }
        Some(_) | None => Change::Delete { slot },
    };
    Ok(Step::commit(Reply::Empty, vec![change]).then(Effect::ReloadTables))
}

/// Reads the limit that is to be changed from its row, so that of two who change it the second sees what the first has done. A limit
/// that is there from the start and has no row is a new one of that name.
fn known(call: &Call<'_>, view: &mut View) -> Result<Option<Limit>, Interrupt> {
    let name = call.capture("name");
    let stored = limits::stored(call.names, name, view)?;
    Ok(stored.or_else(|| limits::defaults().find(|limit| limit.name == name)))
}

fn metric(word: &str) -> Result<Metric, Refusal> {
    Metric::of(word).ok_or_else(|| Refusal::invalid(metrics(&format!("there is no metric {word:?}"))))
}

fn metrics(what: &str) -> String {
    let words: Vec<&str> = Metric::ALL.iter().map(|metric| metric.word()).collect();
    format!("{what}: one of {}", words.join(", "))
}

fn grounds(call: &Call<'_>, until: Option<&Value>, reason: Option<String>) -> Result<Grounds, Refusal> {
    let by = match call.sender {
        Sender::Token(identity) => {
            identity.entity().map_or_else(|| identity.token().display_name.clone(), |entity| entity.name.clone())
        }
        Sender::Stewards(_) => "stewards together".to_owned(),
        Sender::Stranger => return Err(Refusal::denied()),
    };
    let until = until.filter(|until| !until.is_null()).map(moment).transpose()?;
    // The reason is part of what people agree to; that of the header is not there any more when the request is made again.
    Ok(Grounds { until, reason: reason.unwrap_or_default(), by })
}
