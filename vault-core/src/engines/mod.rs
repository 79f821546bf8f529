//! Secrets engines and the vault's own endpoints: pure functions from a request and what is stored to a reply
//! and a list of changes.
//!
//! How to add one: write a file with a type that implements [`Engine`], and add it to [`ENGINES`] (mountable by
//! anybody who may mount) or to [`BUILT_IN`] (mounted once at a fixed path). Help, tests and mounting walk these lists.

mod cubbyhole;
mod identity;
mod kv;
mod route;
pub mod system;
#[cfg(test)]
pub(crate) mod test_store;
mod token;
pub mod transit;
pub(crate) mod tree;

use rand_core::CryptoRng;

use crate::approval::Counted;
use crate::auth::methods::METHODS;
use crate::auth::token::{BatchTokens, Finder, Reader, Token};
use crate::auth::{Identity, Sender};
use crate::barrier::{Barrier, BarrierError, KeyringFacts};
use crate::flow::{Identified, Target};
use crate::id::VaultId;
use crate::keys::KeyedHash;
use crate::limits;
use crate::mounts::{Mount, Tables};
use crate::names::{Folder, Names, Slot};
use crate::policy::Acl;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request::Request;
use crate::store::{Expect, Write};
use crate::time::Timestamp;
use crate::view::{Interrupt, RowsRead, View};
use crate::wrapping;
pub use route::{Access, Handler, Route};

/// Everything an engine may know about a call.
pub struct Call<'a> {
    /// The request.
    pub request: &'a Request,
    /// Who asks.
    pub sender: &'a Sender,
    /// The mount that the path lies under.
    pub mount: &'a Mount,
    /// The path below the mount, without leading slash.
    pub path: &'a str,
    /// The route of the path, if the engine has one.
    pub route: Option<&'static Route>,
    /// Mounts and policies in force.
    pub tables: &'a Tables,
    /// Turns names into storage keys.
    pub names: &'a Names,
    /// Hashes tokens into the names they are stored under.
    pub token_ids: &'a KeyedHash,
    /// Seals batch tokens and opens them.
    pub batch_tokens: &'a BatchTokens,
    /// Hashes values into what stands for them in the audit log.
    pub audit_values: &'a KeyedHash,
    /// The present, on the server's clock.
    pub now: Timestamp,
    /// What is known of the barrier's key.
    pub keyring: KeyringFacts,
    /// Names the vault.
    pub vault: VaultId,
    /// Whether anybody is told of requests that wait: see [`crate::notice`].
    pub tells: bool,
}

/// What a call may know besides the request.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Mounts and policies in force.
    pub tables: &'a Tables,
    /// Turns names into storage keys.
    pub names: &'a Names,
    /// Hashes tokens into the names they are stored under.
    pub token_ids: &'a KeyedHash,
    /// Seals batch tokens and opens them.
    pub batch_tokens: &'a BatchTokens,
    /// Hashes values into what stands for them in the audit log.
    pub audit_values: &'a KeyedHash,
    /// The present, on the server's clock.
    pub now: Timestamp,
    /// What is known of the barrier's key.
    pub keyring: KeyringFacts,
    /// Names the vault.
    pub vault: VaultId,
    /// Whether anybody is told of requests that wait: see [`crate::notice`].
    pub tells: bool,
}

impl<'a> Surroundings<'a> {
    /// Puts a call together; `path` is that below the mount.
    pub fn call(&self, identified: &'a Identified, target: &'a Target, path: &'a str) -> Call<'a> {
        Call {
            request: identified.request(),
            sender: identified.sender(),
            mount: &target.mount,
            path,
            route: target.route,
            tables: self.tables,
            names: self.names,
            token_ids: self.token_ids,
            batch_tokens: self.batch_tokens,
            audit_values: self.audit_values,
            now: self.now,
            keyring: self.keyring,
            vault: self.vault,
            tells: self.tells,
        }
    }
}

impl<'a> Call<'a> {
    /// Gives the token that asks.
    ///
    /// # Errors
    /// Denies a stranger, whom only open routes let this far.
    pub fn identity(&self) -> Result<&'a Identity, Refusal> {
        self.sender.identity().ok_or_else(Refusal::denied)
    }

    /// Finds tokens as they are now.
    pub const fn finder(&self) -> Finder<'a> {
        Finder { names: self.names, tables: self.tables, now: self.now }
    }

    /// Finds tokens by their texts, as they are now.
    pub const fn reader(&self) -> Reader<'a> {
        Reader { finder: self.finder(), token_ids: self.token_ids, batch_tokens: self.batch_tokens }
    }

    /// Compiles the rules in force for the token that asks.
    ///
    /// # Errors
    /// Denies a stranger.
    pub fn acl(&self) -> Result<Acl, Refusal> {
        let identity = self.identity()?;
        Ok(self.tables.acl(&identity.policies(self.tables), &identity.facts(self.tables)))
    }

    /// Tells whether the caller has `sudo` at the request's path; root has.
    ///
    /// # Errors
    /// Denies a stranger.
    pub fn has_sudo(&self) -> Result<bool, Refusal> {
        Ok(self.acl()?.grants_sudo(self.request.path.as_str()))
    }

    /// Gives what stands in the path for `{name}` of the route.
    pub fn capture(&self, name: &str) -> &'a str {
        self.route.map_or("", |route| route::captured(route.path, self.path, name))
    }
}

