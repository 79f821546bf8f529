//! `revoke`, `revoke-self`, `revoke-accessor` and `revoke-orphan`.

use rand_core::CryptoRng;

use super::{Call, Effect, Step, Subject};
use crate::auth::token::{self, Kind, TokenId};
use crate::engines::Change;
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::view::{Interrupt, View};

pub(super) fn presented(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    match super::presented(call, view) {
        Ok(subject) => Ok(revoke(call, &subject)?),
        // What is not alive needs no revoking; whoever asks wants it gone.
        Err(Interrupt::Refuse(refusal)) if refusal.class == Class::Denied => {
            Err(Refusal::invalid("token to revoke not found").into())
        }
        Err(interrupt) => Err(interrupt),
    }
}

pub(super) fn own(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(revoke(call, &super::own(call)?)?)
}

pub(super) fn by_accessor(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(revoke(call, &super::by_accessor(call, view)?)?)
}

/// Ends a token at once, and with it its whole family.
fn revoke(call: &Call<'_>, subject: &Subject) -> Result<Step, Refusal> {
    check_revocable(subject)?;
    let changes = token::revoke(call.names, &subject.id, &subject.token);
    Ok(Step::commit(Reply::Empty, changes).then(Effect::Purge))
}

/// Refuses tokens that only their end and that of their parents ends: an answer that it was done would be a lie.
fn check_revocable(subject: &Subject) -> Result<(), Refusal> {
    match subject.token.kind {
        Kind::Service => Ok(()),
        Kind::Batch => Err(Refusal::invalid("batch tokens cannot be revoked")),
    }
}

/// Ends a token and makes orphans of its children, in one batch.
pub(super) fn keeping_children(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let subject = super::presented(call, view)?;
    check_revocable(&subject)?;
    let folder = token::children(call.names, &subject.id);
    let children: Vec<TokenId> = view.list(&folder)?.iter().map(|name| TokenId::from_stored(name)).collect();
    let slots: Vec<_> = children.iter().map(|child| child.slot(call.names)).collect();
    view.prefetch(&slots);
    let mut changes = token::revoke(call.names, &subject.id, &subject.token);
    for (child, slot) in children.iter().zip(slots) {
        changes.push(Change::Delete { slot: call.names.entry(&folder, child.as_str()) });
        if let Some((mut token, _)) = token::read(&slot, view)? {
            token.parent = None;
            changes.push(Change::Put { slot, payload: token.encode()? });
        }
    }
    Ok(Step::commit(Reply::Empty, changes).then(Effect::Purge))
}
