//! Response wrapping: a reply is kept for whoever shows a wrapping token first, once and for a short time.
//!
//! The kept reply and the wrapping token are written in the batch of the request itself; taking the reply out removes
//! both in one batch, so that of many who try exactly one succeeds. Format: docs/formats.md, "Records".

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::approval::Draft;
use crate::auth::token::{self, Alive, Kind, Token, TokenId, Wrapped, draw_accessor, draw_token};
use crate::engines::{Call, Change, Step};
use crate::id::EntityId;
use crate::record_format;
use crate::refusal::{Class, Refusal};
use crate::reply::{Content, Grant, Reply, WrapInfo};
use crate::request::Request;
use crate::secret::{SecretBytes, SecretText};
use crate::time::Span;
use crate::view::{Interrupt, View};

/// The policy of wrapping tokens.
pub const POLICY_NAME: &str = "response-wrapping";

/// What a wrapping token may do.
pub const POLICY_TEXT: &str = "path \"sys/wrapping/unwrap\" { capabilities = [\"update\"] }";

/// Longest time that a reply is kept.
pub const TTL_MAX: Span = Span(32 * 24 * 3600);

const VERSION: u8 = 1;

/// A reply as it is kept.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Kept {
    data: Option<Vec<u8>>,
    warnings: Vec<String>,
    auth: Option<KeptGrant>,
    lease_duration_seconds: u64,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct KeptGrant {
    token: String,
    accessor: String,
    policies: Vec<String>,
    identity_policies: Vec<String>,
    #[zeroize(skip)]
    metadata: BTreeMap<String, String>,
    lease_duration_seconds: u64,
    renewable: bool,
    orphan: bool,
    uses: u64,
    #[zeroize(skip)]
    entity: Option<EntityId>,
}

/// Keeps the reply of a step and answers with a wrapping token, if the request asks for that and there is a reply to
/// keep.
///
/// # Errors
/// Refuses a TTL that is too long.
pub(crate) fn wrap_if_asked(
    call: &Call<'_>,
    step: Step,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    match (call.request.wrap_ttl, step) {
        (Some(ttl), Step { outcome: Ok(Reply::Content(content)), mut changes, effects, follow, notes, written_at }) => {
            let path = call.request.path.as_str();
            let (info, rows) = keep(call, content, ttl, path, view, rng)?;
            changes.extend(rows);
            Ok(Step { outcome: Ok(Reply::Wrapped(info)), changes, effects, follow, notes, written_at })
        }
        (_, step) => Ok(step),
    }
}

