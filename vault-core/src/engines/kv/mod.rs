//! The key-value engine: version 1 keeps the last value at each path, version 2 keeps several and their metadata.
//!
//! A mount's option `version` chooses; see `v1` and `v2`. Formats: docs/formats.md, "Records".

pub(in crate::engines) mod v1;
mod v2;

use rand_core::CryptoRng;

use super::{Call, Engine, Step};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::view::{Interrupt, View};

/// The engine of type `kv`.
pub(super) struct Kv;

impl Engine for Kv {
    fn kind(&self) -> &'static str {
        "kv"
    }

    fn existence(&self, call: &Call<'_>) -> Option<Slot> {
        if is_versioned(call) { v2::existence(call) } else { v1::existence(call, v1::root(call)) }
    }

    fn handle(&self, call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
        if is_versioned(call) { v2::handle(call, view) } else { v1::handle(call, v1::root(call), view) }
    }
}

/// Lists the folders that hold a mount's data, for the purge when it is taken away.
pub(in crate::engines) fn roots(mount: &Mount, names: &Names) -> Vec<Folder> {
    if mount.option("version") == Some("2") {
        ["config", "metadata", "versions"].map(|name| mount.folder(names, name)).into()
    } else {
        vec![mount.root(names)]
    }
}

fn is_versioned(call: &Call<'_>) -> bool {
    call.mount.option("version") == Some("2")
}

#[cfg(test)]
mod tests;
