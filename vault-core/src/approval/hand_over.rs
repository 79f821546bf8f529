//! Handing a vote on and taking it back.

use super::delegation::{
    DELEGATION_PAYLOAD_TYPE, DELEGATION_SPAN_MAX, DELEGATIONS_MAX, Delegation, GIVEN_MAX, StoredDelegation, folder,
    slot,
};
use super::human::Human;
use super::votes::Visitor;
use crate::engines::Change;
use crate::envelope::Envelope;
use crate::identity;
use crate::names::Names;
use crate::refusal::Refusal;
use crate::view::{Interrupt, View};

/// Lists all delegations that are kept.
///
/// # Errors
/// Stops when something must be fetched first.
pub(crate) fn delegations(names: &Names, view: &mut View) -> Result<Vec<(String, StoredDelegation)>, Interrupt> {
    let ids = view.list(&folder(names))?.to_vec();
    let slots: Vec<_> = ids.iter().map(|id| slot(names, id)).collect();
    view.prefetch(&slots);
    let mut found = Vec::new();
    for id in ids {
        if let Some(stored) = StoredDelegation::read(names, &id, view)? {
            found.push((id, stored));
        }
    }
    Ok(found)
}

impl Visitor<'_> {
    /// Hands the caller's vote on. Gives the name of the delegation and the changes that keep it; those that have ended go.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses what is not the caller's to give, and what has no bounds.
    pub(crate) fn delegate(
        &self,
        envelope: &str,
        vault: &str,
        view: &mut View,
    ) -> Result<(String, Vec<Change>), Interrupt> {
        let parsed = Envelope::parse(envelope.as_bytes()).map_err(|error| Refusal::invalid(error.to_string()))?;
        let delegation = Delegation::parse(&parsed)?;
        let (call, charter) = (self.call(), self.judge().charter());
        self.check_vote(view)?;
        let in_force = charter.map(|charter| charter.digest().to_string());
        if delegation.vault != vault || delegation.charter != in_force {
            return Err(Refusal::invalid("the delegation is for another vault, or made under another charter").into());
        }
        if delegation.from != self.human().key() {
            return Err(Refusal::denied_because("a vote is its owner's to hand on, and nobody else's").into());
        }
        let ends = delegation.expires_at();
        if ends <= call.now || ends > call.now.after(DELEGATION_SPAN_MAX) {
            return Err(Refusal::invalid("a delegation ends later than now, and within 30 days").into());
        }
        self.check_receiver(&delegation, view)?;
        self.check_signature(&parsed)?;
        let mut changes = Vec::new();
        let (mut kept, mut given): (usize, usize) = (0, 0);
        for (id, stored) in delegations(call.names, view)? {
            if id == delegation.nonce {
                return Err(Refusal::invalid("this delegation was given already").into());
            }
            let earlier = stored.delegation()?;
            if earlier.expires_at() <= call.now {
                changes.push(Change::Delete { slot: slot(call.names, &id) });
            } else {
                kept += 1;
                given += usize::from(earlier.from == delegation.from);
            }
        }
        if given >= GIVEN_MAX {
            return Err(
                Refusal::invalid(format!("you gave {GIVEN_MAX} delegations already, which have not ended")).into()
            );
        }
        if kept >= DELEGATIONS_MAX {
            return Err(Refusal::invalid(format!("there are {DELEGATIONS_MAX} delegations already")).into());
        }
        let stored = StoredDelegation {
            document: String::from_utf8_lossy(parsed.payload()).into_owned(),
            giver: self.entity().id,
            giver_name: self.entity().name.clone(),
            envelope: envelope.to_owned(),
            uses_left: delegation.uses,
            created_at: call.now,
            revoked_at: None,
        };
        changes.push(stored.store(call.names, &delegation.nonce)?);
        Ok((delegation.nonce, changes))
    }

    /// Takes the caller's vote back.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses whoever did not give it.
    pub(crate) fn take_vote_back(&self, id: &str, view: &mut View) -> Result<Change, Interrupt> {
        let names = self.call().names;
        let missing = || Refusal::invalid("you gave no delegation of this name");
        let mut stored = StoredDelegation::read(names, id, view)?.ok_or_else(missing)?;
        if stored.delegation()?.from != self.human().key() {
            return Err(missing().into());
        }
        stored.revoked_at.get_or_insert(self.call().now);
        Ok(stored.store(names, id)?)
    }

    /// Checks that the receiver could hold the vote: a person of the charter where there is one, else an entity.
    fn check_receiver(&self, delegation: &Delegation, view: &mut View) -> Result<(), Interrupt> {
        let unknown = || Refusal::invalid("the receiver is nobody who could hold this vote");
        match (Human::parse(&delegation.to).ok_or_else(unknown)?, self.judge().charter()) {
            (Human::Person(name), Some(charter)) if charter.people().iter().any(|one| one.name.as_str() == name) => {
                Ok(())
            }
            (Human::Entity(id), None) => {
                identity::find(self.call().names, id, view)?.ok_or_else(unknown)?;
                Ok(())
            }
            _ => Err(unknown().into()),
        }
    }

    fn check_signature(&self, envelope: &Envelope) -> Result<(), Refusal> {
        let Some(charter) = self.judge().charter() else {
            let text = "this vault has no charter that knows a key: leave signatures out";
            return if envelope.signatures().is_empty() { Ok(()) } else { Err(Refusal::invalid(text)) };
        };
        let signers = envelope.signers(DELEGATION_PAYLOAD_TYPE, charter);
        let names = charter.names(&signers.map_err(|error| Refusal::invalid(error.to_string()))?);
        match names.as_slice() {
            [only] if Some(only.as_str()) == self.human().person() => Ok(()),
            _ => Err(Refusal::invalid("in service a delegation is signed by its giver alone")),
        }
    }
}
