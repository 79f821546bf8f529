//! `config`: the settings of the mount.

use serde::Deserialize;
use serde_json::{Value, json};

use super::record::{Config, VERSIONS_MAX};
use crate::engines::{Call, Change, Step};
use crate::names::Slot;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Span;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Write {
    max_versions: Option<u64>,
    cas_required: Option<bool>,
    delete_version_after: Option<Value>,
}

/// Reads the settings of the mount.
pub(super) fn load(call: &Call<'_>, view: &mut View) -> Result<Config, Interrupt> {
    match view.entry(&slot(call))? {
        Some(opened) => Ok(Config::decode(&opened.payload)?),
        None => Ok(Config::default()),
    }
}

pub(super) fn read(call: &Call<'_>, view: &mut View) -> Result<Step, Interrupt> {
    let config = load(call, view)?;
    let data = json!({
        "max_versions": config.max_versions,
        "cas_required": config.cas_required,
        "delete_version_after": span_text(config.delete_version_after),
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn write(call: &Call<'_>, view: &mut View) -> Result<Step, Interrupt> {
    let asked: Write = call.request.parse()?;
    let mut config = load(call, view)?;
    if let Some(max_versions) = asked.max_versions {
        config.max_versions = checked_versions(max_versions)?;
    }
    config.cas_required = asked.cas_required.unwrap_or(config.cas_required);
    if let Some(span) = &asked.delete_version_after {
        config.delete_version_after = parse_span("delete_version_after", span)?;
    }
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot: slot(call), payload: config.encode()? }]))
}

/// Checks a number of versions to keep.
pub(super) fn checked_versions(max_versions: u64) -> Result<u64, Refusal> {
    if max_versions <= VERSIONS_MAX {
        Ok(max_versions)
    } else {
        Err(Refusal::invalid(format!("max_versions is {max_versions}; at most {VERSIONS_MAX} can be kept")))
    }
}

/// Reads a length of time given as a number of seconds or as text.
pub(super) fn parse_span(field: &str, value: &Value) -> Result<Span, Refusal> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Span::parse(&text).map_err(|error| Refusal::invalid(format!("{field}: {error}")))
}

/// Writes a length of time as stock clients expect it: `3h25m19s`.
pub(super) fn span_text(span: Span) -> String {
    let (hours, minutes, seconds) = (span.0 / 3600, span.0 / 60 % 60, span.0 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn slot(call: &Call<'_>) -> Slot {
    call.names.entry(&call.mount.folder(call.names, "config"), "config")
}
