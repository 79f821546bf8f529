//! The endpoints of `sys/` that an unsealed vault answers. Each group has a file of its own; those of a sealed vault
//! are the server's.

mod capabilities;
mod locked_users;
mod mounts;
mod policies;
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
    Route::new("locked-users", &[(Read, locked_users::list)], "Lists users who are locked out"),
    Route::sudo(
        "locked-users/{mount_accessor}/unlock/{alias_identifier}",
        &[(Write, locked_users::unlock)],
        "Lets a locked-out user log in again",
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
