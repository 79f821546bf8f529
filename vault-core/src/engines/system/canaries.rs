//! `canaries/`: secrets that nobody has a reason to read.

use rand_core::CryptoRng;
use serde_json::json;

use super::{Call, Effect, Step};
use crate::limits;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

pub(super) fn list(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let keys = limits::canaries(call);
    if keys.is_empty() {
        return Err(Refusal::missing().into());
    }
    Ok(Step::answer(Reply::data(&json!({ "keys": keys }))?))
}

pub(super) fn read(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let path = call.capture("path");
    let found = limits::canaries(call).into_iter().find(|canary| canary == path);
    let path = found.ok_or_else(Refusal::missing)?;
    Ok(Step::answer(Reply::data(&json!({ "path": path }))?))
}

pub(super) fn mark(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let change = limits::mark(call, call.capture("path"))?;
    Ok(Step::commit(Reply::Empty, vec![change]).then(Effect::ReloadTables))
}

pub(super) fn unmark(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let change = limits::unmark(call, call.capture("path"))?;
    Ok(Step::commit(Reply::Empty, vec![change]).then(Effect::ReloadTables))
}
