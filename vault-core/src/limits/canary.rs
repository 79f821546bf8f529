//! Canaries: secrets that nobody has a reason to read. Who reads one is answered as usual, and people are told.
//!
//! That a secret is one is known to this module alone: neither its rows nor its metadata say so, and a mount keeps its canaries when
//! it moves, as they are named by the mount's id.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{CANARIES_MAX, Subject};
use crate::engines::{Call, Change, find};
use crate::id::MountId;
use crate::names::{Domain, Folder, Names, Slot};
use crate::notice::{About, AboutCanary, Line, Notice};
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::SecretBytes;

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Canary {
    mount: MountId,
    below: String,
}

/// Finds the folder of all canaries.
pub(super) fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "canaries")
}

/// Finds the row of a canary. Its name is a keyed hash: a path may be longer than names.
fn slot(names: &Names, mount: MountId, below: &str) -> Slot {
    let folder = folder(names);
    let hashed = names.entry(&folder, &format!("{mount}/{below}"));
    let id = hashed.key().as_bytes().last_chunk::<16>().copied().unwrap_or_default();
    names.entry(&folder, &HEXLOWER.encode(&id))
}

/// Reads a row.
pub(super) fn decode(payload: &SecretBytes) -> Result<(MountId, String), Refusal> {
    let Canary { mount, below } = record_format::decode(VERSION, payload)?;
    Ok((mount, below))
}

/// Finds the secret at a path.
fn secret(call: &Call<'_>, path: &str) -> Result<(MountId, String), Refusal> {
    let found = call.tables.route(path).and_then(|(mount, below)| {
        let engine = find(&mount.kind)?;
        Some((mount.id, engine.secret(mount, below)?))
    });
    found.ok_or_else(|| {
        Refusal::invalid("no secret can be read at this path: name it as a reader does, such as secret/data/app")
    })
}

/// Gives the change that marks the secret at a path.
///
/// # Errors
/// Refuses a path where no secret can be, and one canary too many.
pub(crate) fn mark(call: &Call<'_>, path: &str) -> Result<Change, Refusal> {
    let (mount, below) = secret(call, path)?;
    if call.tables.limits().canaries().count() >= CANARIES_MAX {
        return Err(Refusal::invalid(format!("there are {CANARIES_MAX} canaries already; remove one first")));
    }
    let slot = slot(call.names, mount, &below);
    Ok(Change::Put { slot, payload: record_format::encode(VERSION, &Canary { mount, below })? })
}

/// Gives the change that makes the secret at a path like any other.
///
/// # Errors
/// Refuses a path where no secret can be.
pub(crate) fn unmark(call: &Call<'_>, path: &str) -> Result<Change, Refusal> {
    let (mount, below) = secret(call, path)?;
    Ok(Change::Delete { slot: slot(call.names, mount, &below) })
}

/// Lists the paths of all canaries whose mounts are there.
pub(crate) fn canaries(call: &Call<'_>) -> Vec<String> {
    let path = |(id, below): &(MountId, String)| {
        let mount = call.tables.mounts().find(|mount| mount.id == *id)?;
        Some(format!("{}{below}", mount.path))
    };
    let mut paths: Vec<String> = call.tables.limits().canaries().filter_map(path).collect();
    paths.sort_unstable();
    paths
}

/// Gives the change that tells people of a read, where anybody is to be told.
pub(super) fn tell(call: &Call<'_>, below: &str, reader: &Subject) -> Result<Option<Change>, Refusal> {
    if !call.tells {
        return Ok(None);
    }
    let request_id = call.request.id.to_string();
    let notice = Notice {
        id: format!("canary.{request_id}"),
        at: call.now,
        vault: call.vault,
        about: About::Canary(AboutCanary {
            path: Line::of(&format!("{}{below}", call.mount.path)),
            reader: Line::of(&reader.name),
            address: Line::of(&call.request.remote.ip().to_string()),
            request_id,
        }),
    };
    notice.enqueue(call.names).map(Some)
}