/// Keeps a reply under a fresh wrapping token.
///
/// # Errors
/// Refuses a TTL of zero and one that is too long.
pub(crate) fn keep(
    call: &Call<'_>,
    content: Content,
    ttl: Span,
    creation_path: &str,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<(WrapInfo, Vec<Change>), Interrupt> {
    if ttl.is_zero() || ttl > TTL_MAX {
        return Err(Refusal::invalid(format!("a wrapping TTL has from 1 to {} seconds", TTL_MAX.0)).into());
    }
    let text = draw_token(rng);
    let id = TokenId::of(&text, call.token_ids);
    let wrapped_accessor = content.auth.as_ref().map(|grant| grant.accessor.clone()).unwrap_or_default();
    let wrapped = Wrapped { creation_path: creation_path.to_owned(), accessor: wrapped_accessor.clone() };
    let token = Token {
        path: call.request.path.as_str().to_owned(),
        display_name: "response-wrapping".to_owned(),
        creation_ttl: ttl,
        expires_at: Some(call.now.after(ttl)),
        explicit_max_ttl: ttl,
        uses_left: Some(1),
        wrapped: Some(wrapped),
        ..Token::new(draw_accessor(rng), vec![POLICY_NAME.to_owned()], call.now)
    };
    let mut changes = token::store(call.names, &id, &token, view)?;
    let payload = record_format::encode(VERSION, &Kept::from(content))?;
    changes.push(Change::Put { slot: token::wrapped_slot(call.names, &id), payload });
    let info = WrapInfo {
        token: text,
        accessor: token.accessor,
        ttl,
        created_at: call.now,
        creation_path: creation_path.to_owned(),
        wrapped_accessor,
        is_held: false,
    };
    Ok((info, changes))
}

/// Tells whether a wrapping token stands for a request that is held back.
///
/// # Errors
/// Stops when something must be fetched first.
pub(crate) fn holds_request(call: &Call<'_>, wrapping: &Alive, view: &mut View) -> Result<bool, Interrupt> {
    let row = view.entry(&token::wrapped_slot(call.names, &wrapping.id))?;
    Ok(row.is_some_and(|row| Draft::is_in(&row.payload)))
}

/// Takes out what a wrapping token wraps, and gives the changes that make it the last time.
///
/// # Errors
/// Stops when something must be fetched first; refuses a token that wraps nothing.
pub(crate) fn take(call: &Call<'_>, wrapping: &Alive, view: &mut View) -> Result<(Content, Vec<Change>), Interrupt> {
    let row = view.entry(&token::wrapped_slot(call.names, &wrapping.id))?.ok_or_else(not_wrapping)?;
    let kept: Kept = record_format::decode(VERSION, &row.payload)?;
    Ok((kept.into_content(), token::revoke(call.names, &wrapping.id, &wrapping.token)))
}

/// Refuses a token that is no wrapping token, or no longer; the answer does not say which.
pub(crate) fn not_wrapping() -> Refusal {
    Refusal::invalid("wrapping token is not valid or does not exist")
}

/// Refuses a caller whose own token is the one to be unwrapped as a wrapping token is refused: clients tell by that text
/// that somebody was there before them. Any token that is not alive gets it, so that it says nothing about one.
pub(crate) fn explain(request: &Request, interrupt: Interrupt) -> Interrupt {
    #[derive(Deserialize)]
    struct Named {
        token: Option<SecretText>,
    }
    let takes_out = ["sys/wrapping/unwrap", "sys/wrapping/rewrap"].contains(&request.path.as_str());
    let means_its_own = || request.parse::<Named>().is_ok_and(|named| named.token.is_none_or(|token| token.is_empty()));
    match interrupt {
        Interrupt::Refuse(refusal) if refusal.class == Class::Denied && takes_out && means_its_own() => {
            Refusal { private: refusal.private, ..not_wrapping() }.into()
        }
        interrupt => interrupt,
    }
}

impl From<Content> for Kept {
    fn from(content: Content) -> Self {
        Self {
            data: content.data.map(|data| std::mem::take(&mut *data.into_exposed())),
            warnings: content.warnings,
            auth: content.auth.map(KeptGrant::from),
            lease_duration_seconds: content.lease_duration.0,
        }
    }
}

impl From<Grant> for KeptGrant {
    fn from(grant: Grant) -> Self {
        Self {
            token: grant.token.expose().to_owned(),
            accessor: grant.accessor,
            policies: grant.policies,
            identity_policies: grant.identity_policies,
            metadata: grant.metadata,
            lease_duration_seconds: grant.lease_duration.0,
            renewable: grant.renewable,
            orphan: grant.orphan,
            uses: grant.uses,
            entity: grant.entity,
        }
    }
}

impl Kept {
    fn into_content(mut self) -> Content {
        Content {
            data: self.data.take().map(SecretBytes::new),
            warnings: std::mem::take(&mut self.warnings),
            auth: self.auth.take().map(KeptGrant::into_grant),
            lease_duration: Span(self.lease_duration_seconds),
        }
    }
}

impl KeptGrant {
    fn into_grant(mut self) -> Grant {
        // Service tokens have accessors, batch tokens have none.
        let kind = if self.accessor.is_empty() { Kind::Batch } else { Kind::Service };
        Grant {
            token: SecretText::new(std::mem::take(&mut self.token)),
            accessor: std::mem::take(&mut self.accessor),
            policies: std::mem::take(&mut self.policies),
            identity_policies: std::mem::take(&mut self.identity_policies),
            metadata: std::mem::take(&mut self.metadata),
            lease_duration: Span(self.lease_duration_seconds),
            renewable: self.renewable,
            orphan: self.orphan,
            uses: self.uses,
            entity: self.entity,
            kind,
        }
    }
}
