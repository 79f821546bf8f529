//! What is deliberately not here: refused with the reason, or answered truthfully as empty.

use rand_core::CryptoRng;
use serde_json::{Value, json};

use super::{Call, Step};
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::view::{Interrupt, View};

fn refuse(text: &str) -> Result<Step, Interrupt> {
    Err(Refusal::invalid(text).into())
}

fn answer(data: &Value) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::data(data)?))
}

pub(super) fn raw(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    refuse("there is no raw access: rows are read and written only through their engines, against a record")
}

pub(super) fn profiles(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    refuse("profiles of the process are not given out: they can hold pieces of secrets")
}

pub(super) fn monitor(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    refuse("the server's log is not given out over the API; read it where the server runs")
}

pub(super) fn second_factors(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    refuse("second factors of logins are not supported; approval by a second person is another thing")
}

/// There is no namespace besides the root.
pub(super) fn namespaces(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Err(Refusal::missing().into())
}

pub(super) fn refuse_namespace(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    refuse("this server has no namespaces: use mounts and policies to keep teams apart")
}

pub(super) fn cors(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    answer(&json!({ "enabled": false }))
}

pub(super) fn refuse_cors(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    refuse("pages of other origins cannot be let in: this server has no use for browsers")
}

/// Disables what is never enabled.
pub(super) fn nothing(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::Empty))
}

pub(super) fn missing(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Err(Refusal::missing().into())
}

pub(super) fn refuse_ui_headers(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    refuse("there is no web interface whose headers could be set")
}

pub(super) fn no_audited_headers(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    answer(&json!({ "headers": {} }))
}

pub(super) fn refuse_audited_headers(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    refuse("request headers are not put on record; what decides a request is")
}

/// Says that one server neither replicates nor has anybody to replicate to.
pub(super) fn replication(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    answer(&json!({ "dr": { "mode": "disabled" }, "performance": { "mode": "disabled" } }))
}

pub(super) fn experiments(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    answer(&json!({ "available": [], "enabled": [] }))
}

/// The licence of the program never ends and needs no key.
pub(super) fn license(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Err(Refusal::new(Class::Missing, "this program needs no licence key").into())
}
