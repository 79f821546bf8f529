//! The driver: carries requests through the stages of the core and does the IO between them.
//!
//! `requests` runs one request, `fetch` reads what pure code asked for, `rules` holds mounts, policies and compiled
//! rules, `seals` moves the vault between sealed and unsealed, `snapshots` takes and restores it, `sweep` removes what was
//! given up, `census` counts what metrics tell, `limits` watches limits, `notices` tells people what waits for them, `rotation` renews the barrier's key, and
//! `ceremonies` is what custodians do with their shares on an unsealed
//! vault: `rekey` and `generate_root`. `custody` is what they do by a charter.

mod census;
mod ceremonies;
mod custody;
mod fetch;
mod generate_root;
mod limits;
mod notices;
mod rekey;
mod requests;
mod rotation;
mod rules;
mod seals;
mod snapshots;
mod stripes;
mod sweep;
mod witnesses;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, Notify, Semaphore, oneshot, watch};
use vault_core::approval::Gate;
use vault_core::barrier::Barrier;
use vault_core::custody::{CHECKUP_SPAN, Questions};
use vault_core::flow::Recorded;
use vault_core::quota::Usage;
use vault_core::refusal::{Class, Refusal};
use vault_core::seal::{SealSettings, Unsealed};
use vault_core::time::{Span, Timestamp};
use vault_log::folder::TreeFolder;

use crate::alerts::Channels;
use crate::audit_log::AuditLog;
use crate::audit_log::devices::DeviceRules;
use crate::config::TraceSettings;
use crate::environment::Environment;
use crate::facts::{KnownFacts, WatchedFiles};
use crate::metrics::Metrics;
use crate::outside::Outside;
use crate::storage::{Storage, StorageError};
use crate::traces::Traces;
use crate::witness::Witnesses;

use ceremonies::Ceremonies;
pub use ceremonies::CeremonyCaller;
pub use custody::{
    AcknowledgeOutcome, BootstrapOutcome, BootstrapStatus, CharterAsk, CheckUp, HandedOut, PendingStatus,
};
use fetch::Fetcher;
pub use generate_root::{RootBegun, RootOutcome, RootStatus};
pub use rekey::{NewShares, RekeyAsk, RekeyOutcome, RekeyStatus, VerificationOutcome, VerificationStatus};
pub use requests::Handled;
use rules::Rules;
use seals::Phase;
pub use seals::{Caller, Initialised, Status};
pub use snapshots::{NextPiece, SnapshotSettings, Upload};
use stripes::Stripes;

/// What the driver may be told.
#[derive(Clone, Debug)]
pub struct DriverSettings {
    /// What an operator may set about the seal.
    pub seal: SealSettings,
    /// How long a custodian may go without a check-up.
    pub checkup_span: Span,
    /// How often dead tokens are looked for.
    pub sweep_interval: Duration,
    /// What the server tells of itself.
    pub facts: KnownFacts,
    /// Where audit devices may write.
    pub devices: DeviceRules,
    /// Bounds of snapshots.
    pub snapshots: SnapshotSettings,
    /// Who is told of requests that wait for people.
    pub channels: Channels,
    /// Who signs for the log.
    pub witnesses: Arc<Witnesses>,
    /// Files whose size metrics tell.
    pub files: WatchedFiles,
    /// Where traces of requests are sent; nowhere if none.
    pub traces: Option<TraceSettings>,
}

impl Default for DriverSettings {
    fn default() -> Self {
        let (seal, snapshots) = Default::default();
        Self {
            seal,
            checkup_span: CHECKUP_SPAN,
            sweep_interval: Duration::from_secs(300),
            facts: KnownFacts::default(),
            devices: DeviceRules::default(),
            snapshots,
            channels: Channels::default(),
            witnesses: Arc::default(),
            files: WatchedFiles::default(),
            traces: None,
        }
    }
}

