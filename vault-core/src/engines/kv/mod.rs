//! The key-value engine: version 1 keeps the last value at each path, version 2 keeps several and their metadata.
//!
//! A mount's option `version` chooses; see `v1` and `v2`. Formats: docs/formats.md, "Records".

pub(in crate::engines) mod v1;
mod v2;

use rand_core::CryptoRng;

use super::{Call, Engine, Route, Step};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::request::Operation::{Delete, List, Patch, Read, Write};
use crate::view::{Interrupt, View};

/// The engine of type `kv`.
pub(super) struct Kv;

static VERSION_1: [Route; 1] = [Route::new(
    "{path*}",
    &[(Read, unversioned), (List, unversioned), (Write, unversioned), (Delete, unversioned)],
    "Reads, lists, writes and deletes secrets",
)];

static VERSION_2: [Route; 8] = [
    Route::new("config", &[(Read, versioned), (Write, versioned)], "Settings of the mount"),
    Route::new(
        "data/{path*}",
        &[(Read, versioned), (Write, versioned), (Patch, versioned), (Delete, versioned)],
        "Reads and writes versions of a secret",
    ),
    Route::new(
        "metadata/{path*}",
        &[(Read, versioned), (List, versioned), (Write, versioned), (Patch, versioned), (Delete, versioned)],
        "Versions and settings of a secret, and lists of secrets",
    ),
    Route::new("subkeys/{path*}", &[(Read, versioned)], "Names of the fields of a secret"),
    Route::new("delete/{path*}", &[(Write, versioned)], "Deletes versions so that they can be brought back"),
    Route::new("undelete/{path*}", &[(Write, versioned)], "Brings deleted versions back"),
    Route::new("destroy/{path*}", &[(Write, versioned)], "Destroys versions for good"),
    // Whoever forgets the endpoint is told how paths of a versioned mount begin; it is no endpoint of its own.
    Route::new(
        "{path*}",
        &[(Read, versioned), (List, versioned), (Write, versioned), (Patch, versioned), (Delete, versioned)],
        "",
    ),
];

impl Engine for Kv {
    fn kind(&self) -> &'static str {
        "kv"
    }

    fn routes(&self, mount: &Mount) -> &'static [Route] {
        if is_versioned(mount) { &VERSION_2 } else { &VERSION_1 }
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn secret(&self, mount: &Mount, below: &str) -> Option<String> {
        if is_versioned(mount) { v2::secret(below) } else { v1::secret(below) }
    }

    fn existence(&self, call: &Call<'_>) -> Option<Slot> {
        if is_versioned(call.mount) { v2::existence(call) } else { v1::existence(call, v1::root(call)) }
    }

    fn folders(&self, mount: &Mount, names: &Names) -> Vec<Folder> {
        if is_versioned(mount) {
            ["config", "metadata", "versions"].map(|name| mount.folder(names, name)).into()
        } else {
            vec![mount.root(names)]
        }
    }
}

fn unversioned(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    v1::handle(call, v1::root(call), view)
}

fn versioned(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    v2::handle(call, view)
}

fn is_versioned(mount: &Mount) -> bool {
    mount.option("version") == Some("2")
}

#[cfg(test)]
mod tests;
