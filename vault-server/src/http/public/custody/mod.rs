//! `sys/custody`: what a custodian wants to know before they give a share: which vault this is, how old its shares and
//! its store are, and whose shares have come. Names and sealed shares are told to whoever names the fingerprint of a
//! key in the charter; a stranger sees numbers.

pub(super) mod act;
pub(super) mod bootstrap;
pub(super) mod charter;
pub(super) mod handout;
pub(super) mod possession;

use data_encoding::BASE64;
use http::StatusCode;
use vault_api::custody::{Custodian, Custody, CustodyAttempt, CustodyCharter, Known, PendingShares, SealedShare};
use vault_core::charter::chain::missing_text;
use vault_core::charter::{Charter, PersonSet};
use vault_core::custody::{CheckUps, Custody as Record, Health};
use vault_core::refusal::Refusal;
use vault_core::seal::SealConfig;
use vault_core::sharing::ShareIndex;

use super::{Answer, Call};
use crate::driver::{PendingStatus, Status};
use crate::http::envelope;

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_read() {
            return Err(Refusal::unsupported());
        }
        let vault = &call.edge.vault;
        let status = vault.status().await?;
        let config = status.config.as_ref().ok_or_else(|| Refusal::invalid("server is not yet initialized"))?;
        let attempt = status.attempt.as_ref().map(|progress| CustodyAttempt {
            nonce: progress.attempt.to_string(),
            given: progress.given.iter().map(|index| index.get()).collect(),
            deadline: progress.deadline.to_string(),
        });
        let known = match call.parameter("person") {
            Some(fingerprint) => {
                let pending = vault.pending_shares().await?;
                match name_of(&status, pending.as_ref(), fingerprint) {
                    Some(name) => {
                        let checkups = vault.checkups(&status).await?;
                        let health = vault.custody_health(&status, checkups.as_ref());
                        let seen = (checkups.as_ref(), health.as_ref());
                        Some(tell((name, fingerprint), &status, seen, pending.as_ref())?)
                    }
                    None => None,
                }
            }
            None => None,
        };
        let custody = Custody {
            vault: config.vault().to_string(),
            fingerprint: config.vault().fingerprint().to_string(),
            epoch: config.epoch().0,
            revision: vault.revision().await?.0,
            sealed: status.sealed,
            threshold: config.threshold().needed(),
            shares: config.threshold().total(),
            attempt,
            shares_in_clear: status.custody.is_none(),
            seal_config: seal_config_text(config)?,
            charter: status.custody.as_ref().map(|custody| which(custody.charter().charter())),
            audit_key: vault.audit_key(),
            known,
        };
        Ok(envelope::json(StatusCode::OK, &custody))
    })
}

/// Names a person of the charter in force, or of the one whose shares are pending: enough have signed that one too.
fn name_of(status: &Status, pending: Option<&PendingStatus>, fingerprint: &str) -> Option<String> {
    let charters = [status.custody.as_deref(), pending.map(|pending| pending.custody.as_ref())];
    let mut found = charters.into_iter().flatten().map(|custody| custody.charter().charter());
    found.find_map(|charter| Some(charter.person_by_fingerprint(fingerprint)?.1.name.to_string()))
}

fn which(charter: &Charter) -> CustodyCharter {
    CustodyCharter { epoch: charter.epoch(), digest: charter.digest().to_string() }
}

fn seal_config_text(config: &SealConfig) -> Result<String, Refusal> {
    let json = config.to_json().map_err(|error| Refusal::internal(error.to_string()))?;
    String::from_utf8(json).map_err(|error| Refusal::internal(error.to_string()))
}

/// Writes what a person of the charter may know.
fn tell(
    (person, fingerprint): (String, &str),
    status: &Status,
    seen: (Option<&CheckUps>, Option<&Health>),
    pending: Option<&PendingStatus>,
) -> Result<Known, Refusal> {
    let mut known = Known { person, ..Known::default() };
    if let Some(custody) = &status.custody {
        tell_custody(&mut known, custody, status, seen);
        known.sealed_shares = sealed_shares(custody, fingerprint);
    }
    known.pending = pending.map(|pending| tell_pending(pending, fingerprint)).transpose()?;
    Ok(known)
}

fn tell_custody(
    known: &mut Known,
    custody: &Record,
    status: &Status,
    (checkups, health): (Option<&CheckUps>, Option<&Health>),
) {
    let charter = custody.charter().charter();
    let given: Vec<ShareIndex> = status.attempt.as_ref().map(|progress| progress.given.clone()).unwrap_or_default();
    let custodian = |(index, person): (ShareIndex, &vault_core::charter::Person)| Custodian {
        number: index.get(),
        person: person.name.to_string(),
        given: given.contains(&index),
        checked_at: checkups.and_then(|checkups| checkups.last(index)).map(|time| time.to_string()),
        overdue: health.is_some_and(|health| health.overdue.contains(&person.name.to_string())),
    };
    known.custodians = custody.charter().custodians().map(custodian).collect();
    known.checkup_limit = health.map(|health| health.limit.word().to_owned()).unwrap_or_default();
    known.rule = charter.unseal().text().to_owned();
    known.record = custody.record().to_json();
    if status.sealed {
        let slots = charter.shares().slots().into_iter();
        let present = slots.filter(|slot| given.iter().any(|index| index.get() == slot.number));
        let present: PersonSet = present.map(|slot| slot.person).collect();
        known.still_needed = missing_text(&charter.unseal().missing(&present));
    }
}

fn tell_pending(pending: &PendingStatus, fingerprint: &str) -> Result<PendingShares, Refusal> {
    Ok(PendingShares {
        charter: which(pending.custody.charter().charter()),
        epoch: pending.config.epoch().0,
        seal_config: seal_config_text(&pending.config)?,
        record: pending.custody.record().to_json(),
        waiting_for: waiting_for(pending),
        sealed_shares: sealed_shares(&pending.custody, fingerprint),
    })
}

/// Names those who have yet to acknowledge their new shares.
fn waiting_for(pending: &PendingStatus) -> Vec<String> {
    let custodians = pending.custody.charter().custodians();
    let missing = custodians.filter(|(index, _)| pending.waiting_for.contains(index));
    missing.map(|(_, person)| person.name.to_string()).collect()
}

fn sealed_shares(custody: &Record, fingerprint: &str) -> Vec<SealedShare> {
    let theirs = custody.shares_of(fingerprint).into_iter();
    theirs
        .filter_map(|index| {
            Some(SealedShare {
                number: index.get(),
                person: custody.custodian(index)?.name.to_string(),
                age: BASE64.encode(custody.sealed_share(index)?),
            })
        })
        .collect()
}
