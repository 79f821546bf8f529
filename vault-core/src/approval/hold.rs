//! Holding a request back: it is tried without being carried out, kept, and answered with a wrapping token, as Vault does.

use data_encoding::HEXLOWER;
use rand_core::CryptoRng;

use super::asker::{Asker, EarlierDenial};
use super::counted::Counted;
use super::ended::remove;
use super::held::{Base, Draft, HeldRequest, Requester, State};
use super::human::Human;
use super::issuer::known_issuers;
use super::judge::Judge;
use super::shown;
use super::statement::{CharterInForce, StatedRequester, Statement, TEXT_LENGTH_BYTES_MAX, salted};
use super::tell::tell;
use super::votes::check_voice;
use crate::auth::token::{self, Token, TokenId, Wrapped, draw_accessor, draw_token};
use crate::charter::Digest;
use crate::engines::{Call, Change, Effect, Step, try_out};
use crate::identity::Entity;
use crate::notice::Event;
use crate::policy::{Binds, ControlGroup};
use crate::refusal::{Class, Refusal};
use crate::reply::{Reply, WrapInfo};
use crate::request::Operation;
use crate::secret::SecretBytes;
use crate::time::Span;
use crate::view::{Interrupt, View};
use crate::wrapping;

/// What trying a request out has shown.
struct Tried {
    base: Option<Base>,
    before: Option<SecretBytes>,
}

/// Holds a request back until people have agreed.
///
/// # Errors
/// Stops when something must be fetched first; refuses whoever the vault cannot tell from those who decide, and a change
/// that would be refused anyway.
pub(crate) fn hold(
    call: &Call<'_>,
    rules: &[ControlGroup],
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    let mut requester = requester(call)?;
    check_voice(call, &requester.human, view)?;
    requester.issued_by = known_issuers(call, view)?;
    let reason = reason(call, rules)?;
    let mut salt = [0; 32];
    rng.fill_bytes(&mut salt);
    let tried = try_request(call, rules, &salt, view, rng)?;
    let ttl = rules
        .iter()
        .map(|rule| rule.ttl_seconds)
        .chain(call.tables.control_group_ttl_max())
        .min()
        .unwrap_or(Span::ZERO);
    let (id, expires_at) = (draw_accessor(rng), call.now.after(ttl));
    let request = call.request;
    let what = (request.operation.word(), request.path.as_str());
    let mut asker = Asker::read(call.names, &requester.human, view)?;
    let earlier = asker.open((&id, expires_at), what, call.now)?;

    let text = draw_token(rng);
    let wrapping = TokenId::of(&text, call.token_ids);
    let draft = draft(call);
    let mut held = HeldRequest {
        id: id.clone(),
        wrapping: wrapping.clone(),
        statement: String::new(),
        salt,
        requester,
        rules: rules.to_vec(),
        base: tried.base,
        shown: shown_to_approvers(call, tried.before.as_ref(), earlier.as_ref())?,
        state: State::Open,
        uses_left: rules.iter().map(|rule| rule.uses).min().unwrap_or(1),
        votes: Vec::new(),
        comments: Vec::new(),
        created_at: call.now,
        expires_at,
    };
    let mut nonce = [0; 32];
    rng.fill_bytes(&mut nonce);
    let drawn = Drawn { nonce: HEXLOWER.encode(&nonce), reason, uses: held.uses_left };
    let statement = state(call, &held, &draft, drawn)?;
    held.statement = statement.to_json().map_err(|error| Refusal::internal(error.to_string()))?;
    let mut changes = keep(call, &held, &wrapping, ttl, view)?;
    changes.push(Change::Put { slot: token::wrapped_slot(call.names, &wrapping), payload: draft.encode()? });
    changes.push(held.store(call.names)?);
    changes.extend(remove(call.names, asker.let_go(call.now)));
    changes.push(asker.store(call.names, &held.requester.human)?);
    changes.extend(tell(call, &held, Event::Waits)?);
    let info = WrapInfo {
        token: text,
        accessor: id,
        ttl,
        created_at: call.now,
        creation_path: request.path.as_str().to_owned(),
        wrapped_accessor: String::new(),
        is_held: true,
    };
    let noted = vec![("held_request", held.id.clone()), ("statement", held.statement.clone())];
    let counted = Effect::Count(Counted::waits(&held));
    Ok(Step::commit(Reply::Wrapped(info), changes).noting(noted).then(Effect::DeliverNotices).then(counted))
}

