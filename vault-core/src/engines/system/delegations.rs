//! `delegations`: votes that approvers hand on.

use data_encoding::HEXLOWER;
use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Step};
use crate::approval::{self, Visitor};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Given {
    /// The delegation in an envelope, as JSON; signed in service.
    envelope: Option<Value>,
}

/// Lists delegations: everybody may see who votes for whom.
pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut shown = Vec::new();
    for (id, stored) in approval::delegations(call.names, view)? {
        let delegation = stored.delegation()?;
        shown.push(json!({
            "id": id, "from": delegation.from, "from_name": stored.giver_name, "to": delegation.to,
            "paths": delegation.paths, "reason": delegation.reason, "uses_left": stored.uses_left,
            "created_at": stored.created_at.to_string(), "expires_at": delegation.expires_at().to_string(),
            "revoked_at": stored.revoked_at.map(|at| at.to_string()),
            "in_force": stored.revoked_at.is_none() && stored.uses_left > 0 && call.now < delegation.expires_at(),
        }));
    }
    let keys: Vec<_> = shown.iter().filter_map(|one| one.get("id").cloned()).collect();
    Ok(Step::answer(Reply::data(&json!({ "keys": keys, "delegations": shown }))?))
}

pub(super) fn give(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let given: Given = call.request.parse()?;
    let envelope = given.envelope.ok_or_else(|| Refusal::invalid("missing envelope"))?.to_string();
    let vault = HEXLOWER.encode(&call.vault.0);
    let (id, changes) = Visitor::of(call)?.delegate(&envelope, &vault, view)?;
    let notes = vec![("delegation", envelope)];
    Ok(Step::commit(Reply::data(&json!({ "id": id }))?, changes).noting(notes))
}

pub(super) fn revoke(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let change = Visitor::of(call)?.take_vote_back(call.capture("id"), view)?;
    Ok(Step::commit(Reply::Empty, vec![change]))
}
