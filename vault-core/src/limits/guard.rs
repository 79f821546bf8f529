//! The one place that every call comes through: it counts, refuses and tells.

use rand_core::CryptoRng;

use super::count::count_read;
use super::tally::Opened;
use super::{Breach, Level, Limit, Metric, Rule, Subject, Teller, canary, upkeep};
use crate::auth::token::Origin;
use crate::auth::{Identity, Sender};
use crate::engines::{Call, Change, Effect, Engine, Step, find};
use crate::mounts::Mount;
use crate::notice;
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::request::Operation;
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

/// Lets an engine decide a call within the limits that hold for it.
///
/// # Errors
/// Stops as the engine does; refuses what goes beyond a hard limit.
pub(crate) fn guard(
    call: &Call<'_>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
    dispatch: fn(&Call<'_>, &mut View, &mut dyn CryptoRng) -> Result<Step, Interrupt>,
) -> Result<Step, Interrupt> {
    let secret = if call.tables.limits().watches_reads() { secret(call) } else { None };
    let secret = secret.as_deref();
    let outcome = match decide(call, secret, view, rng, dispatch) {
        Err(Interrupt::Fetch) => return Err(Interrupt::Fetch),
        Err(Interrupt::Refuse(refusal)) => Err(refusal),
        Ok(step) => Ok(step),
    };
    let mut changes = Vec::new();
    let mut effects = Vec::new();
    if let Some(below) = secret.filter(|below| call.tables.limits().is_canary(call.mount.id, below)) {
        changes.extend(canary::tell(call, below, &identity_of(call, view)?)?);
        effects.push(Effect::CanaryRead);
    }
    let mut step = match outcome {
        Ok(step) => step,
        // What people have agreed to is not used up by a refusal.
        Err(refusal) if call.request.redeems.is_some() => return Err(refusal.into()),
        Err(refusal) => {
            if let Some(breach) = &refusal.breach {
                changes.extend(tell_of(call, breach, view)?);
            }
            if changes.is_empty() && effects.is_empty() {
                return Err(refusal.into());
            }
            Step::refuse(refusal, Vec::new())
        }
    };
    step.changes.extend(changes);
    step.effects.extend(effects);
    if call.tells && !step.changes.is_empty() && !step.effects.contains(&Effect::DeliverNotices) {
        let outbox = notice::folder(call.names).id();
        let is_notice = |change: &Change| matches!(change, Change::Put { slot, .. } if slot.key().folder() == outbox);
        if step.changes.iter().any(is_notice) {
            step.effects.push(Effect::DeliverNotices);
        }
    }
    Ok(step)
}

fn decide(
    call: &Call<'_>,
    secret: Option<&str>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
    dispatch: fn(&Call<'_>, &mut View, &mut dyn CryptoRng) -> Result<Step, Interrupt>,
) -> Result<Step, Interrupt> {
    upkeep::check(call)?;
    // Before the secret is opened.
    let counted = secret.map(|below| count_read(call, below, view)).transpose()?.unwrap_or_default();
    let mut step = dispatch(call, view, rng)?;
    let Ok(Reply::Content(content)) = &step.outcome else { return Ok(step) };
    let mut changes = tell_of_ttl(call, content, view)?;
    if let Some(written_at) = step.written_at {
        changes.extend(follow_age(call, written_at, view)?);
    }
    step.changes.extend(changes.into_iter().chain(counted));
    Ok(step)
}

fn secret(call: &Call<'_>) -> Option<String> {
    secret_of(find(&call.mount.kind)?, call.mount, call.request.operation, call.path)
}

/// Finds the secret that a call gives out, named by its path below the mount.
pub(super) fn secret_of(engine: &dyn Engine, mount: &Mount, operation: Operation, below: &str) -> Option<String> {
    if operation == Operation::Read { engine.secret(mount, below) } else { None }
}

/// Finds out whom a call counts for: the entity of the token, or the one that made it, or else the token that it descends from.
pub(super) fn identity_of(call: &Call<'_>, view: &mut View) -> Result<Subject, Interrupt> {
    let identity = match call.sender {
        Sender::Token(identity) => identity,
        Sender::Stewards(_) => return Ok(Subject::named("stewards".to_owned(), "stewards together")),
        Sender::Stranger => return Ok(Subject::named("stranger".to_owned(), "somebody without a token")),
    };
    let token = identity.token();
    if let Some(entity) = identity.entity() {
        // An entity may have no name of its own; that of the token says how somebody logged in.
        let name = format!("{} ({})", token.display_name, entity.name);
        return Ok(Subject::named(format!("entity/{}", entity.id), &name));
    }
    let key = match call.finder().origin(identity.token_id(), token, view)? {
        Origin::Entity(id) => format!("entity/{id}"),
        Origin::Token(id) => format!("token/{}", id.as_str()),
    };
    Ok(Subject::named(key, &token.display_name))
}

/// Tells that a hard limit refused something, once while that lasts.
fn tell_of(call: &Call<'_>, breach: &Breach, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let Some(rule) = call.tables.limits().named(&breach.limit) else { return Ok(Vec::new()) };
    // What has no hour and no day is told by whoever measures it.
    if breach.metric.window().is_none() {
        return Ok(Vec::new());
    }
    tell_once(call, rule, &breach.subject, (Level::Hard, breach.value, breach.bound), view)
}

fn tell_once(
    call: &Call<'_>,
    rule: &Rule,
    subject: &Subject,
    reached: (Level, u64, u64),
    view: &mut View,
) -> Result<Vec<Change>, Interrupt> {
    let opened = Opened::read(&Teller::of(call), &rule.limit, subject, view)?;
    if opened.told().is_some_and(|told| told >= reached.0) {
        return Ok(Vec::new());
    }
    Ok(opened.store(&Teller::of(call), Some(reached))?)
}

/// Refuses a token that would live for too long, and tells of one that lives for long.
fn tell_of_ttl(call: &Call<'_>, content: &Content, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    // A token that is taken out of its wrapping was made before.
    let Some(grant) = content.auth.as_ref().filter(|_| call.mount.kind != "system") else { return Ok(Vec::new()) };
    let path = call.request.path.as_str();
    let ttl = if grant.lease_duration.is_zero() { u64::MAX } else { grant.lease_duration.0 };
    // Not by the entity of the token: one that the login makes is drawn anew each time that this runs.
    let asker = call.sender.identity().and_then(Identity::entity);
    let key = asker.map_or_else(String::new, |entity| entity.id.to_string());
    let name = asker.map_or_else(String::new, |entity| entity.name.clone());
    let subject = Subject { key: format!("{key}\0{path}"), name, path: path.to_owned() };
    let mut changes = Vec::new();
    for rule in call.tables.limits().of(Metric::TokenTtlSeconds, path) {
        let limit = &rule.limit;
        if let Some(hard) = limit.hard_at(call.now).filter(|hard| ttl > *hard) {
            return Err(Breach::new(limit, subject, ttl, hard).refuse(call, None).into());
        }
        if let Some(soft) = limit.soft.filter(|soft| ttl > *soft) {
            changes.extend(tell_once(call, rule, &subject, (Level::Soft, ttl, soft), view)?);
        }
    }
    Ok(changes)
}

fn age_subject(call: &Call<'_>, below: &str) -> Subject {
    let path = format!("{}{below}", call.mount.path);
    Subject { key: format!("{}/{below}", call.mount.id), name: String::new(), path }
}

/// Refuses to open a version that is too old; an engine that knows when its secrets were written asks before it opens one. `below` names
/// the secret as [`Engine::secret`] does.
///
/// # Errors
/// Refuses what is beyond a hard limit.
pub(crate) fn check_secret_age(
    call: &Call<'_>,
    below: impl FnOnce() -> String,
    written_at: Timestamp,
) -> Result<(), Refusal> {
    let limits = call.tables.limits();
    let beyond = |limit: &Limit| limit.hard_at(call.now).filter(|hard| is_older(call, written_at, *hard));
    // Hardly any secret is too old: nothing is made for the others.
    if !limits.on(Metric::SecretAgeDays).any(|rule| beyond(&rule.limit).is_some()) {
        return Ok(());
    }
    let subject = age_subject(call, &below());
    for rule in limits.of(Metric::SecretAgeDays, &subject.path) {
        if let Some(hard) = beyond(&rule.limit) {
            let age = Metric::SecretAgeDays.age(written_at, call.now);
            return Err(Breach::new(&rule.limit, subject.clone(), age, hard).refuse(call, None));
        }
    }
    Ok(())
}

/// Tells of a version that is old, and when it is replaced that this is over.
fn follow_age(call: &Call<'_>, written_at: Timestamp, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let limits = call.tables.limits();
    let beyond = |limit: &Limit| limit.soft.or(limit.hard).filter(|bound| is_older(call, written_at, *bound));
    if !limits.on(Metric::SecretAgeDays).any(|rule| beyond(&rule.limit).is_some()) {
        return Ok(Vec::new());
    }
    let below = find(&call.mount.kind).and_then(|engine| engine.secret(call.mount, call.path));
    let Some(below) = below else { return Ok(Vec::new()) };
    let (subject, mut changes) = (age_subject(call, &below), Vec::new());
    for rule in limits.of(Metric::SecretAgeDays, &subject.path) {
        if call.request.operation != Operation::Read {
            let opened = Opened::read(&Teller::of(call), &rule.limit, &subject, view)?;
            changes.extend(opened.follow(&Teller::of(call), None)?);
        } else if let Some(soft) = rule.limit.soft.filter(|soft| is_older(call, written_at, *soft)) {
            let age = Metric::SecretAgeDays.age(written_at, call.now);
            changes.extend(tell_once(call, rule, &subject, (Level::Soft, age, soft), view)?);
        }
    }
    Ok(changes)
}

fn is_older(call: &Call<'_>, written_at: Timestamp, days: u64) -> bool {
    call.now > Metric::SecretAgeDays.ends_at(written_at, days)
}
