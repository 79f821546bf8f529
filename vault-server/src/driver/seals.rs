//! Moves the vault between uninitialised, sealed and unsealed.
//!
//! Init, shares and sealing leave durable records too, although a sealed vault has no key to hash anything with: they
//! name a share's number, never a byte of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{MutexGuard, Notify, Semaphore, oneshot};
use vault_core::approval::Gate;
use vault_core::audit::{Record, SealEvent};
use vault_core::auth::token;
use vault_core::custody::{CUSTODY_ROW, Custody, Questions};
use vault_core::id::{RequestId, Revision, UnsealAttemptId, VaultId};
use vault_core::mounts;
use vault_core::refusal::{Class, Refusal};
use vault_core::seal::{
    AtRest, Collecting, KEYRING_ROW, Progress, Refused, SEAL_CONFIG_ROW, SealConfig, Sealed, Step, Unsealed, Waited,
    initialise,
};
use vault_core::secret::SecretText;
use vault_core::sharing::{Share, ShareIndex, Threshold};
use vault_log::checkpoint::CheckpointSigner;

use crate::audit_log::{AuditLog, CheckpointRecord, Checkpointer};
use crate::driver::ceremonies::Ceremonies;
use crate::driver::rules::Rules;
use crate::driver::stripes::Stripes;
use crate::driver::{DriverSettings, Open, Vault, log_refusal, store_refusal};
use crate::environment::Environment;
use crate::facts::KnownFacts;
use crate::metrics::{Metrics, TokenCount};
use crate::outside::Outside;
use crate::storage::metered::MeteredStorage;
use crate::storage::{CommitError, Storage};
use crate::traces::Traces;

/// Longest wait for running requests when the vault is sealed; the door gives each one up long before.
const SEAL_WAIT_MAX: Duration = Duration::from_secs(120);

/// Where a vault is.
pub(super) enum Phase {
    /// Nothing is there yet.
    Uninitialised,
    /// No share has come.
    Sealed(Sealed),
    /// Some shares have come.
    Collecting(Collecting),
    /// Open.
    Unsealed {
        /// What was public about the seal when it opened; a rekey since is known to what is open.
        config: Arc<SealConfig>,
        /// Who holds the shares, as it was then.
        custody: Option<Arc<Custody>>,
        /// Ends when the last request has let go of the keys and they are wiped.
        wiped: oneshot::Receiver<()>,
    },
    /// A transition was interrupted: the rows of the seal are read again.
    Unknown,
}

/// What anybody may know of a vault.
#[derive(Clone, Debug)]
pub struct Status {
    /// Whether no request can be served.
    pub sealed: bool,
    /// What is public about the seal; `None` before initialisation.
    pub config: Option<Arc<SealConfig>>,
    /// Who holds the shares; `None` where they were handed out in clear.
    pub custody: Option<Arc<Custody>>,
    /// The running attempt.
    pub attempt: Option<Progress>,
    /// The kind of the store.
    pub storage_kind: &'static str,
}

impl Status {
    /// Names the vault; `None` before initialisation.
    pub fn vault(&self) -> Option<VaultId> {
        self.config.as_ref().map(|config| config.vault())
    }

    /// Names the custodian of a share, where shares have custodians.
    pub fn custodian(&self, index: ShareIndex) -> Option<String> {
        name_of(self.custody.as_deref(), index)
    }
}

/// A vault just made.
pub struct Initialised {
    /// The shares, one for each custodian.
    pub shares: Vec<Share>,
    /// The root token of the bootstrap phase.
    pub root_token: SecretText,
}

/// Who gives a share or asks for a transition.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The request.
    pub id: RequestId,
    /// The other end of the connection.
    pub remote: SocketAddr,
}

impl Vault {
    /// Opens a vault over a store and a log. It is sealed, or not initialised yet.
    ///
    /// # Errors
    /// Refuses when the store cannot be read or the rows of the seal are damaged.
    pub async fn open(
        storage: Arc<dyn Storage>,
        storage_kind: &'static str,
        log: AuditLog,
        environment: Environment,
        settings: DriverSettings,
    ) -> Result<Arc<Self>, Refusal> {
        let environment = Arc::new(environment);
        let metrics = Arc::new(Metrics::new(environment.now()));
        log.measure_with(Arc::clone(&metrics));
        metrics.process.watch(settings.files.clone(), log.lag());
        let storage: Arc<dyn Storage> = Arc::new(MeteredStorage::new(storage, Arc::clone(&metrics)));
        storage.revision().await.map_err(|error| store_refusal(&error))?;
        let phase = tokio::sync::Mutex::new(read_phase(storage.as_ref()).await?);
        let (open, sealed, purge, collect, check_rotation, deliver) = Default::default();
        let snapshot_turns = Arc::new(Semaphore::new(1));
        let questions = tokio::sync::Mutex::new(Questions::new(&mut environment.rng()));
        let ceremonies = tokio::sync::Mutex::new(Ceremonies::new(settings.seal.attempt_span));
        let followers = log.followers().clone();
        Ok(Arc::new(Self {
            storage,
            storage_kind,
            log,
            outside: Outside::new(
                KnownFacts { storage_kind: storage_kind.to_owned(), ..settings.facts.clone() },
                (followers, settings.devices.clone()),
                Arc::clone(&metrics),
                Arc::clone(&environment),
            ),
            environment,
            traces: Traces::new(settings.traces.clone(), Arc::clone(&metrics)),
            metrics,
            settings,
            open,
            phase,
            ceremonies,
            questions,
            sealed,
            purge,
            collect,
            deliver,
            snapshot_turns,
            check_rotation,
            census: Notify::new(),
        }))
    }

