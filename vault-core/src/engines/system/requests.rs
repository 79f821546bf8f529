//! `requests`: what waits for people, and what they say of it.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Step};
use crate::approval::{
    self, Agreed, Bearer, Counted, HeldRequest, Judge, Part, Visitor, Weight, make_again, not_there, tell,
};
use crate::auth::token::Issuers;
use crate::charter::Digest;
use crate::engines::{Effect, Follow};
use crate::identity;
use crate::notice::Event;
use crate::policy::Applies;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// What people say; which fields are needed depends on what.
#[derive(Deserialize)]
struct Said {
    /// The digest of the statement that was looked at.
    digest: Option<String>,
    /// A signed approval or denial: an envelope as JSON.
    envelope: Option<Value>,
    reason: Option<String>,
    text: Option<String>,
}

impl Said {
    fn envelope(&self) -> Option<String> {
        self.envelope.as_ref().map(Value::to_string)
    }
}

/// Lists what concerns the caller: what waits for them, what they asked for, and what has ended.
pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let visitor = Visitor::of(call)?;
    let folder = approval::folder(call.names);
    let ids = view.list(&folder)?.to_vec();
    let slots: Vec<_> = ids.iter().map(|id| call.names.entry(&folder, id)).collect();
    view.prefetch(&slots);
    let (mut waiting, mut asked, mut history, mut keys) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut requests = Vec::with_capacity(ids.len());
    for id in &ids {
        requests.extend(HeldRequest::read(call.names, id, view)?);
    }
    visitor.prefetch(&requests, view);
    for held in requests {
        let Some(part) = visitor.part(&held, view)? else { continue };
        keys.push(held.id.clone());
        let line = summary(call, &held)?;
        match part {
            _ if !held.is_open(call.now) => history.push(line),
            Part::Requester | Part::Issuer => asked.push(line),
            Part::Approver | Part::Delegate | Part::Trainee => waiting.push(line),
        }
    }
    let data = json!({ "keys": keys, "waiting": waiting, "asked": asked, "history": history });
    Ok(Step::answer(Reply::data(&data)?))
}

fn summary(call: &Call<'_>, held: &HeldRequest) -> Result<Value, Refusal> {
    let stated = held.stated()?;
    Ok(json!({
        "id": held.id,
        "state": held.word(call.now),
        "operation": stated.operation,
        "path": stated.path,
        "requester": stated.requester,
        "reason": stated.reason,
        "created_at": held.created_at.to_string(),
        "expires_at": held.expires_at.to_string(),
        "voted": held.votes.iter().map(|vote| vote.name.as_str()).collect::<Vec<_>>(),
    }))
}

/// Shows one request with everything that is needed to decide about it.
pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let held = HeldRequest::read(call.names, call.capture("id"), view)?.ok_or_else(not_there)?;
    let part = Visitor::of(call)?.part(&held, view)?.ok_or_else(not_there)?;
    let standing = Judge { tables: call.tables, names: call.names, now: call.now }.judge(&held, view)?;
    let shown: Value = serde_json::from_str(&held.shown).map_err(|error| Refusal::internal(error.to_string()))?;
    let votes = held.votes.iter().map(|vote| {
        let weight = match &vote.weight {
            Weight::Full => "full",
            Weight::Training => "training",
            Weight::Delegated { .. } => "delegated",
        };
        json!({
            "name": vote.name, "person": vote.human.person(), "at": vote.at.to_string(), "weight": weight,
            "key": vote.key, "is_signed": vote.envelope.is_some(),
        })
    });
    let comments = held.comments.iter();
    let comments = comments.map(|said| json!({ "by": said.by, "at": said.at.to_string(), "text": said.text }));
    let issued_by = held.requester.issued_by.as_ref().map(|by| issuers(call, by, view)).transpose()?;
    let Value::Object(mut data) = summary(call, &held)? else { return Err(not_there().into()) };
    let more = json!({
        "statement": held.statement,
        "digest": Digest::of(held.statement.as_bytes()).to_string(),
        "uses_left": held.uses_left,
        "affects": approval::affected(call.tables, &held.stated()?),
        "your_part": match part {
            Part::Requester => "requester",
            Part::Issuer => "issuer",
            Part::Approver => "approver",
            Part::Delegate => "delegate",
            Part::Trainee => "trainee",
        },
        "standing": standing,
        "votes": votes.collect::<Vec<_>>(),
        "comments": comments.collect::<Vec<_>>(),
        "shown": shown,
        "salt": shown.get("body").filter(|body| !body.is_null()).map(|_| held.salt_text()),
        "how_it_ended": held.ending(),
        "issued_by": issued_by,
    });
    if let Value::Object(more) = more {
        data.extend(more);
    }
    Ok(Step::answer(Reply::data(&data)?))
}

