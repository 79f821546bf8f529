//! The endpoints of `sys/` that an unsealed vault answers. Each group has a file of its own; those of a sealed vault
//! are the server's.

mod capabilities;
mod leases;
mod mounts;
mod policies;
mod snapshot;
mod tune;
mod ui;
mod wrapping;

use rand_core::CryptoRng;

use super::{Call, Effect, Engine, Route, Step};
use crate::mounts::Mount;
use crate::reply::Reply;
use crate::request::Operation::{Delete, List, Read, Write};
use crate::view::{Interrupt, View};

/// The engine of type `system`.
pub(super) struct System;

static ROUTES: &[Route] = &[
    Route::sudo("seal", &[(Write, seal)], "Seals the vault"),
    // One node has nobody to hand over to.
    Route::sudo("step-down", &[(Write, done)], "Hands over to another node, of which there is none"),
    Route::new("mounts", &[(Read, mounts::list_secrets)], "Lists secrets engines"),
    Route::new("mounts/{path*}/tune", &[(Read, tune::read), (Write, tune::write)], "Settings of a mount"),
    Route::new(
        "mounts/{path*}",
        &[(Read, mounts::read), (Write, mounts::enable), (Delete, mounts::disable)],
        "Mounts, describes or takes away a secrets engine",
    ),
    Route::sudo("auth", &[(Read, mounts::list_auth)], "Lists auth methods"),
    Route::sudo(
        "auth/{path*}/tune",
        &[(Read, tune::read_auth), (Write, tune::write_auth)],
        "Settings of an auth method",
    ),
    Route::sudo(
        "auth/{path*}",
        &[(Read, mounts::read_auth), (Write, mounts::enable_auth), (Delete, mounts::disable_auth)],
        "Enables, describes or disables an auth method",
    ),
    Route::new("policy", &[(Read, policies::list_legacy), (List, policies::list_legacy)], "Lists policies"),
    Route::new(
        "policy/{name}",
        &[(Read, policies::read_legacy), (Write, policies::write), (Delete, policies::delete)],
        "A policy",
    ),
    Route::new("policies/acl", &[(Read, policies::list), (List, policies::list)], "Lists policies"),
    Route::new(
        "policies/acl/{name}",
        &[(Read, policies::read), (Write, policies::write), (Delete, policies::delete)],
        "A policy",
    ),
    Route::new("capabilities", &[(Write, capabilities::of_token)], "Tells what a token may do at some paths"),
    Route::new("capabilities-self", &[(Write, capabilities::own)], "Tells what the caller may do at some paths"),
    Route::new(
        "capabilities-accessor",
        &[(Write, capabilities::of_accessor)],
        "Tells what the token of an accessor may do at some paths",
    ),
    Route::new("leases/lookup", &[(Write, leases::lookup)], "Describes a lease"),
    Route::sudo("leases/lookup/{prefix*}", &[(List, leases::list)], "Lists leases by what their names begin with"),
    Route::new("leases/renew", &[(Write, leases::renew)], "Tells how the lease is renewed"),
    Route::new("leases/renew/{lease_id*}", &[(Write, leases::renew)], "Tells how the lease is renewed"),
    Route::new("renew", &[(Write, leases::renew)], "Tells how the lease is renewed"),
    Route::new("renew/{lease_id*}", &[(Write, leases::renew)], "Tells how the lease is renewed"),
    Route::new("leases/revoke", &[(Write, leases::revoke)], "Ends a lease and its token"),
    Route::new("leases/revoke/{lease_id*}", &[(Write, leases::revoke)], "Ends a lease and its token"),
    Route::new("revoke", &[(Write, leases::revoke)], "Ends a lease and its token"),
    Route::new("revoke/{lease_id*}", &[(Write, leases::revoke)], "Ends a lease and its token"),
    Route::sudo("leases/revoke-prefix/{prefix*}", &[(Write, leases::revoke_prefix)], "Ends all leases of a prefix"),
    Route::sudo("revoke-prefix/{prefix*}", &[(Write, leases::revoke_prefix)], "Ends all leases of a prefix"),
    Route::sudo("leases/revoke-force/{prefix*}", &[(Write, leases::revoke_prefix)], "Ends all leases of a prefix"),
    Route::sudo("revoke-force/{prefix*}", &[(Write, leases::revoke_prefix)], "Ends all leases of a prefix"),
    Route::sudo("leases/tidy", &[(Write, leases::tidy)], "Removes leases that have ended now"),
    Route::sudo("leases/count", &[(Read, leases::irrevocable)], "Counts leases that cannot be ended"),
    Route::sudo(
        "leases",
        &[(Read, leases::irrevocable), (List, leases::irrevocable)],
        "Lists leases that cannot be ended",
    ),
    Route::new("wrapping/wrap", &[(Write, wrapping::wrap)], "Keeps the body for whoever shows a wrapping token"),
    Route::open(
        "wrapping/lookup",
        &[(Write, wrapping::lookup), (Read, wrapping::lookup)],
        "Describes a wrapping token",
    ),
    Route::new("wrapping/unwrap", &[(Write, wrapping::unwrap)], "Takes out what a wrapping token wraps, once"),
    Route::new("wrapping/rewrap", &[(Write, wrapping::rewrap)], "Moves what is wrapped to a fresh wrapping token"),
    Route::new("internal/ui/mounts", &[(Read, ui::all)], "Lists the mounts that the caller can reach"),
    Route::new("internal/ui/mounts/{path*}", &[(Read, ui::one)], "Describes the mount of a path"),
    Route::sudo(
        "storage/raft/snapshot",
        &[(Read, snapshot::save), (Write, snapshot::restore)],
        "Gives out a snapshot of the whole vault, or takes one that this vault made",
    ),
    Route::sudo("storage/raft/snapshot-force", &[(Write, snapshot::restore_forced)], "Takes a snapshot of any vault"),
    Route::new("storage/raft/configuration", &[(Read, snapshot::configuration)], "Describes a cluster of one"),
    Route::new("storage/raft/autopilot/state", &[(Read, snapshot::autopilot_state)], "Describes a cluster of one"),
    Route::new(
        "storage/raft/autopilot/configuration",
        &[(Read, snapshot::autopilot_configuration), (Write, snapshot::refuse_autopilot)],
        "Says that nothing is done by itself",
    ),
    Route::new("storage/raft/join", &[(Write, snapshot::refuse_peers)], "Refuses: this vault is a single server"),
    Route::new(
        "storage/raft/remove-peer",
        &[(Write, snapshot::refuse_peers)],
        "Refuses: this vault is a single server",
    ),
    Route::new(
        "version-history",
        &[(Read, ui::versions), (List, ui::versions)],
        "Lists versions that ran before, of which no record is kept",
    ),
];

impl Engine for System {
    fn kind(&self) -> &'static str {
        "system"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        ROUTES
    }
}

fn seal(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::Empty).then(Effect::Seal))
}

fn done(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::Empty))
}

#[cfg(test)]
mod tests;
