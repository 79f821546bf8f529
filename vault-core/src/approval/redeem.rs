//! Using what people have agreed to: the kept request is made again, in its requester's name, and meets the gate with its
//! approvals; the gate spends them in the batch of the effect.

use rand_core::CryptoRng;

use super::counted::{Counted, is_over};
use super::held::{Draft, HeldRequest, State};
use super::hold::{Drawn, look, not_there, state};
use super::human::Human;
use super::issuer::known_issuers;
use super::judge::Judge;
use super::tell::tell;
use super::votes::check_voice;
use crate::auth::token::{self, Issuers, TokenId};
use crate::engines::{Call, Change, Effect, Step, decide};
use crate::id::RequestId;
use crate::limits;
use crate::notice::Event;
use crate::path::RequestPath;
use crate::policy::ControlGroup;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::secret::SecretBytes;
use crate::store::Expect;
use crate::view::{Interrupt, View};

/// That a request is one which was held back. Only this module makes one, out of what was kept.
pub struct Redemption {
    request: String,
    /// Whose token made the request, where the bearer of the wrapping token shows none of their own.
    in_the_name_of: Option<TokenId>,
}

impl Redemption {
    /// Names the held request.
    pub fn request(&self) -> &str {
        &self.request
    }

    /// Gives the token in whose name it is made, if it is not the one that is shown.
    pub(crate) const fn token(&self) -> Option<&TokenId> {
        self.in_the_name_of.as_ref()
    }
}

/// Who uses a grant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bearer {
    /// Somebody who shows a token of their own.
    Own,
    /// Somebody who shows the wrapping token alone, or the vault itself after the last approval.
    Wrapping,
}