/// Shows through whose hands the login that asks came.
fn issuers(call: &Call<'_>, issued_by: &Issuers, view: &mut View) -> Result<Vec<Value>, Interrupt> {
    let mut shown = Vec::new();
    for hand in issued_by.hands() {
        let name = identity::find(call.names, hand.entity, view)?.map(|entity| entity.name);
        shown.push(json!({ "entity": hand.entity.to_string(), "name": name, "person": hand.person }));
    }
    Ok(shown)
}

pub(super) fn approve(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (id, said): (_, Said) = (call.capture("id"), call.request.parse()?);
    if said.envelope.is_none() {
        // Whoever has not looked at the request does not know its digest.
        let held = HeldRequest::read(call.names, id, view)?.ok_or_else(not_there)?;
        Visitor::of(call)?.part(&held, view)?.ok_or_else(not_there)?;
        if said.digest.as_deref() != Some(&Digest::of(held.statement.as_bytes()).to_string()) {
            let text = "look at the request first, and give the digest that it shows";
            return Err(Refusal::invalid(text).into());
        }
    }
    say_yes(call, id, said.envelope().as_deref(), view, rng).map(|(step, _)| step)
}

/// Takes an approval. With the last one a change takes effect at once, where its rules say so.
pub(super) fn say_yes(
    call: &Call<'_>,
    id: &str,
    envelope: Option<&str>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<(Step, bool), Interrupt> {
    let Agreed { held, standing, completes, counted, mut changes } = Visitor::of(call)?.approve(id, envelope, view)?;
    let data = json!({ "approved": standing.is_approved, "standing": standing });
    let notes = [("held_request", held.id.clone()), ("approval", envelope.unwrap_or_default().to_owned())];
    if completes {
        changes.extend(tell(call, &held, Event::Approved)?);
    }
    let mut step = Step::commit(Reply::data(&data)?, changes).noting(notes.to_vec()).then(Effect::DeliverNotices);
    step.effects.extend(counted.map(Effect::Count));
    let at_once = held.rules.iter().all(|rule| rule.applies == Applies::Approved);
    let stated = held.stated()?;
    // Votes beyond the last one use nothing again; they try once more what failed.
    let at_once = at_once && held.uses_left == stated.uses;
    if !(standing.is_approved && at_once) || matches!(stated.operation.as_str(), "read" | "list") {
        return Ok((step, standing.is_approved));
    }
    let again = make_again(call, &held, Bearer::Wrapping, view, rng)?;
    Ok((step.followed_by(Follow::Besides(again)), true))
}

pub(super) fn deny(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let said: Said = call.request.parse()?;
    let (envelope, reason) = (said.envelope(), said.reason.unwrap_or_default());
    let (held, changes, counted) = Visitor::of(call)?.deny(call.capture("id"), &reason, envelope.as_deref(), view)?;
    let notes = [("held_request", held.id), ("denial", envelope.unwrap_or_default()), ("reason", reason)];
    let step = Step::commit(Reply::Empty, changes).noting(notes.to_vec());
    Ok(step.then(Effect::DeliverNotices).then(Effect::Count(counted)))
}

pub(super) fn comment(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let said: Said = call.request.parse()?;
    let held = Visitor::of(call)?.comment(call.capture("id"), &said.text.unwrap_or_default(), view)?;
    Ok(Step::commit(Reply::Empty, vec![held.store(call.names)?]))
}

pub(super) fn cancel(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (held, changes) = Visitor::of(call)?.cancel(call.capture("id"), view)?;
    let counted = Effect::Count(Counted::ended(&held.id));
    let step = Step::commit(Reply::Empty, changes).noting(vec![("held_request", held.id)]);
    Ok(step.then(Effect::DeliverNotices).then(counted))
}

/// Makes the request again in its requester's name.
pub(super) fn redeem(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (held, part) = Visitor::of(call)?.open(call.capture("id"), view)?;
    if part != Part::Requester {
        return Err(not_there().into());
    }
    let again = make_again(call, &held, Bearer::Own, view, rng)?;
    Ok(Step::answer(Reply::Empty).followed_by(Follow::Instead(again)))
}
