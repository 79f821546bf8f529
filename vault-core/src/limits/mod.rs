//! Limits: soft values beyond which people are told, hard values beyond which the act is refused; and canaries, secrets that
//! nobody has a reason to read.
//!
//! Limits are few and in memory with mounts and policies. What is counted lies in rows of its own ([`tally`]), which are
//! read and written in the batch of the effect: at a hard limit of ten exactly ten pass, whoever comes at the same time. Where no
//! limit holds nothing is looked up. Every call comes through [`guard`], which counts, refuses and tells. Formats:
//! docs/formats.md, "Limits"; reasons: docs/decisions/0029-limits.md.

mod breach;
mod canary;
mod count;
mod defaults;
mod guard;
mod limit;
mod logins;
mod metric;
pub mod pending;
pub mod tally;
pub mod upkeep;

use std::collections::{BTreeMap, HashSet};

pub use breach::Breach;
pub(crate) use canary::{canaries, mark, unmark};
pub(crate) use count::count;
pub use count::turn;
pub use defaults::defaults;
pub(crate) use guard::{check_secret_age, guard};
pub use limit::{Grounds, Limit, NAME_LENGTH_BYTES_MAX, RAISE_SPAN_MAX, REASON_LENGTH_BYTES_MAX, Raised, Wanted};
pub(crate) use limit::{slot, stored};
pub(crate) use logins::FailedLogins;
pub use metric::{Level, Metric};
pub(crate) use pending::check_pending;
pub use tally::Subject;

use crate::engines::Call;
use crate::id::{MountId, VaultId};
use crate::names::{Names, Slot};
use crate::policy::Pattern;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::view::{Interrupt, View};
use upkeep::Upkeep;

/// Most limits of one vault; those of a metric are looked at for each act that it is of.
pub const LIMITS_MAX: usize = 200;

/// Most canaries of one vault; all are kept in memory.
pub const CANARIES_MAX: usize = 10_000;

/// A limit in force.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The limit.
    pub limit: Limit,
    /// Whether nobody wrote it: it is there from the start.
    pub is_default: bool,
    pattern: Option<Pattern>,
}

impl Rule {
    fn new(limit: Limit, is_default: bool) -> Result<Self, Refusal> {
        let damaged = |reason| Refusal::internal(format!("limit {:?}: {reason}", limit.name));
        let pattern = Some(&limit.path).filter(|path| !path.is_empty());
        let pattern = pattern.map(|path| Pattern::parse(path)).transpose().map_err(damaged)?;
        Ok(Self { limit, is_default, pattern })
    }

    fn holds_for(&self, path: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(path))
    }
}

/// All limits and canaries in force, and what the ages of the vault's upkeep are counted from.
#[derive(Default)]
pub struct Limits {
    rules: BTreeMap<Metric, Vec<Rule>>,
    canaries: HashSet<(MountId, String)>,
    upkeep: Upkeep,
}

impl Limits {
    /// Puts the limits of a vault together: those that were written, and those that are there from the start where no other
    /// has their name.
    ///
    /// # Errors
    /// Refuses with an internal error if a stored one is damaged.
    pub fn new(stored: Vec<Limit>) -> Result<Self, Refusal> {
        let others = defaults().filter(|own| stored.iter().all(|limit| limit.name != own.name));
        let rules = others.map(|limit| (limit, true)).collect::<Vec<_>>();
        let mut all = Self::default();
        for (limit, is_default) in stored.into_iter().map(|limit| (limit, false)).chain(rules) {
            all.rules.entry(limit.metric).or_default().push(Rule::new(limit, is_default)?);
        }
        Ok(all)
    }

    /// Lists all limits by name.
    pub fn all(&self) -> Vec<&Rule> {
        let mut all: Vec<&Rule> = self.rules.values().flatten().collect();
        all.sort_unstable_by_key(|rule| rule.limit.name.as_str());
        all
    }

    /// Finds a limit by name.
    pub fn named(&self, name: &str) -> Option<&Rule> {
        self.rules.values().flatten().find(|rule| rule.limit.name == name)
    }

    /// Lists the limits on a metric that hold for a path.
    pub(crate) fn of<'a>(&'a self, metric: Metric, path: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.on(metric).filter(move |rule| rule.holds_for(path))
    }

    fn on(&self, metric: Metric) -> impl Iterator<Item = &Rule> {
        self.rules.get(&metric).into_iter().flatten()
    }

    /// Tells whether there is any limit on a metric.
    fn has(&self, metric: Metric) -> bool {
        self.rules.contains_key(&metric)
    }

    /// Tells whether it matters which secret a read gives out.
    fn watches_reads(&self) -> bool {
        !self.canaries.is_empty() || count::OF_READS.iter().any(|metric| self.has(*metric))
    }

    fn is_canary(&self, mount: MountId, below: &str) -> bool {
        self.canaries.contains(&(mount, below.to_owned()))
    }

    /// Lists canaries: their mounts and the paths below these.
    pub(crate) fn canaries(&self) -> impl Iterator<Item = &(MountId, String)> {
        self.canaries.iter()
    }

    /// Gives what the ages of the vault's upkeep are counted from.
    pub const fn upkeep(&self) -> &Upkeep {
        &self.upkeep
    }

    /// Sets when the custodian who was not seen for longest was seen.
    pub const fn set_checkup(&mut self, seen_at: Option<Timestamp>) {
        self.upkeep.checkup_at = seen_at;
    }
}

/// What is needed to tell people of something.
#[derive(Clone, Copy)]
pub struct Teller<'a> {
    /// Turns names into storage keys.
    pub names: &'a Names,
    /// The present.
    pub now: Timestamp,
    /// The vault.
    pub vault: VaultId,
    /// Whether anybody is to be told.
    pub tells: bool,
}

impl<'a> Teller<'a> {
    const fn of(call: &Call<'a>) -> Self {
        Self { names: call.names, now: call.now, vault: call.vault, tells: call.tells }
    }
}

/// Reads all limits and canaries.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub(crate) fn load(names: &Names, view: &mut View) -> Result<Limits, Interrupt> {
    let slots = |view: &mut View, folder| -> Result<Vec<Slot>, Interrupt> {
        Ok(view.list(&folder)?.iter().map(|name| names.entry(&folder, name)).collect())
    };
    let limits = slots(view, limit::folder(names))?;
    let canaries = slots(view, canary::folder(names))?;
    view.prefetch(limits.iter().chain(&canaries));
    let mut stored = Vec::with_capacity(limits.len());
    for slot in &limits {
        if let Some(row) = view.entry(slot)? {
            stored.push(Limit::decode(&row.payload)?);
        }
    }
    let mut all = Limits::new(stored)?;
    for slot in &canaries {
        if let Some(row) = view.entry(slot)? {
            all.canaries.insert(canary::decode(&row.payload)?);
        }
    }
    all.upkeep = upkeep::load(names, view)?;
    Ok(all)
}

#[cfg(test)]
mod tests;
