//! The endpoints of `sys/` that an unsealed vault answers. Each group has a file of its own; those of a sealed vault
//! are the server's.

mod absent;
mod audit;
mod canaries;
mod capabilities;
mod control_groups;
mod counters;
mod delegations;
mod host;
mod leases;
mod limits;
mod locked_users;
mod metrics;
mod mounts;
mod openapi;
mod password_policies;
mod plugins;
mod policies;
pub mod public;
mod quotas;
mod remount;
mod reports;
mod requests;
mod rotate;
mod routes;
mod snapshot;
mod tune;
mod ui;
mod wrapping;

use rand_core::CryptoRng;

use super::{Call, Effect, Engine, Route, Step};
use crate::mounts::Mount;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// The engine of type `system`.
pub(super) struct System;

impl Engine for System {
    fn kind(&self) -> &'static str {
        "system"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        routes::ROUTES
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
