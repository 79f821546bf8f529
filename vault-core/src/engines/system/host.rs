//! What the server knows of itself and of its machine.

use rand_core::CryptoRng;
use serde_json::{Value, json};

use super::{Call, Step};
use crate::question::{Answer, Question, ServerFacts};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

fn facts(view: &mut View) -> Result<&ServerFacts, Interrupt> {
    match view.ask(Question::Server)? {
        Answer::Server(facts) => Ok(facts),
        _ => Err(Refusal::internal("the server does not know itself").into()),
    }
}

fn answer(data: &Value) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::data(data)?))
}

/// Describes the machine, as far as the server looks at it.
pub(super) fn machine(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let facts = facts(view)?;
    answer(&json!({
        "timestamp": call.now.to_string(),
        "host": { "hostname": facts.hostname, "os": std::env::consts::OS, "kernelArch": std::env::consts::ARCH },
        "cpu": { "count": facts.cpus },
        "memory": { "total": facts.memory_bytes, "available": facts.memory_available_bytes },
    }))
}

/// Describes the one node there is.
pub(super) fn nodes(_: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let facts = facts(view)?;
    answer(&json!({ "nodes": [{
        "hostname": facts.hostname,
        "api_address": facts.api_address,
        "cluster_address": "",
        "active_node": true,
        "last_echo": null,
        "version": env!("CARGO_PKG_VERSION"),
    }] }))
}

/// Tells the settings that hold no secret and no path.
pub(super) fn settings(_: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let facts = facts(view)?;
    answer(&json!({
        "api_addr": facts.api_address,
        "storage": { "type": facts.storage_kind },
        "log_level": facts.log_level,
        "disable_sealwrap": true,
        "raw_storage_endpoint": false,
    }))
}

/// Tells how much is logged; the level is a setting of the server, not of the API.
pub(super) fn loggers(_: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let level = facts(view)?.log_level.clone();
    answer(&json!({ "keyturn": level }))
}

pub(super) fn refuse_loggers(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Err(Refusal::invalid("the log level is a setting of the server: change [log] and start it again").into())
}
