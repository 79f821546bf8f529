//! Stewards as senders: an act that enough people have signed proves one request, once.

use std::sync::Arc;

use super::{Sender, Unidentified};
use crate::charter::Digest;
use crate::custody::{Custody, SignedAct};
use crate::engines::Change;
use crate::flow::Identified;
use crate::id::VaultId;
use crate::names::{Domain, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::store::Expect;
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

/// The people who make a request together.
pub struct Stewards {
    names: Vec<String>,
    act: Digest,
    reason: String,
    expires_at_seconds: i64,
    spent: Slot,
}

impl Stewards {
    /// Gives the names of those who signed.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Gives the digest of what they signed.
    pub const fn act(&self) -> &Digest {
        &self.act
    }

    /// Gives why they want it.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Gives the change that spends the act, and what must hold for it.
    pub(super) fn spend(&self) -> (Change, Expect) {
        let payload = record_format::encode_raw(VERSION, &self.expires_at_seconds.to_be_bytes());
        let unspent = Expect::Unchanged { key: *self.spent.key(), revision: None };
        (Change::Put { slot: self.spent.clone(), payload }, unspent)
    }
}

/// Finds out whether the act of a request is one that stewards may make, and that it is unspent.
///
/// # Errors
/// Gives the request back when something must be fetched first, or with the refusal.
pub fn identify(
    request: Request,
    custody: Option<&Custody>,
    (vault, names): (VaultId, &Names),
    view: &mut View,
) -> Result<Identified, Unidentified> {
    match evidence(&request, custody, (vault, names), view) {
        Ok(stewards) => Ok(Identified::new(request, Sender::Stewards(Box::new(stewards)))),
        Err(Interrupt::Fetch) => Err(Unidentified::Fetch(request)),
        Err(Interrupt::Refuse(refusal)) => Err(Unidentified::Refused(request, refusal)),
    }
}

fn evidence(
    request: &Request,
    custody: Option<&Custody>,
    (vault, names): (VaultId, &Names),
    view: &mut View,
) -> Result<Stewards, Interrupt> {
    let signed: &Arc<SignedAct> = request.act.as_ref().ok_or_else(Refusal::denied)?;
    // A vault without a charter has no stewards; it answers as for any token that proves nothing.
    let custody = custody.ok_or_else(Refusal::denied)?;
    let judged = signed.judge(custody, vault, request.received_at);
    let signers = judged.map_err(|error| Refusal::invalid(error.to_string()))?;
    let spent = slot(names, &signed.act().nonce);
    if view.entry(&spent)?.is_some() {
        return Err(Refusal::invalid("the act was carried out already: propose it anew").into());
    }
    Ok(Stewards {
        names: signers,
        act: signed.digest(),
        reason: signed.act().reason.clone(),
        expires_at_seconds: signed.act().expires_at_seconds,
        spent,
    })
}

fn slot(names: &Names, nonce: &str) -> Slot {
    names.entry(&names.root(Domain::System, "acts"), nonce)
}