    /// Tells what anybody may know.
    ///
    /// # Errors
    /// Refuses when the store cannot be read.
    pub async fn status(&self) -> Result<Status, Refusal> {
        Ok(self.show(&*self.phase().await?))
    }

    /// Tells the revision of the store: how many batches were ever committed.
    ///
    /// # Errors
    /// Refuses when the store cannot be read.
    pub async fn revision(&self) -> Result<Revision, Refusal> {
        self.storage.revision().await.map_err(|error| store_refusal(&error))
    }

    /// Makes the vault: its keys, the first mounts and policies, a root token, and the shares.
    ///
    /// # Errors
    /// Refuses when there is a vault already, also when another caller was faster.
    pub async fn initialise(&self, threshold: Threshold, caller: Caller) -> Result<Initialised, Refusal> {
        let mut phase = self.phase().await?;
        if !matches!(*phase, Phase::Uninitialised) {
            return Err(initialised_already());
        }
        self.record_seal_event(SealEvent::Initialise, caller).await?;
        let now = self.environment.now();
        let (shares, root_token, batch) = {
            let mut rng = self.environment.rng();
            let broken = |error: &dyn std::fmt::Display| Refusal::internal(error.to_string());
            let vault = VaultId::random(&mut rng);
            let mut made = initialise(threshold, vault, now, &mut rng).map_err(|error| broken(&error))?;
            let (names, token_ids) = (made.unsealed.barrier().names(), made.unsealed.barrier().token_ids());
            let (root_token, root_rows) = token::root(names, token_ids, now, &mut rng)?;
            let rows: Vec<_> = mounts::initial_changes(names, &mut rng)?.into_iter().chain(root_rows).collect();
            made.add_rows(rows, &mut rng).map_err(|error| broken(&error))?;
            (made.shares, root_token, made.batch)
        };
        match self.storage.commit(batch).await {
            Ok(_) => {}
            Err(CommitError::Conflict { .. }) => return Err(initialised_already()),
            Err(CommitError::Storage(error)) => return Err(store_refusal(&error)),
        }
        *phase = Phase::Unknown;
        Ok(Initialised { shares, root_token })
    }

    /// Takes one share towards unsealing. An unsealed vault takes no notice of it.
    ///
    /// # Errors
    /// Refuses a share that is mistyped, foreign, stale, given already or not of this set, saying which.
    pub async fn unseal(&self, share: &SecretText, caller: Caller) -> Result<Status, Refusal> {
        let mut phase = self.phase().await?;
        let share = match (&*phase, Share::parse(share.expose())) {
            (Phase::Unsealed { .. }, _) => return Ok(self.describe(&phase)),
            (Phase::Uninitialised, _) => return Err(Refusal::invalid("server is not yet initialized")),
            (_, Ok(share)) => share,
            (_, Err(error)) => return Err(self.refuse_share(None, None, &error, caller).await),
        };
        let index = share.index().get();
        let custodian = self.describe(&phase).custodian(share.index());
        let custodian = custodian.as_deref();
        let collecting = match std::mem::replace(&mut *phase, Phase::Unknown) {
            Phase::Sealed(sealed) => self.begin(sealed),
            Phase::Collecting(collecting) => collecting,
            other => {
                *phase = other;
                return Err(Refusal::internal("a share came in a phase that takes none"));
            }
        };
        match collecting.add(share, self.environment.now()) {
            Ok(Step::More(collecting)) => *phase = Phase::Collecting(collecting),
            Ok(Step::Done(unsealed)) => {
                self.note_seal_event(SealEvent::ShareTaken { index, custodian }, caller).await;
                *phase = self.enter(unsealed).await?;
                self.note_seal_event(SealEvent::Unsealed, caller).await;
                self.note_charter(caller);
                return Ok(self.show(&phase));
            }
            Err(Refused::Share { collecting, error }) => {
                *phase = Phase::Collecting(collecting);
                return Err(self.refuse_share(Some(index), custodian, &error, caller).await);
            }
            Err(Refused::Expired { sealed, .. }) => {
                *phase = Phase::Sealed(sealed);
                return Err(Refusal::invalid("the attempt to unseal ran out of time; enter the share again"));
            }
            Err(Refused::Damaged { sealed, error }) => {
                *phase = Phase::Sealed(sealed);
                return Err(self.refuse_share(Some(index), custodian, &error, caller).await);
            }
        }
        self.note_seal_event(SealEvent::ShareTaken { index, custodian }, caller).await;
        Ok(self.show(&phase))
    }