fn requester(call: &Call<'_>) -> Result<Requester, Refusal> {
    let refused = |why: &str| Refusal::denied_because(why);
    let identity = call.identity()?;
    let entity: &Entity = identity.entity().ok_or_else(|| {
        refused(
            "this waits for others to agree, and your token says nothing of who you are: log in with an auth method",
        )
    })?;
    let judge = Judge { tables: call.tables, names: call.names, now: call.now };
    let human = Human::of(entity, judge.charter());
    if call.tables.is_in_service() && human.person().is_none() {
        return Err(refused(
            "this waits for others to agree, and your entity is nobody of the charter: have its metadata name the person, or \
             else have stewards make the request: keyturn act propose",
        ));
    }
    let (name, token) = (entity.name.clone(), identity.token_id().clone());
    Ok(Requester { human, entity: entity.id, name, token, issued_by: None })
}

fn reason(call: &Call<'_>, rules: &[ControlGroup]) -> Result<String, Refusal> {
    let reason = call.request.reason.as_deref().unwrap_or_default().trim();
    if reason.is_empty() && rules.iter().any(|rule| rule.reason_required) {
        let text = "this waits for others to agree, who want to know why: keyturn request --reason, or the header X-Keyturn-Reason";
        return Err(Refusal::invalid(text));
    }
    if reason.len() > TEXT_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("a reason has at most {TEXT_LENGTH_BYTES_MAX} bytes")));
    }
    Ok(reason.to_owned())
}