/// Makes the kept request again. It has been through nothing yet.
///
/// # Errors
/// Stops when something must be fetched first; refuses what does not wait.
pub(crate) fn make_again(
    call: &Call<'_>,
    held: &HeldRequest,
    bearer: Bearer,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Box<Request>, Interrupt> {
    let row = view.entry(&token::wrapped_slot(call.names, &held.wrapping))?.ok_or_else(not_there)?;
    let mut draft = Draft::decode(&row.payload)?;
    let damaged = || Refusal::internal("a kept request cannot be read");
    let path = RequestPath::parse(draft.path.as_bytes()).map_err(|_| damaged())?;
    let (token, in_the_name_of) = match bearer {
        Bearer::Own => (call.request.token.as_ref().map(crate::secret::SecretText::copy), None),
        Bearer::Wrapping => (None, Some(held.requester.token.clone())),
    };
    Ok(Box::new(Request {
        id: RequestId::random(rng),
        operation: draft.operation().ok_or_else(damaged)?,
        path,
        parameters: std::mem::take(&mut draft.parameters),
        body: draft.body.take().map(SecretBytes::new),
        token,
        act: None,
        redeems: Some(Redemption { request: held.id.clone(), in_the_name_of }.into()),
        reason: None,
        wrap_ttl: draft.wrap_ttl(),
        certificates: call.request.certificates.clone(),
        remote: call.request.remote,
        received_at: call.request.received_at,
        attempt: 1,
    }))
}

/// What people have agreed to, checked and about to be spent. Only the gate makes one.
pub struct Grant {
    held: HeldRequest,
    spend: Vec<Change>,
    expects: Vec<Expect>,
}

impl Grant {
    /// Gives the request with everything that was said about it.
    pub const fn held(&self) -> &HeldRequest {
        &self.held
    }

    /// Gives the changes that spend it, and what must hold for them.
    pub(crate) fn spend(self) -> (Vec<Change>, Vec<Expect>) {
        (self.spend, self.expects)
    }

    /// Checks a request that was held back against what people have agreed to.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses whatever is not exactly that.
    pub(super) fn check(call: &Call<'_>, rules: &[ControlGroup], view: &mut View) -> Result<Self, Interrupt> {
        let redemption = call.request.redeems.as_deref().ok_or_else(not_there)?;
        let mut held = HeldRequest::read(call.names, &redemption.request, view)?.ok_or_else(not_there)?;
        if !held.is_open(call.now) {
            return Err(Refusal::invalid(format!("the request is {}: ask anew", held.word(call.now))).into());
        }
        limits::check_pending(call, &held)?;
        let entity = call.identity()?.entity().ok_or_else(not_there)?;
        let judge = Judge { tables: call.tables, names: call.names, now: call.now };
        if entity.id != held.requester.entity || Human::of(entity, judge.charter()) != held.requester.human {
            return Err(not_there().with_private("somebody else than its requester redeems a request").into());
        }
        check_voice(call, &held.requester.human, view)?;
        if held.requester.issued_by == Some(Issuers::UNTOLD) {
            let text = "the request is older than this vault's knowledge of who issues logins: ask anew";
            return Err(Refusal::invalid(text).into());
        }
        // Whoever issued the login that takes the answer is as good as the one who takes it.
        let asked_by = held.requester.issued_by.take();
        held.requester.issued_by = Issuers::join(asked_by, known_issuers(call, view)?)?;
        let draft = Draft {
            operation: call.request.operation.word().to_owned(),
            path: call.request.path.as_str().to_owned(),
            parameters: call.request.parameters.clone(),
            body: call.request.body.as_ref().map(|body| body.expose().to_vec()),
            wrap_ttl_seconds: call.request.wrap_ttl.map(|ttl| ttl.0),
        };
        let stated = held.stated()?;
        let drawn = Drawn { nonce: stated.nonce.clone(), reason: stated.reason.clone(), uses: stated.uses };
        if rules != held.rules || state(call, &held, &draft, drawn)? != stated {
            let text = "what was agreed to is not what would happen now: the rules, the charter or the requester changed; ask anew";
            return Err(Refusal::invalid(text).into());
        }
        if !judge.judge(&held, view)?.is_approved {
            return Err(Refusal::invalid("request needs further approval").into());
        }
        held.uses_left = held.uses_left.saturating_sub(1);
        let mut spend = Vec::new();
        if held.uses_left == 0 {
            held.state = State::Released { at: call.now };
            spend.extend(super::votes::close(call, &held, view)?);
        }
        spend.push(held.store(call.names)?);
        spend.extend(tell(call, &held, Event::Released)?);
        Ok(Self { held, spend, expects: view.expectations().collect() })
    }
}

/// Carries out a request that people have agreed to, if what it is bound to is still there.
///
/// # Errors
/// Stops as the engine does.
pub(crate) fn carry_out(
    call: &Call<'_>,
    held: &HeldRequest,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    if let Some(base) = &held.base
        && look(call, &held.salt, view, rng)?.base != *base
    {
        return stale(call, held, view);
    }
    let step = decide(call, view, rng)?.then(Effect::DeliverNotices);
    Ok(if is_over(held) { step.then(Effect::Count(Counted::ended(&held.id))) } else { step })
}

fn stale(call: &Call<'_>, held: &HeldRequest, view: &mut View) -> Result<Step, Interrupt> {
    // The row as it was before the gate spent the grant: this change comes behind the spending and has the last word.
    let mut stale = HeldRequest::read(call.names, &held.id, view)?.ok_or_else(not_there)?;
    stale.state = State::Stale { at: call.now };
    let mut changes = super::votes::close(call, &stale, view)?;
    changes.push(stale.store(call.names)?);
    // Named by the use that the gate has spent, so that it replaces the notice of the release.
    changes.extend(tell(call, held, Event::Stale)?);
    let text = "what is there has changed since this was asked for, so that people agreed to something else: ask anew";
    let counted = Effect::Count(Counted::ended(&held.id));
    Ok(Step::refuse(Refusal::invalid(text), changes).then(Effect::DeliverNotices).then(counted))
}
