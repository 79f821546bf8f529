//! Version 2: several versions at each path, with metadata, check-and-set, soft deletion and destruction.
//!
//! One file for each group of endpoints; `record` is what is stored.

mod config;
mod data;
mod metadata;
mod patch;
mod record;
mod remove;
mod subkeys;

use super::super::{Call, Step, tree};
use crate::names::{Folder, Slot};
use crate::refusal::Refusal;
use crate::request::Operation;
use crate::view::{Interrupt, View};

/// Finds the row whose presence tells a create from an update.
pub(super) fn existence(call: &Call<'_>) -> Option<Slot> {
    let (endpoint, path) = call.path.split_once('/')?;
    matches!(endpoint, "data" | "metadata").then(|| tree::slot(call.names, metadata_root(call), path))
}

/// Names the secret that a read gives out, as `data/` has it: the names of its fields tell of it too.
pub(super) fn secret(below: &str) -> Option<String> {
    let (endpoint, path) = below.split_once('/')?;
    let gives = matches!(endpoint, "data" | "subkeys") && !path.is_empty() && !path.ends_with('/');
    gives.then(|| secret_at(path))
}

fn secret_at(path: &str) -> String {
    format!("data/{path}")
}

/// Decides a call.
pub(super) fn handle(call: &Call<'_>, view: &mut View) -> Result<Step, Interrupt> {
    let (endpoint, path) = call.path.split_once('/').unwrap_or((call.path, ""));
    let operation = call.request.operation;
    match (endpoint, operation) {
        ("config", Operation::Read) if path.is_empty() => config::read(call, view),
        ("config", Operation::Write) if path.is_empty() => config::write(call, view),
        ("metadata", Operation::List) => tree::list(call, metadata_root(call), path, view).map(Step::answer),
        (endpoint, _) if endpoint != "config" && (path.is_empty() || path.ends_with('/')) => {
            Err(Refusal::invalid("a path that names no entry can only be listed, under metadata/").into())
        }
        ("data", Operation::Read) => data::read(call, path, view),
        ("data", Operation::Write) => data::write(call, path, view),
        ("data", Operation::Patch) => data::patch(call, path, view),
        ("data", Operation::Delete) => remove::delete_latest(call, path, view),
        ("delete", Operation::Write) => remove::delete(call, path, view),
        ("undelete", Operation::Write) => remove::undelete(call, path, view),
        ("destroy", Operation::Write) => remove::destroy(call, path, view),
        ("metadata", Operation::Read) => metadata::read(call, path, view),
        ("metadata", Operation::Write) => metadata::write(call, path, view),
        ("metadata", Operation::Patch) => metadata::patch(call, path, view),
        ("metadata", Operation::Delete) => metadata::delete(call, path, view),
        ("subkeys", Operation::Read) => subkeys::read(call, path, view),
        ("config" | "data" | "subkeys" | "delete" | "undelete" | "destroy", _) => Err(Refusal::unsupported().into()),
        _ => Err(Refusal::invalid(format!(
            "this mount keeps versions: put the endpoint first, as in {}data/{}",
            call.mount.path, call.path
        ))
        .into()),
    }
}

fn metadata_root(call: &Call<'_>) -> Folder {
    call.mount.folder(call.names, "metadata")
}

/// Finds the row of one version. Versions lie side by side in one folder and are found through the metadata only.
fn version_slot(call: &Call<'_>, path: &str, version: u64) -> Slot {
    let name = format!("{path}\0{version}");
    call.names.entry(&call.mount.folder(call.names, "versions"), &name)
}