/// Lets the engine decide on what is there, to learn what that is. A change that it refuses is refused; what reading
/// would answer stays unsaid.
fn try_request(
    call: &Call<'_>,
    rules: &[ControlGroup],
    salt: &[u8; 32],
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Tried, Interrupt> {
    let reads = matches!(call.request.operation, Operation::Read | Operation::List);
    let Looked { outcome, base, before } = look(call, salt, view, rng)?;
    match outcome {
        Err(refused) if !reads => return Err(refused),
        Ok(Step { outcome: Ok(Reply::Restore(_) | Reply::Snapshot(_)), .. }) => {
            let text = "this cannot wait in the vault: stewards make it together with keyturn act propose";
            return Err(Refusal::denied_because(text).into());
        }
        Ok(Step { outcome: Err(refusal), .. }) if !reads => return Err(refusal.into()),
        Ok(_) | Err(_) => {}
    }
    let is_bound = !reads || rules.iter().any(|rule| rule.binds == Binds::Version);
    Ok(Tried { base: Some(base).filter(|_| is_bound), before })
}

/// What trying a request out shows, of now.
pub(super) struct Looked {
    outcome: Result<Step, Interrupt>,
    pub(super) base: Base,
    before: Option<SecretBytes>,
}

/// Tries a request out, and gives what binds it to what is there.
///
/// # Errors
/// Stops when something must be fetched first.
pub(super) fn look(
    call: &Call<'_>,
    salt: &[u8; 32],
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Looked, Interrupt> {
    let operation = call.request.operation;
    let reads = matches!(operation, Operation::Read | Operation::List);
    let before = if reads { None } else { read_before(call, view, rng)? };
    let (outcome, read) = try_out(call, view, rng);
    if matches!(outcome, Err(Interrupt::Fetch)) {
        return Err(Interrupt::Fetch);
    }
    // What names are there, and what is answered from memory alone, shows in no row that is read.
    let answer = match &outcome {
        Ok(Step { outcome: Ok(Reply::Content(content)), .. }) if reads => content.data.as_ref(),
        _ => None,
    };
    let answer = answer.filter(|_| operation == Operation::List || read.is_empty());
    let digest = before.as_ref().or(answer).map(|there| *salted(salt, "before", there.expose()).as_bytes());
    Ok(Looked { base: Base::of(&read, digest), outcome, before })
}

/// Reads what a change would change, if its path can be read.
fn read_before(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Option<SecretBytes>, Interrupt> {
    let asked = call.request.reading();
    let reading = Call { request: &asked, ..*call };
    if reading.route.and_then(|route| route.handler(Operation::Read)).is_none() {
        return Ok(None);
    }
    match try_out(&reading, view, rng).0 {
        Err(Interrupt::Fetch) => Err(Interrupt::Fetch),
        Ok(Step { outcome: Ok(Reply::Content(content)), .. }) => Ok(content.data),
        Ok(_) | Err(Interrupt::Refuse(_)) => Ok(None),
    }
}

fn draft(call: &Call<'_>) -> Draft {
    let request = call.request;
    Draft {
        operation: request.operation.word().to_owned(),
        path: request.path.as_str().to_owned(),
        parameters: request.parameters.clone(),
        body: request.body.as_ref().map(|body| body.expose().to_vec()),
        wrap_ttl_seconds: request.wrap_ttl.map(|ttl| ttl.0),
    }
}

/// What a statement takes from nowhere else.
pub(super) struct Drawn {
    pub(super) nonce: String,
    pub(super) reason: String,
    pub(super) uses: u32,
}

/// Draws the statement up from what is there.
pub(super) fn state(call: &Call<'_>, held: &HeldRequest, draft: &Draft, drawn: Drawn) -> Result<Statement, Refusal> {
    let judge = Judge { tables: call.tables, names: call.names, now: call.now };
    let stated = StatedRequester {
        entity: held.requester.entity.to_string(),
        name: held.requester.name.clone(),
        person: held.requester.human.person().map(str::to_owned),
    };
    let vault = HEXLOWER.encode(&call.vault.0);
    let unreadable = |error: serde_json::Error| Refusal::internal(format!("statement: {error}"));
    let parameters = serde_json::to_vec(&draft.parameters).map_err(unreadable)?;
    let policy = serde_json::to_vec(&held.rules).map_err(unreadable)?;
    Ok(Statement {
        charter: judge
            .charter()
            .map(|charter| CharterInForce { epoch: charter.epoch(), digest: charter.digest().to_string() }),
        operation: draft.operation.clone(),
        path: draft.path.clone(),
        parameters: (!draft.parameters.is_empty()).then(|| salted(&held.salt, "parameters", &parameters).to_string()),
        body: draft.body.as_ref().map(|body| salted(&held.salt, "body", body).to_string()),
        wrap_ttl_seconds: draft.wrap_ttl_seconds,
        version: match &held.base {
            None => "latest".to_owned(),
            Some(base) => base.digest(&held.salt)?,
        },
        policy: Digest::of(&policy).to_string(),
        reason: drawn.reason,
        uses: drawn.uses,
        created_at_seconds: held.created_at.unix_seconds(),
        expires_at_seconds: held.expires_at.unix_seconds(),
        ..Statement::new(vault, held.id.clone(), drawn.nonce, stated)
    })
}

fn shown_to_approvers(
    call: &Call<'_>,
    before: Option<&SecretBytes>,
    earlier: Option<&EarlierDenial>,
) -> Result<String, Refusal> {
    let body = call.request.body.as_ref().map(SecretBytes::expose);
    let is_change = !matches!(call.request.operation, Operation::Read | Operation::List);
    if is_change {
        shown::check(call.mount, call.path, body)?;
    }
    let fields = if is_change {
        shown::describe(call.mount, call.path, before.map(SecretBytes::expose), body)
    } else {
        Vec::new()
    };
    let public = body.filter(|body| is_change && shown::is_public(call.mount, call.path, body));
    let told = serde_json::json!({
        "fields": fields,
        "body": public.map(|body| String::from_utf8_lossy(body).into_owned()),
        "earlier_denial": earlier.map(|denial| serde_json::json!({
            "request": denial.request, "by": denial.by, "reason": denial.reason, "at": denial.at.to_string(),
        })),
    });
    Ok(told.to_string())
}

/// Gives the changes that store the wrapping token. Unlike one that wraps a reply it has no number of uses: it may be shown
/// until enough people have agreed.
fn keep(
    call: &Call<'_>,
    held: &HeldRequest,
    wrapping: &TokenId,
    ttl: Span,
    view: &mut View,
) -> Result<Vec<Change>, Interrupt> {
    let path = call.request.path.as_str().to_owned();
    let token = Token {
        path: path.clone(),
        display_name: "control-group".to_owned(),
        creation_ttl: ttl,
        expires_at: Some(held.expires_at),
        explicit_max_ttl: ttl,
        wrapped: Some(Wrapped { creation_path: path, accessor: String::new() }),
        ..Token::new(held.id.clone(), vec![wrapping::POLICY_NAME.to_owned()], call.now)
    };
    token::store(call.names, wrapping, &token, view)
}

/// Answers that a request is not there for whoever asks, or no longer.
pub(crate) fn not_there() -> Refusal {
    Refusal::new(Class::Invalid, "no request with this accessor waits for you")
}
