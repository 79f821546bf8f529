//! Secrets engines and the vault's own endpoints: pure functions from a request and what is stored to a reply
//! and a list of changes.
//!
//! How to add one: write a file with a type that implements [`Engine`], and add it to [`ENGINES`] (mountable by
//! anybody who may mount) or to [`BUILT_IN`] (mounted once at a fixed path). Help, tests and mounting walk these lists.

mod cubbyhole;
mod kv;
mod system;
#[cfg(test)]
mod test_store;
mod token;
mod tree;

use rand_core::CryptoRng;

use crate::auth::Identity;
use crate::barrier::{Barrier, BarrierError};
use crate::keys::KeyedHash;
use crate::mounts::{Mount, Tables};
use crate::names::{Names, Slot};
use crate::reply::Reply;
use crate::request::Request;
use crate::store::{Expect, Write};
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

/// Everything an engine may know about a call.
pub struct Call<'a> {
    /// The request.
    pub request: &'a Request,
    /// Who asks.
    pub identity: &'a Identity,
    /// The mount that the path lies under.
    pub mount: &'a Mount,
    /// The path below the mount, without leading slash.
    pub path: &'a str,
    /// Mounts and policies in force.
    pub tables: &'a Tables,
    /// Turns names into storage keys.
    pub names: &'a Names,
    /// Hashes tokens into the names they are stored under.
    pub token_ids: &'a KeyedHash,
    /// The present, on the server's clock.
    pub now: Timestamp,
}

/// One change that an engine asks for.
pub enum Change {
    /// Writes a row.
    Put {
        /// Where.
        slot: Slot,
        /// What, before sealing.
        payload: crate::secret::SecretBytes,
    },
    /// Removes a row.
    Delete {
        /// Where.
        slot: Slot,
    },
    /// Removes a row on condition that its folder holds no other row.
    DeleteOnly {
        /// Where.
        slot: Slot,
    },
}

impl Change {
    /// Seals the change into a write of a batch, adding what must hold for it.
    pub(crate) fn seal(
        self,
        expects: &mut Vec<Expect>,
        barrier: &Barrier,
        rng: &mut dyn CryptoRng,
    ) -> Result<Write, BarrierError> {
        match self {
            Self::Put { slot, payload } => {
                let (label, value) = barrier.seal(&slot, payload.expose(), rng)?;
                Ok(Write::Put { key: *slot.key(), label: label.into(), value: value.into() })
            }
            Self::Delete { slot } => Ok(Write::Delete { key: *slot.key() }),
            Self::DeleteOnly { slot } => {
                expects.push(Expect::OnlyRow { key: *slot.key() });
                Ok(Write::Delete { key: *slot.key() })
            }
        }
    }
}

/// What the driver does after the commit, before it replies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Mounts or policies changed: load them anew.
    ReloadTables,
    /// Something waits in the purge queue: see [`crate::purge`].
    Purge,
    /// Somebody asked to have dead tokens removed now.
    CollectTokens,
    /// Seal the vault after the answer is sent.
    Seal,
}

/// What an engine decided.
#[must_use = "a step does nothing until the driver carries it out"]
pub struct Step {
    /// The answer, given once the changes are committed.
    pub reply: Reply,
    /// The changes, committed as one batch.
    pub changes: Vec<Change>,
    /// What happens after the commit.
    pub effects: Vec<Effect>,
}

impl Step {
    /// Answers and changes nothing.
    pub const fn answer(reply: Reply) -> Self {
        Self { reply, changes: Vec::new(), effects: Vec::new() }
    }

    /// Answers once `changes` are committed.
    pub const fn commit(reply: Reply, changes: Vec<Change>) -> Self {
        Self { reply, changes, effects: Vec::new() }
    }

    /// Adds something for the driver to do after the commit.
    pub fn then(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}

/// A secrets engine, an auth method, or the vault's own endpoints.
pub trait Engine: Sync {
    /// Gives the type name as `sys/mounts` writes it, such as `kv`.
    fn kind(&self) -> &'static str;

    /// Names the row whose presence tells a create from an update; `None` for endpoints that know only updates.
    fn existence(&self, _call: &Call<'_>) -> Option<Slot> {
        None
    }

    /// Tells whether the path needs the `sudo` capability besides the operation's own.
    fn needs_sudo(&self, _path: &str) -> bool {
        false
    }

    /// Decides a call. It is run again from the start whenever something had to be fetched, so it must have no
    /// effect but its answer, and what it draws from `rng`, another value each time, must not decide what it reads.
    ///
    /// # Errors
    /// Stops with [`Interrupt`]: something must be fetched first, or the call is refused.
    fn handle(&self, call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt>;
}

/// The engines that people mount, by type name.
pub static ENGINES: &[&dyn Engine] = &[&kv::Kv];

/// The engines that are mounted once, at a fixed path, from the start.
pub static BUILT_IN: &[&dyn Engine] = &[&cubbyhole::Cubbyhole, &token::Tokens, &system::System];

/// Finds the engine of a mount by its type name.
pub fn find(kind: &str) -> Option<&'static dyn Engine> {
    ENGINES.iter().chain(BUILT_IN).copied().find(|engine| engine.kind() == kind)
}