    /// Gives up the running attempt; its shares are wiped.
    ///
    /// # Errors
    /// Refuses before initialisation.
    pub async fn reset_unseal(&self, caller: Caller) -> Result<Status, Refusal> {
        let mut phase = self.phase().await?;
        match std::mem::replace(&mut *phase, Phase::Unknown) {
            Phase::Collecting(collecting) => {
                *phase = Phase::Sealed(collecting.reset());
                self.note_seal_event(SealEvent::Reset, caller).await;
            }
            Phase::Uninitialised => {
                *phase = Phase::Uninitialised;
                return Err(Refusal::invalid("server is not yet initialized"));
            }
            other => *phase = other,
        }
        Ok(self.show(&phase))
    }

    /// Seals the vault: no request begins from now on; once the running ones have ended, every key is wiped.
    pub async fn seal(&self) {
        let mut phase = self.phase.lock().await;
        self.seal_phase(&mut phase).await;
    }

    /// Seals the vault and lets nobody unseal it until the guard is dropped.
    ///
    /// # Errors
    /// Refuses when the vault is sealed already, and when a request does not let go of the old keys.
    pub(super) async fn seal_and_hold(&self) -> Result<MutexGuard<'_, Phase>, Refusal> {
        let mut phase = self.phase.lock().await;
        if !matches!(*phase, Phase::Unsealed { .. }) {
            return Err(Refusal::new(Class::Unavailable, "Vault is sealed"));
        }
        if self.seal_phase(&mut phase).await {
            Ok(phase)
        } else {
            Err(Refusal::new(Class::Unavailable, "a request still runs after sealing; unseal and try again"))
        }
    }

    /// Takes the keys away and tells whether everybody has let go of them.
    async fn seal_phase(&self, phase: &mut Phase) -> bool {
        self.log.stop_signing().await;
        drop(self.open.swap(None));
        self.ceremonies.lock().await.clear();
        let mut all_gone = true;
        if let Phase::Unsealed { wiped, .. } = std::mem::replace(phase, Phase::Unknown) {
            // The other end is dropped with the keys, and so this waits for an error.
            all_gone = tokio::time::timeout(SEAL_WAIT_MAX, wiped).await.is_ok();
            if !all_gone {
                tracing::error!("a request still runs after sealing; its keys are wiped when it ends");
            }
        }
        self.log.followers().stop().await;
        self.metrics.seal.closed();
        self.metrics.people.forget();
        self.metrics.tokens.are(&TokenCount::default());
        self.sealed.send_modify(|times| *times += 1);
        tracing::info!("the vault is sealed");
        all_gone
    }

    /// Gives the phase as it is now: an attempt whose time is over has ended.
    pub(super) async fn phase(&self) -> Result<MutexGuard<'_, Phase>, Refusal> {
        let mut phase = self.phase.lock().await;
        *phase = match std::mem::replace(&mut *phase, Phase::Unknown) {
            Phase::Unknown => read_phase(self.storage.as_ref()).await?,
            Phase::Collecting(collecting) => match collecting.expire(self.environment.now()) {
                Waited::Still(collecting) => Phase::Collecting(collecting),
                Waited::Expired(sealed) => Phase::Sealed(sealed),
            },
            settled => settled,
        };
        Ok(phase)
    }

    /// Wipes the shares of an attempt whose time is over, even if nobody asks.
    pub(super) async fn expire_attempt(&self) -> Result<(), Refusal> {
        self.status().await.map(drop)
    }

    /// Makes what signs checkpoints of the log until the vault is sealed.
    fn checkpointer(&self, open: &Open) -> Checkpointer {
        let environment = Arc::clone(&self.environment);
        let signer = checkpoint_signer(open);
        Arc::new(move |size, root| match signer.sign(size, root) {
            Ok(note) => {
                let id = RequestId::random(&mut environment.rng());
                let record = Record::of_checkpoint(&note, id, environment.now());
                Some(CheckpointRecord { note, record })
            }
            Err(error) => {
                tracing::error!("a checkpoint cannot be signed: {error}");
                None
            }
        })
    }

    /// Gives the public key that checkpoints of the log are verified with, while the vault is open.
    pub fn audit_key(&self) -> Option<String> {
        self.open.load_full().map(|open| checkpoint_signer(&open).public().to_string())
    }

    fn begin(&self, sealed: Sealed) -> Collecting {
        let attempt = UnsealAttemptId::random(&mut self.environment.rng());
        sealed.begin(attempt, self.settings.seal, self.environment.now())
    }

    /// Loads the rules with the new keys and opens the vault to requests.
    async fn enter(&self, unsealed: Unsealed) -> Result<Phase, Refusal> {
        let (config, custody) = (unsealed.config(), unsealed.custody());
        let rules = Rules::load(self.storage.as_ref(), &unsealed).await?;
        let (wiping, wiped) = oneshot::channel();
        let open = Open {
            unsealed,
            rules,
            gate: Gate::default(),
            usage: Default::default(),
            stripes: Stripes::new(),
            _wiping: wiping,
        };
        let open = Arc::new(open);
        self.follow_log(&open).await?;
        self.log.sign_with(self.checkpointer(&open));
        self.open.store(Some(open));
        self.purge.notify_one();
        self.deliver.notify_one();
        self.census.notify_one();
        tracing::info!("the vault is unsealed");
        Ok(Phase::Unsealed { config, custody, wiped })
    }

    /// Records a refused share and gives the refusal for the caller.
    async fn refuse_share(
        &self,
        index: Option<u8>,
        custodian: Option<&str>,
        error: &(dyn std::error::Error + Sync),
        caller: Caller,
    ) -> Refusal {
        let reason = error.to_string();
        self.metrics.seal.refused.inc();
        self.note_seal_event(SealEvent::ShareRefused { index, custodian, reason: &reason }, caller).await;
        Refusal::invalid(reason)
    }

    /// Makes an event durable that may go on without a record: a vault whose log cannot be written must still take
    /// shares and be sealed; it serves nothing else.
    async fn note_seal_event(&self, event: SealEvent<'_>, caller: Caller) {
        if let Err(refusal) = self.record_seal_event(event, caller).await {
            tracing::error!("not on record: {}", refusal.private.as_deref().unwrap_or(&refusal.public));
        }
    }

    pub(super) async fn record_seal_event(&self, event: SealEvent<'_>, caller: Caller) -> Result<(), Refusal> {
        let record = Record::of_seal_event(&event, caller.id, caller.remote, self.environment.now());
        self.log.append_durable(record).await.map(drop).map_err(|error| log_refusal(&error))
    }

    /// Describes a phase, to metrics too.
    fn show(&self, phase: &Phase) -> Status {
        let status = self.describe(phase);
        self.metrics.seal.is(&status);
        status
    }

    fn describe(&self, phase: &Phase) -> Status {
        let (config, custody, progress) = match phase {
            Phase::Uninitialised | Phase::Unknown => (None, None, None),
            Phase::Sealed(sealed) => (Some(Arc::clone(sealed.config())), sealed.custody().cloned(), None),
            Phase::Collecting(collecting) => {
                let config = Arc::clone(collecting.config());
                (Some(config), collecting.custody().cloned(), Some(collecting.progress()))
            }
            Phase::Unsealed { config, custody, .. } => match self.open.load().as_ref() {
                Some(open) => (Some(open.unsealed.config()), open.unsealed.custody(), None),
                None => (Some(Arc::clone(config)), custody.clone(), None),
            },
        };
        Status {
            sealed: !matches!(phase, Phase::Unsealed { .. }),
            config,
            custody,
            attempt: progress,
            storage_kind: self.storage_kind,
        }
    }
}

