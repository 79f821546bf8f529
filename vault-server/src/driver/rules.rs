//! Mounts, policies and compiled rules of an unsealed vault, replaced as a whole when one changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use vault_core::auth::Identity;
use vault_core::custody::{CHECKUPS_ROW, CheckUps};
use vault_core::mounts::{self, Tables};
use vault_core::policy::{Acl, IdentityFacts};
use vault_core::refusal::Refusal;
use vault_core::seal::Unsealed;
use vault_core::time::Timestamp;
use vault_core::view::{Interrupt, View};

use crate::driver::fetch::{Fetcher, ROUNDS_MAX};
use crate::driver::store_refusal;
use crate::storage::Storage;

/// Most compiled rules that are kept; beyond it the kept ones are dropped and compiled anew.
const COMPILED_MAX: usize = 4_096;

/// The rules in force.
pub(super) struct Rules {
    current: ArcSwap<Generation>,
    /// Counts the changes of the rows; no request is judged by rules that have not seen the last one.
    changes: AtomicU64,
    /// Lets one reload after another happen, so that the last one to finish has read the newest rows.
    reload: tokio::sync::Mutex<()>,
}

/// Tables together with the rules compiled from them, so that a change of policy drops both at once.
pub(super) struct Generation {
    pub(super) tables: Tables,
    /// How many changes of the rows these tables have seen.
    seen_changes: u64,
    compiled: RwLock<Compiled>,
}

/// Compiled rules by the names of the policies.
#[derive(Default)]
struct Compiled {
    sets: HashMap<Vec<String>, CompiledSet>,
    count: usize,
}

/// The compiled rules of one set of policies: for each identity if a path of theirs is templated, else for nobody in
/// particular.
struct CompiledSet {
    is_templated: bool,
    by_facts: HashMap<IdentityFacts, Arc<Acl>>,
}

impl Rules {
    /// Loads the tables of a vault that is being unsealed.
    pub(super) async fn load(storage: &dyn Storage, unsealed: &Unsealed) -> Result<Self, Refusal> {
        let first = Generation::load(storage, unsealed, 0).await?;
        Ok(Self {
            current: ArcSwap::from_pointee(first),
            changes: AtomicU64::new(0),
            reload: tokio::sync::Mutex::new(()),
        })
    }

    /// Says that a change of the rows was committed, before its author is answered.
    pub(super) fn expire(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Gives the rules as they stand now, loading them first if their rows have changed.
    pub(super) async fn current(&self, storage: &dyn Storage, unsealed: &Unsealed) -> Result<Arc<Generation>, Refusal> {
        let seen = self.changes.load(Ordering::Acquire);
        let current = self.current.load_full();
        if current.seen_changes >= seen {
            return Ok(current);
        }
        let _one_at_a_time = self.reload.lock().await;
        // Changes are counted before the rows are read: one that comes in between is read again by the next request.
        let seen = self.changes.load(Ordering::Acquire);
        if self.current.load().seen_changes < seen {
            self.current.store(Arc::new(Generation::load(storage, unsealed, seen).await?));
        }
        Ok(self.current.load_full())
    }
}

/// Tells when the custodian who was not seen for longest was seen; none where shares have no custodians.
async fn checkup(storage: &dyn Storage, unsealed: &Unsealed) -> Result<Option<Timestamp>, Refusal> {
    let Some(custody) = unsealed.custody() else { return Ok(None) };
    let config = unsealed.config();
    let row = storage.get(&CHECKUPS_ROW).await.map_err(|error| store_refusal(&error))?;
    // A row that is damaged counts as none: everybody was seen when the shares were made.
    let read = CheckUps::read(row.as_ref().map(|row| row.value.as_ref()), config.epoch());
    let checkups = read.unwrap_or_else(|_| CheckUps::new(config.epoch()));
    Ok(custody.last_checkup(config.created_at(), &checkups))
}

impl Generation {
    async fn load(storage: &dyn Storage, unsealed: &Unsealed, seen_changes: u64) -> Result<Self, Refusal> {
        let mut view = View::default();
        let barrier = unsealed.barrier();
        let fetcher = Fetcher { storage, barrier, recorded: None, outside: None };
        for _ in 0..ROUNDS_MAX {
            match mounts::load_tables(barrier.names(), &mut view) {
                Ok(tables) => {
                    let checkup = checkup(storage, unsealed).await?;
                    let tables = tables.with_custody(unsealed.custody()).with_checkup(checkup);
                    return Ok(Self { tables, seen_changes, compiled: RwLock::default() });
                }
                Err(Interrupt::Refuse(refusal)) => return Err(refusal),
                Err(Interrupt::Fetch) => fetcher.supply(&mut view).await?,
            }
        }
        Err(Refusal::internal("loading mounts and policies does not come to an end"))
    }

    /// Gives the rules for an identity.
    pub(super) fn acl_of(&self, identity: &Identity) -> Arc<Acl> {
        self.acl(&identity.policies(&self.tables), &identity.facts(&self.tables))
    }

    /// Gives the rules of a set of policies for one identity; names without a policy grant nothing.
    pub(super) fn acl(&self, names: &[String], facts: &IdentityFacts) -> Arc<Acl> {
        let nobody = IdentityFacts::default();
        if let Some(set) = self.compiled.read().unwrap_or_else(PoisonError::into_inner).sets.get(names)
            && let Some(acl) = set.by_facts.get(if set.is_templated { facts } else { &nobody })
        {
            return Arc::clone(acl);
        }
        let is_templated = self.tables.is_templated(names);
        let facts = if is_templated { facts } else { &nobody };
        let acl = Arc::new(self.tables.acl(names, facts));
        let mut compiled = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        if compiled.count >= COMPILED_MAX {
            *compiled = Compiled::default();
        }
        compiled.count += 1;
        let empty = || CompiledSet { is_templated, by_facts: HashMap::new() };
        let set = compiled.sets.entry(names.to_vec()).or_insert_with(empty);
        set.by_facts.insert(facts.clone(), Arc::clone(&acl));
        acl
    }
}
