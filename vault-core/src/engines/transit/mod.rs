//! The transit engine: encrypts, signs and hashes for others with keys that never leave, unless their owner lets them.
//!
//! `kind`, `hash`, `material`, `cipher`, `signing` and `ciphertext` are cryptography without storage; `record` is what
//! is stored; the other files are the endpoints. Formats: docs/formats.md, "Transit".

mod ask;
mod backup;
mod batch;
mod cipher;
pub mod ciphertext;
mod config;
mod encrypt;
mod export;
mod hash;
mod import;
mod keys;
mod kind;
mod material;
mod record;
mod sign;
mod signing;
pub(super) mod tools;

use super::{Call, Engine, Route};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::request::Operation::{Delete, List, Read, Write};

/// The engine of type `transit`.
pub(super) struct Transit;

static ROUTES: [Route; 31] = [
    Route::new("keys", &[(List, keys::list)], "Lists keys"),
    Route::new(
        "keys/{name}",
        &[(Read, keys::read), (Write, keys::create), (Delete, keys::delete)],
        "Makes, shows and deletes a key",
    ),
    Route::new("keys/{name}/config", &[(Write, config::write)], "Changes the settings of a key"),
    Route::new("keys/{name}/rotate", &[(Write, config::rotate)], "Adds a version to a key"),
    Route::new("keys/{name}/trim", &[(Write, config::trim)], "Destroys old versions of a key"),
    Route::new(
        "keys/{name}/soft-delete",
        &[(Write, config::soft_delete), (Delete, config::soft_delete)],
        "Takes a key out of use",
    ),
    Route::new("keys/{name}/soft-delete-restore", &[(Write, config::soft_restore)], "Takes a key into use again"),
    Route::new("keys/{name}/import", &[(Write, import::import)], "Brings a key in, wrapped"),
    Route::new("keys/{name}/import_version", &[(Write, import::import_version)], "Brings a version of a key in"),
    Route::new("wrapping_key", &[(Read, import::wrapping_key)], "Shows the key that wraps what is brought in"),
    Route::new("backup/{name}", &[(Read, backup::backup)], "Gives a backup of a key"),
    Route::new("restore", &[(Write, backup::restore)], "Takes a key from a backup"),
    Route::new("restore/{name}", &[(Write, backup::restore)], "Takes a key from a backup under a name"),
    Route::new("export/{part}/{name}", &[(Read, export::export)], "Shows the versions of an exportable key"),
    Route::new("export/{part}/{name}/{version}", &[(Read, export::export)], "Shows a version of an exportable key"),
    Route::new("encrypt/{name}", &[(Write, encrypt::encrypt)], "Encrypts"),
    Route::new("decrypt/{name}", &[(Write, encrypt::decrypt)], "Decrypts"),
    Route::new("rewrap/{name}", &[(Write, encrypt::rewrap)], "Encrypts a ciphertext anew under a newer version"),
    Route::new("datakey/{shape}/{name}", &[(Write, encrypt::data_key)], "Makes a key for the caller's own use"),
    Route::new("sign/{name}", &[(Write, sign::sign)], "Signs"),
    Route::new("sign/{name}/{algorithm}", &[(Write, sign::sign)], "Signs with a hash function"),
    Route::new("verify/{name}", &[(Write, sign::verify)], "Verifies signatures and keyed hashes"),
    Route::new("verify/{name}/{algorithm}", &[(Write, sign::verify)], "Verifies with a hash function"),
    Route::new("hmac/{name}", &[(Write, sign::hmac)], "Computes a keyed hash"),
    Route::new("hmac/{name}/{algorithm}", &[(Write, sign::hmac)], "Computes a keyed hash with a hash function"),
    Route::new("random", &[(Write, tools::random)], "Gives random bytes"),
    Route::new("random/{source}", &[(Write, tools::random)], "Gives random bytes from a source, or a number of them"),
    Route::new("random/{source}/{bytes}", &[(Write, tools::random)], "Gives a number of random bytes from a source"),
    Route::new("hash", &[(Write, tools::hash)], "Hashes"),
    Route::new("hash/{algorithm}", &[(Write, tools::hash)], "Hashes with a hash function"),
    Route::new(
        "cache-config",
        &[(Read, config::read_cache), (Write, config::write_cache)],
        "The size of a cache of keys, of which there is none",
    ),
];

impl Engine for Transit {
    fn kind(&self) -> &'static str {
        "transit"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        &ROUTES
    }

    fn secret(&self, _: &Mount, below: &str) -> Option<String> {
        let below = below.strip_suffix('/').unwrap_or(below);
        match below.split('/').collect::<Vec<_>>().as_slice() {
            // One version gives out of the key what all of them do.
            ["export", part, name] | ["export", part, name, _] => Some(format!("export/{part}/{name}")),
            ["backup", name] => Some(format!("backup/{name}")),
            _ => None,
        }
    }

    fn existence(&self, call: &Call<'_>) -> Option<Slot> {
        let name = call.path.strip_suffix('/').unwrap_or(call.path).strip_prefix("encrypt/")?;
        Some(record::slot(call, name))
    }

    fn folders(&self, mount: &Mount, names: &Names) -> Vec<Folder> {
        ["keys", "config"].map(|name| mount.folder(names, name)).into()
    }
}

#[cfg(test)]
mod tests;