/// A vault: a store, a log, and the keys while it is unsealed.
pub struct Vault {
    storage: Arc<dyn Storage>,
    storage_kind: &'static str,
    log: AuditLog,
    environment: Arc<Environment>,
    metrics: Arc<Metrics>,
    traces: Traces,
    /// Answers what pure code asks of the world outside.
    outside: Outside,
    settings: DriverSettings,
    /// Keys and rules while unsealed; requests take a reference, sealing takes it away.
    open: ArcSwapOption<Open>,
    /// Where the vault is between uninitialised and unsealed; transitions happen under the lock.
    phase: Mutex<Phase>,
    /// Attempts of custodians. The lock also lets one change of the seal's rows follow another. Who holds it never
    /// waits for `phase`, since sealing waits for both.
    ceremonies: Mutex<Ceremonies>,
    /// The questions that proofs of possession answer. Who holds the lock waits for no other.
    questions: Mutex<Questions>,
    /// Told after each sealing, so that the listener closes connections, whose buffers hold copies of secrets.
    sealed: watch::Sender<u64>,
    /// Told when something waits in the purge queue.
    purge: Notify,
    /// Told when somebody wants dead tokens removed now.
    collect: Notify,
    /// Told when a notice may wait in the outbox.
    deliver: Notify,
    /// Lets one snapshot at a time be taken or restored.
    snapshot_turns: Arc<Semaphore>,
    /// Told when the barrier's key may be due for rotation.
    check_rotation: Notify,
    /// Told when what metrics tell of requests and tokens is to be counted anew.
    census: Notify,
}

/// What an unsealed vault has in memory; dropping it wipes the keys.
pub(crate) struct Open {
    unsealed: Unsealed,
    rules: Rules,
    gate: Gate,
    /// What clients have used of their rate limits.
    usage: std::sync::Mutex<Usage>,
    stripes: Stripes,
    /// Dropped last, after the keys: its other end tells that they are wiped.
    _wiping: oneshot::Sender<()>,
}

impl Open {
    fn barrier(&self) -> &Barrier {
        self.unsealed.barrier()
    }
}

impl Vault {
    /// Gives what counts the sealings. Whoever subscribes hears of later ones only: a connection that began after a
    /// sealing holds nothing of the time before.
    pub const fn sealings(&self) -> &watch::Sender<u64> {
        &self.sealed
    }

    /// Gives what the server counts and measures of itself.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Tells metrics when the certificate of the listener ends.
    pub fn certificate_ends(&self, at: Timestamp) {
        self.metrics.process.certificate_ends(at);
    }

    /// Gives the clock and the source of randomness.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Gives what reads the tree over the log.
    pub(crate) const fn log_tree(&self) -> Option<&TreeFolder> {
        self.log.tree()
    }

    /// Prepares to fetch what pure code asks for: data rows and answers only on a durable record.
    fn fetcher<'a>(&'a self, open: &'a Open, recorded: Option<&'a Recorded>) -> Fetcher<'a> {
        let outside = Some(&self.outside);
        Fetcher { storage: self.storage.as_ref(), barrier: open.barrier(), recorded, outside }
    }

    fn unsealed(&self) -> Result<Arc<Open>, Refusal> {
        self.open.load_full().ok_or_else(|| Refusal::new(Class::Unavailable, "Vault is sealed"))
    }
}

/// Refuses a request because the store cannot answer.
fn store_refusal(error: &StorageError) -> Refusal {
    match error {
        StorageError::Busy => Refusal::new(Class::Busy, "too many writes are waiting; try again in a moment"),
        StorageError::Io { .. } | StorageError::Version { .. } => {
            Refusal::new(Class::Unavailable, "the store cannot be read or written; the server's log has the details")
                .with_private(error.to_string())
        }
    }
}

/// Refuses a request because its record could not be made durable.
fn log_refusal(error: &crate::audit_log::AuditLogError) -> Refusal {
    Refusal::new(
        Class::Unavailable,
        "the audit log cannot be written, so nothing is served; free its disk or mend its directory",
    )
    .with_private(error.to_string())
}
