//! `control-group/` and `config/control-group`: held requests as clients of Vault's control groups know them.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::requests::say_yes;
use super::{Call, Step};
use crate::approval::{HeldRequest, Judge, Visitor, not_there, store_ttl_max};
use crate::engines::Effect;
use crate::field;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Span;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Named {
    accessor: Option<String>,
    /// A signed approval: an envelope as JSON.
    approval: Option<Value>,
}

impl Named {
    fn read(call: &Call<'_>) -> Result<(String, Option<String>), Refusal> {
        let named: Self = call.request.parse()?;
        let accessor = named.accessor.filter(|accessor| !accessor.is_empty());
        let accessor = accessor.ok_or_else(|| Refusal::invalid("missing accessor"))?;
        Ok((accessor, named.approval.map(|envelope| envelope.to_string())))
    }
}

pub(super) fn authorize(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (accessor, approval) = Named::read(call)?;
    let (step, is_approved) = say_yes(call, &accessor, approval.as_deref(), view, rng)?;
    Ok(Step { outcome: Ok(Reply::data(&json!({ "approved": is_approved }))?), ..step })
}

pub(super) fn request(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (accessor, _) = Named::read(call)?;
    let held = HeldRequest::read(call.names, &accessor, view)?.ok_or_else(not_there)?;
    // In bootstrap a root token may see everything; others learn of what concerns them.
    let is_root = call.identity()?.token().policies.iter().any(|policy| policy == "root");
    if !is_root {
        Visitor::of(call)?.part(&held, view)?.ok_or_else(not_there)?;
    }
    let standing = Judge { tables: call.tables, names: call.names, now: call.now }.judge(&held, view)?;
    let stated = held.stated()?;
    let votes: Vec<_> = held
        .votes
        .iter()
        .map(|vote| json!({ "entity_id": vote.entity.to_string(), "entity_name": vote.name }))
        .collect();
    let data = json!({
        "approved": standing.is_approved && (held.is_open(call.now) || held.word(call.now) == "released"),
        "state": held.word(call.now),
        "request_path": stated.path,
        "request_entity": { "id": stated.requester.entity, "name": stated.requester.name },
        "authorizations": votes,
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn read_config(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ttl_max = call.tables.control_group_ttl_max().unwrap_or(Span::ZERO);
    Ok(Step::answer(Reply::data(&json!({ "max_ttl": ttl_max.0 }))?))
}

pub(super) fn write_config(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    #[derive(Deserialize)]
    struct Asked {
        max_ttl: Option<Value>,
    }
    let asked: Asked = call.request.parse()?;
    let ttl_max = Some(field::span("max_ttl", asked.max_ttl.as_ref())?).filter(|ttl| !ttl.is_zero());
    let change = store_ttl_max(call.names, ttl_max)?;
    Ok(Step::commit(Reply::Empty, vec![change]).then(Effect::ReloadTables))
}

pub(super) fn delete_config(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let change = store_ttl_max(call.names, None)?;
    Ok(Step::commit(Reply::Empty, vec![change]).then(Effect::ReloadTables))
}