/// A token that is to be renewed, for the auth method that made it.
pub struct Renewal<'a> {
    /// The call that asks for the renewal.
    pub call: &'a Call<'a>,
    /// The mount of the method.
    pub mount: &'a Mount,
    /// The token.
    pub token: &'a Token,
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
    /// Mounts, policies, groups, limits or audit devices changed: load them anew.
    ReloadTables,
    /// Let the audit devices that there are now follow the log, and no others, before the reply is given.
    FollowAuditDevices,
    /// Something waits in the purge queue: see [`crate::purge`].
    Purge,
    /// Somebody asked to have dead tokens removed now.
    CollectTokens,
    /// End all leases below a prefix before the reply is given.
    RevokeLeases {
        /// What their names begin with, up to a slash.
        prefix: String,
    },
    /// Rotate the barrier's key before the answer is given; should that fail, the request is refused.
    Rotate,
    /// Somebody changed when the barrier's key is rotated: see whether it is due.
    CheckRotation,
    /// Something may wait in the outbox: see [`crate::notice`].
    DeliverNotices,
    /// Something became of a request that waits for people: count it.
    Count(Counted),
    /// Somebody read a canary, or tried to.
    CanaryRead,
    /// Seal the vault after the answer is sent.
    Seal,
}

/// What an engine decided.
#[must_use = "a step does nothing until the driver carries it out"]
pub struct Step {
    /// The answer or the refusal, given once the changes are committed: a refusal may leave a trace, such as a
    /// failed login that is counted.
    pub outcome: Result<Reply, Refusal>,
    /// The changes, committed as one batch.
    pub changes: Vec<Change>,
    /// What happens after the commit.
    pub effects: Vec<Effect>,
    /// A request that was held back and is made after the commit.
    pub follow: Option<Follow>,
    /// What the record of the outcome says besides, in clear.
    pub notes: Vec<(&'static str, String)>,
    /// When the secret was written that the reply gives out, or that the call replaces, where the engine knows.
    pub written_at: Option<Timestamp>,
}

/// A request that was held back and is made again.
pub enum Follow {
    /// Its answer is the answer.
    Instead(Box<Request>),
    /// Its answer is nobody's.
    Besides(Box<Request>),
}

impl Step {
    const fn new(outcome: Result<Reply, Refusal>, changes: Vec<Change>) -> Self {
        Self { outcome, changes, effects: Vec::new(), follow: None, notes: Vec::new(), written_at: None }
    }

    /// Answers and changes nothing.
    pub const fn answer(reply: Reply) -> Self {
        Self::commit(reply, Vec::new())
    }

    /// Answers once `changes` are committed.
    pub const fn commit(reply: Reply, changes: Vec<Change>) -> Self {
        Self::new(Ok(reply), changes)
    }

    /// Refuses once `changes` are committed.
    pub const fn refuse(refusal: Refusal, changes: Vec<Change>) -> Self {
        Self::new(Err(refusal), changes)
    }

    /// Adds a request that was held back, to be made after the commit.
    pub(crate) fn followed_by(mut self, follow: Follow) -> Self {
        self.follow = Some(follow);
        self
    }

    /// Adds what the record of the outcome says besides, in clear.
    pub(crate) fn noting(mut self, notes: Vec<(&'static str, String)>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// Says when the secret was written that the reply gives out, or that the call replaces.
    pub(crate) const fn written_at(mut self, at: Timestamp) -> Self {
        self.written_at = Some(at);
        self
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

    /// Lists what a mount answers; of two routes that fit a path the first counts.
    fn routes(&self, mount: &Mount) -> &'static [Route];

    /// Names the row whose presence tells a create from an update; `None` for endpoints that know only updates.
    fn existence(&self, _call: &Call<'_>) -> Option<Slot> {
        None
    }

    /// Names the secret that a read gives out, by its path below the mount: the same for every way to it. None for reads that give
    /// out no secret. Limits count these reads, and canaries are found by the name.
    fn secret(&self, _mount: &Mount, _below: &str) -> Option<String> {
        None
    }

    /// Tells whether writers of one path take turns: it saves them conflicts where they change the same rows, and
    /// makes them wait for each other where they do not.
    fn takes_turns(&self) -> bool {
        false
    }

    /// Checks that a token which this auth method made may still be renewed.
    ///
    /// # Errors
    /// Stops when something must be fetched first, and refuses a renewal that the method no longer allows.
    fn check_renewal(&self, _: &Renewal<'_>, _: &mut View) -> Result<(), Interrupt> {
        Ok(())
    }

    /// Lists the folders that hold a mount's data, for the purge when it is taken away.
    fn folders(&self, mount: &Mount, names: &Names) -> Vec<Folder> {
        vec![mount.root(names)]
    }
}

/// Decides a call.
///
/// # Errors
/// Stops with [`Interrupt`]: something must be fetched first, or the call is refused.
pub fn decide(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let step = limits::guard(call, view, rng, route::dispatch)?;
    wrapping::wrap_if_asked(call, step, view, rng)
}

/// Lets an engine decide without carrying out what it decides, and tells which rows it read.
pub(crate) fn try_out(
    call: &Call<'_>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> (Result<Step, Interrupt>, RowsRead) {
    view.noting(|view| route::dispatch(call, view, rng))
}

/// Finds the route of a path below a mount.
pub fn route(engine: &dyn Engine, mount: &Mount, path: &str) -> Option<&'static Route> {
    route::find(engine.routes(mount), path)
}

/// The engines that people mount, by type name.
pub static ENGINES: &[&dyn Engine] = &[&kv::Kv, &transit::Transit];

/// The engines that are mounted once, at a fixed path, from the start.
pub static BUILT_IN: &[&dyn Engine] =
    &[&cubbyhole::Cubbyhole, &identity::IdentityStore, &token::Tokens, &system::System];

/// Finds the engine of a mount by its type name.
pub fn find(kind: &str) -> Option<&'static dyn Engine> {
    ENGINES.iter().chain(METHODS).chain(BUILT_IN).copied().find(|engine| engine.kind() == kind)
}
