//! `rotate` and `key-status`: the barrier's key. The driver rotates it before the answer is given.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Effect, Step};
use crate::field;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::seal::rotation::RotationSettings;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Settings {
    enabled: Option<bool>,
    max_operations: Option<u64>,
    interval: Option<Value>,
}

pub(super) fn rotate(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::Empty).then(Effect::Rotate))
}

pub(super) fn status(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let facts = &call.keyring;
    let data = json!({
        "term": facts.term.0,
        "install_time": facts.installed_at.to_string(),
        "encryptions": facts.encryptions,
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn read_settings(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let settings = RotationSettings::read(call.names, view)?;
    let data = json!({
        "enabled": settings.enabled,
        "max_operations": settings.max_operations,
        "interval": settings.interval.0,
    });
    Ok(Step::answer(Reply::data(&data)?))
}

/// Writes the settings, for those who hold `sudo`; what is left out stays as it is.
pub(super) fn write_settings(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    if !call.has_sudo()? {
        return Err(Refusal::denied().into());
    }
    let asked: Settings = call.request.parse()?;
    let mut settings = RotationSettings::read(call.names, view)?;
    settings.enabled = asked.enabled.unwrap_or(settings.enabled);
    settings.max_operations = asked.max_operations.unwrap_or(settings.max_operations);
    if asked.interval.is_some() {
        settings.interval = field::span("interval", asked.interval.as_ref())?;
    }
    Ok(Step::commit(Reply::Empty, vec![settings.store(call.names)?]).then(Effect::CheckRotation))
}
