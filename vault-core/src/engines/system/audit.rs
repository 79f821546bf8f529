//! `audit` and `audit-hash`: devices that follow the vault's own log. The log itself is always there, gates every
//! request, and is no device.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Call, Effect, Step};
use crate::audit::{DEVICES_MAX, Device, device_slot, device_target, hash_text};
use crate::engines::Change;
use crate::path::RequestPath;
use crate::question::{Answer, Question};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Enable {
    #[serde(rename = "type")]
    kind: Option<String>,
    description: Option<String>,
    options: Option<BTreeMap<String, Value>>,
    local: Option<bool>,
}

#[derive(Deserialize)]
struct HashAsk {
    input: Option<SecretText>,
}

pub(super) fn list(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let describe = |device: &Device| {
        json!({
            "type": device.target.kind(),
            "description": device.description,
            "options": device.options,
            "path": device.path,
            "local": false,
        })
    };
    let devices: Map<String, Value> =
        call.tables.audit_devices().iter().map(|device| (device.path.clone(), describe(device))).collect();
    Ok(Step::answer(Reply::data(&devices)?))
}

pub(super) fn enable(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Enable = call.request.parse()?;
    let path = path(call)?;
    if find(call, &path).is_some() {
        return Err(Refusal::invalid(format!("path {path:?} is in use already")).into());
    }
    if call.tables.audit_devices().len() >= DEVICES_MAX {
        return Err(Refusal::invalid(format!("there are {DEVICES_MAX} devices already; disable one first")).into());
    }
    if ask.local == Some(true) {
        return Err(Refusal::invalid("there is one server, so that no device is local to it: leave 'local' out").into());
    }
    let options = texts(ask.options.unwrap_or_default())?;
    let mut device = Device {
        target: device_target(ask.kind.as_deref().unwrap_or_default(), &options)?,
        prefix: options.get("prefix").cloned().unwrap_or_default(),
        path,
        description: ask.description.unwrap_or_default(),
        options,
        since: None,
    };
    // A device that cannot be opened is refused now rather than found to be silent when somebody needs it.
    match view.ask(Question::OpenDevice(device.target.clone()))? {
        Answer::Opened(end) => device.since = Some(*end),
        Answer::Failed(reason) => return Err(Refusal::invalid(format!("the device cannot be used: {reason}")).into()),
        _ => return Err(Refusal::internal("a device was answered with something else").into()),
    }
    Ok(Step::commit(Reply::Empty, vec![device.store(call.names)?])
        .then(Effect::ReloadTables)
        .then(Effect::FollowAuditDevices))
}

pub(super) fn disable(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let slot = device_slot(call.names, &path(call)?);
    // Read for its revision: what ends is this device, and not one that has taken its place.
    view.entry(&slot)?;
    Ok(Step::commit(Reply::Empty, vec![Change::Delete { slot }])
        .then(Effect::ReloadTables)
        .then(Effect::FollowAuditDevices))
}

/// Gives the hash that stands for a value in the log. All devices copy the same log, so the answer is the same for each.
pub(super) fn hash(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: HashAsk = call.request.parse()?;
    let input = ask.input.ok_or_else(|| Refusal::invalid("the \"input\" parameter is empty"))?;
    if find(call, &path(call)?).is_none() {
        return Err(Refusal::invalid(format!("unknown audit backend {:?}", call.capture("path"))).into());
    }
    Ok(Step::answer(Reply::data(&json!({ "hash": hash_text(input.expose(), call.audit_values) }))?))
}

fn path(call: &Call<'_>) -> Result<String, Refusal> {
    let path =
        RequestPath::parse(call.capture("path").as_bytes()).map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok(path.into_folder().as_str().to_owned())
}

fn find<'a>(call: &Call<'a>, path: &str) -> Option<&'a Device> {
    call.tables.audit_devices().iter().find(|device| device.path == path)
}

/// Reads options, whose values stock clients send as texts, numbers or truth values.
fn texts(options: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, Refusal> {
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(_) | Value::Bool(_) => Ok((name, value.to_string())),
        _ => Err(Refusal::invalid(format!("option {name:?} needs a text"))),
    };
    options.into_iter().map(text).collect()
}
