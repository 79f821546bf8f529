//! The endpoints of `sys/` that an unsealed vault answers. Each group has a file of its own; those of a sealed vault
//! are the server's.

mod capabilities;
mod mounts;
mod policies;
mod snapshot;
mod tune;
mod ui;

use rand_core::CryptoRng;

use super::{Call, Effect, Engine, Step};
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::request::Operation::{Delete, List, Read, Write};
use crate::view::{Interrupt, View};

/// The engine of type `system`.
pub(super) struct System;

impl Engine for System {
    fn kind(&self) -> &'static str {
        "system"
    }

    fn needs_sudo(&self, path: &str) -> bool {
        matches!(path, "seal" | "step-down" | "auth") || path.starts_with("auth/") || snapshot::needs_sudo(path)
    }

    fn handle(&self, call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
        let path = call.path.trim_end_matches('/');
        let (endpoint, rest) = path.split_once('/').unwrap_or((path, ""));
        match (endpoint, rest, call.request.operation) {
            ("seal", "", Write) => Ok(Step::answer(Reply::Empty).then(Effect::Seal)),
            // One node has nobody to hand over to.
            ("step-down", "", Write) => Ok(Step::answer(Reply::Empty)),
            ("mounts", _, _) => mounts(call, rest, rng),
            ("auth", _, _) => auth(call, rest),
            ("policy", _, _) => policies::legacy(call, rest),
            ("policies", _, _) => match rest.strip_prefix("acl") {
                Some(name) if name.is_empty() || name.starts_with('/') => {
                    policies::current(call, name.trim_start_matches('/'))
                }
                _ => Err(unknown().into()),
            },
            ("capabilities", "", Write) => capabilities::of_token(call, view),
            ("capabilities-self", "", Write) => capabilities::own(call),
            ("capabilities-accessor", "", Write) => capabilities::of_accessor(call, view),
            ("internal", "ui/mounts", Read) => Ok(ui::all(call)?),
            ("internal", rest, Read) => match rest.strip_prefix("ui/mounts/") {
                Some(path) => Ok(ui::one(call, path)?),
                None => Err(unknown().into()),
            },
            ("storage", rest, _) => snapshot::handle(call, rest, view, rng),
            ("version-history", "", List | Read) => Ok(ui::versions()?),
            ("seal" | "step-down" | "capabilities" | "capabilities-self" | "capabilities-accessor", "", _) => {
                Err(Refusal::unsupported().into())
            }
            _ => Err(unknown().into()),
        }
    }
}

fn mounts(call: &Call<'_>, rest: &str, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let tuned = rest.strip_suffix("/tune");
    Ok(match (rest, tuned, call.request.operation) {
        ("", _, Read) => mounts::list(call)?,
        (_, Some(path), Read) => tune::read(call, path)?,
        (_, Some(path), Write) => tune::write(call, path)?,
        (path, None, Read) if !path.is_empty() => mounts::read(call, path)?,
        (path, None, Write) if !path.is_empty() => mounts::enable(call, path, rng)?,
        (path, None, Delete) if !path.is_empty() => mounts::disable(call, path)?,
        _ => return Err(Refusal::unsupported().into()),
    })
}

fn auth(call: &Call<'_>, rest: &str) -> Result<Step, Interrupt> {
    let tuned = rest.strip_suffix("/tune");
    Ok(match (rest, tuned, call.request.operation) {
        ("", _, Read) => mounts::list_auth(call)?,
        (_, Some(path), Read) => tune::read(call, &format!("auth/{path}"))?,
        (_, Some(path), Write) => tune::write(call, &format!("auth/{path}"))?,
        ("token", None, Read) => mounts::read(call, "auth/token")?,
        ("token", None, Write | Delete) => {
            return Err(Refusal::invalid("token credential backend cannot be enabled twice or disabled").into());
        }
        (_, None, Write) => {
            return Err(Refusal::invalid("auth methods other than 'token' are not supported yet").into());
        }
        (_, None, Delete) => return Ok(Step::answer(Reply::Empty)),
        _ => return Err(Refusal::unsupported().into()),
    })
}

fn unknown() -> Refusal {
    Refusal::new(Class::Missing, "unsupported path")
}

#[cfg(test)]
mod tests;
