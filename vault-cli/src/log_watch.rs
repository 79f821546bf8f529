//! Watches the logs of the vaults that one deals with: each command asks for the newest checkpoint and demands that the log goes
//! on from the one seen before. Whoever rewrites a log, or puts a server back to an older state, is noticed by the next person.

use serde::{Deserialize, Serialize};
use vault_api::audit_log::CheckpointGrowth;
use vault_api::{ApiError, Client};
use vault_log::checkpoint::{Checkpoint, CheckpointKey};
use vault_log::proof::{Growth, ProofError};

use crate::failure::Failure;
use crate::home_file::Vaults;

/// The file in the home folder.
const FILE: &str = ".keyturn-logs.json";

/// What was seen last of a log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// Where the vault was.
    address: String,
    /// The public key of its log.
    pub(crate) key: String,
    /// Its newest checkpoint, a signed note.
    pub(crate) checkpoint: String,
}

type Logs = Vaults<Seen>;

/// Something about a log that should not be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Doubt {
    /// It is not the one that was seen.
    #[error(transparent)]
    Log(#[from] ProofError),
    /// It is gone.
    #[error("the server shows no log, and you have seen {0} records of it")]
    Gone(u64),
    /// What is remembered of it cannot be read.
    #[error("what is remembered of the log is damaged: {0}")]
    Memory(String),
}

/// How a log was met.
pub(crate) enum Met {
    /// It goes on from what was seen, or nothing is known of it.
    Fine,
    /// That of this vault does not.
    Doubted(String, Doubt),
}

/// Looks at the log of a vault before anything is sent, and remembers it.
///
/// # Errors
/// Fails when the server does not answer, and when the log is not the one that was seen, unless that is `accepted`.
pub(crate) async fn demand(client: &Client, accepted: bool) -> Result<(), Failure> {
    let Met::Doubted(vault, doubt) = look(client).await? else { return Ok(()) };
    if !accepted {
        return Err(Failure::refused(format!(
            "the log of this vault is not the one that you have seen, so nothing was sent: {doubt}.\n\
             Somebody has rewritten it, or put the server back to an older state. Show this to another custodian and to the \
             operator.\nIf it is right, add: --accept-changed-vault"
        )));
    }
    eprintln!("The log has changed, and you say that this is right: {doubt}");
    let mut logs = Logs::load(FILE)?;
    logs.vaults.remove(&vault);
    logs.store(FILE)?;
    look(client).await.map(drop)
}

/// Looks at the log of a vault, and remembers it if it goes on from what was seen.
///
/// # Errors
/// Fails when the server does not answer or the memory cannot be read or written.
pub(crate) async fn look(client: &Client) -> Result<Met, Failure> {
    let address = client.address().to_string();
    let logs = Logs::load(FILE)?;
    match logs.vaults.iter().find(|(_, seen)| seen.address == address) {
        Some((vault, seen)) => {
            let (vault, seen) = (vault.clone(), seen.clone());
            meet_again(client, logs, (vault, seen)).await
        }
        None => meet(client, logs, address).await,
    }
}

/// Meets a vault at an address where none was seen before.
async fn meet(client: &Client, logs: Logs, address: String) -> Result<Met, Failure> {
    let custody = match client.custody(None).await {
        Ok(custody) => custody,
        // No vault is made yet, or the server is of another kind, whose log shows nothing.
        Err(ApiError::Refused { .. } | ApiError::Unintelligible { .. }) => return Ok(Met::Fine),
        Err(error) => return Err(error.into()),
    };
    if let Some(seen) = logs.vaults.get(&custody.vault) {
        let seen = Seen { address, ..seen.clone() };
        return meet_again(client, logs, (custody.vault, seen)).await;
    }
    // A sealed vault does not tell its key; the next time it may.
    let Some(key) = custody.audit_key else { return Ok(Met::Fine) };
    let Some(found) = newest(client, 0).await? else { return Ok(Met::Fine) };
    let key_of_log = CheckpointKey::parse(&key).map_err(ProofError::from);
    match key_of_log.and_then(|key| Ok(key.verify(&found.checkpoint)?)) {
        Ok(_) => remember(logs, custody.vault, Seen { address, key, checkpoint: found.checkpoint }).map(|()| Met::Fine),
        Err(error) => Ok(Met::Doubted(custody.vault, error.into())),
    }
}

async fn meet_again(client: &Client, logs: Logs, (vault, seen): (String, Seen)) -> Result<Met, Failure> {
    let read = || -> Result<(CheckpointKey, Checkpoint), ProofError> {
        let key = CheckpointKey::parse(&seen.key)?;
        let checkpoint = key.verify(&seen.checkpoint)?;
        Ok((key, checkpoint))
    };
    let (key, before) = match read() {
        Ok(read) => read,
        Err(error) => return Ok(Met::Doubted(vault, Doubt::Memory(error.to_string()))),
    };
    let Some(found) = newest(client, before.size).await? else {
        return Ok(Met::Doubted(vault, Doubt::Gone(before.size)));
    };
    if let Err(error) = goes_on(&key, &before, &found) {
        return Ok(Met::Doubted(vault, error.into()));
    }
    remember(logs, vault, Seen { checkpoint: found.checkpoint, ..seen }).map(|()| Met::Fine)
}

/// Verifies that a log goes on from an earlier checkpoint, and gives the new one.
pub(crate) fn goes_on(
    key: &CheckpointKey,
    before: &Checkpoint,
    found: &CheckpointGrowth,
) -> Result<Checkpoint, ProofError> {
    let now = key.verify(&found.checkpoint)?;
    Growth::parse(found.growth.iter().map(String::as_str))?.verify(before, &now)?;
    Ok(now)
}

async fn newest(client: &Client, from: u64) -> Result<Option<CheckpointGrowth>, Failure> {
    match client.log_checkpoint(from).await {
        Ok(found) => Ok(Some(found)),
        Err(ApiError::Refused { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn remember(mut logs: Logs, vault: String, seen: Seen) -> Result<(), Failure> {
    if logs.vaults.get(&vault) == Some(&seen) {
        return Ok(());
    }
    logs.vaults.retain(|_, known| known.address != seen.address);
    logs.vaults.insert(vault, seen);
    logs.store(FILE).map(drop)
}

/// Gives what was seen last of the log of the vault at an address.
///
/// # Errors
/// Fails when nothing was.
pub(crate) fn seen(address: &str) -> Result<Seen, Failure> {
    let logs = Logs::load(FILE)?;
    let seen = logs.vaults.into_values().find(|seen| seen.address == address);
    seen.ok_or_else(|| Failure::usage(format!("nothing was seen of the log at {address} yet: keyturn status")))
}