fn checkpoint_signer(open: &Open) -> CheckpointSigner {
    let barrier = open.barrier();
    CheckpointSigner::new(barrier.vault().0, barrier.checkpoint_key())
}

fn name_of(custody: Option<&Custody>, index: ShareIndex) -> Option<String> {
    custody.and_then(|custody| custody.custodian(index)).map(|person| person.name.to_string())
}

pub(super) fn initialised_already() -> Refusal {
    Refusal::invalid("Vault is already initialized")
}

/// Reads where a vault is that nobody has opened.
async fn read_phase(storage: &dyn Storage) -> Result<Phase, Refusal> {
    let config = storage.get(&SEAL_CONFIG_ROW).await.map_err(|error| store_refusal(&error))?;
    let keyring = storage.get(&KEYRING_ROW).await.map_err(|error| store_refusal(&error))?;
    let custody = storage.get(&CUSTODY_ROW).await.map_err(|error| store_refusal(&error))?;
    match AtRest::read(config.as_ref(), keyring.as_ref(), custody.as_ref()) {
        Ok(AtRest::Uninitialised) => Ok(Phase::Uninitialised),
        Ok(AtRest::Sealed(sealed)) => Ok(Phase::Sealed(sealed)),
        Err(error) => Err(Refusal::internal(error.to_string())),
    }
}
