//! Custody: shares sealed to their custodians, the charter that names them, and proofs that they hold them.
//!
//! `init` makes a vault by a charter, `bootstrap` brings one under a charter, `checkup` takes proofs of possession, and `rekey` replaces charter and shares in
//! two phases. None of them needs a token: signatures and proofs speak for people.

mod bootstrap;
mod checkup;
mod init;
mod rekey;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use vault_core::audit::Record;
use vault_core::charter::Charter;
use vault_core::custody::{Custody, Handout, Occasion, SignedCharter, charter_row};
use vault_core::envelope::Envelope;
use vault_core::refusal::Refusal;
use vault_core::seal::SealConfig;
use vault_core::sharing::Share;
use vault_custody::age_seal::{self, Silent};

use crate::driver::{Caller, Vault, store_refusal};

pub(super) use bootstrap::Bootstrap;
pub use bootstrap::{BootstrapOutcome, BootstrapStatus};
pub use checkup::CheckUp;
pub use init::CharterAsk;
pub use rekey::{AcknowledgeOutcome, PendingStatus};

/// Longest wait for all shares to be sealed to their custodians, plugins among them.
const SEAL_SHARES_WAIT_MAX: Duration = Duration::from_secs(30);

/// Shares that were sealed to their custodians and no longer exist in clear.
pub struct HandedOut {
    /// Who got which.
    pub custody: Arc<Custody>,
    /// The age files, in the order of the numbers.
    pub sealed_shares: Vec<Vec<u8>>,
}

/// Reads a charter in its envelope that enough people have signed.
fn judge(envelope: &str, before: Option<&Charter>) -> Result<SignedCharter, Refusal> {
    let envelope = Envelope::parse(envelope.as_bytes()).map_err(|error| Refusal::invalid(error.to_string()))?;
    SignedCharter::judge(envelope, before).map_err(|error| Refusal::invalid(error.to_string()))
}

/// Seals each share to its custodian. A recipient of a plugin starts that plugin, so it happens beside the runtime.
async fn seal_shares(charter: &SignedCharter, shares: Vec<Share>) -> Result<Vec<Vec<u8>>, Refusal> {
    let recipients: Vec<String> = charter.custodians().map(|(_, person)| person.recipient.to_string()).collect();
    if recipients.len() != shares.len() {
        return Err(Refusal::internal("there are not as many shares as custodians"));
    }
    let work = spawn_blocking(move || {
        let pairs = recipients.iter().zip(shares);
        pairs.map(|(recipient, share)| seal_one(recipient, &share)).collect::<Result<Vec<_>, String>>()
    });
    // Whoever waits for a plugin holds up the other ceremonies, and sealing.
    let waited = tokio::time::timeout(SEAL_SHARES_WAIT_MAX, work).await;
    let worked = waited.map_err(|_| Refusal::invalid("an age plugin did not answer in time: see the recipients"))?;
    let sealed = worked.map_err(|error| Refusal::internal(format!("sealing shares: {error}")))?;
    sealed.map_err(Refusal::invalid)
}

fn seal_one(recipient: &str, share: &Share) -> Result<Vec<u8>, String> {
    let recipient = age_seal::Recipient::parse(recipient).map_err(|error| error.to_string())?;
    age_seal::seal(&recipient, share.to_text().expose().as_bytes(), Silent).map_err(|error| error.to_string())
}

impl Vault {
    /// Notes the charter in force in the log, which so tells by itself whose signatures it holds.
    pub(super) fn note_charter(&self, caller: Caller) {
        let custody = self.open.load_full().and_then(|open| open.unsealed.custody());
        if let Some(custody) = custody {
            self.log.append(Record::of_charter(custody.charter(), caller.id, self.environment.now()));
        }
    }

    /// Gives the charter of an epoch in its envelope, if there is one.
    ///
    /// # Errors
    /// Refuses when the store cannot be read.
    pub async fn charter_of(&self, epoch: u32) -> Result<Option<String>, Refusal> {
        let row = self.storage.get(&charter_row(epoch)).await.map_err(|error| store_refusal(&error))?;
        row.map(|row| String::from_utf8(row.value.to_vec()))
            .transpose()
            .map_err(|error| Refusal::internal(format!("a charter: {error}")))
    }

    /// Draws the record of a handout, signed by the vault.
    fn sign_handout(
        &self,
        (occasion, charter): (Occasion, &SignedCharter),
        config: &SealConfig,
        (sealed_shares, keep): (Vec<Vec<u8>>, bool),
        barrier: &vault_core::barrier::Barrier,
    ) -> Result<Custody, Refusal> {
        let handout = Handout { occasion, charter, config, sealed_shares, keep };
        let now = self.environment.now();
        Custody::sign(handout, barrier, now).map_err(|error| Refusal::internal(error.to_string()))
    }
}
