//! The endpoints that answer while the vault is sealed and need no token. The server carries them out; here they are
//! described, so that the description of the API is whole.

use crate::request::Operation::{self, Read, Write};

/// An endpoint that needs no token.
pub struct PublicEndpoint {
    /// Its path below `/v1/`.
    pub path: &'static str,
    /// The operations it supports.
    pub operations: &'static [Operation],
    /// What it does, in a few words.
    pub summary: &'static str,
}

const fn endpoint(path: &'static str, operations: &'static [Operation], summary: &'static str) -> PublicEndpoint {
    PublicEndpoint { path, operations, summary }
}

/// All of them, in the order of their paths.
pub static PUBLIC: &[PublicEndpoint] = &[
    endpoint("sys/health", &[Read], "Tells how the server is, by a status code for each state"),
    endpoint("sys/init", &[Read, Write], "Tells whether there is a vault, or makes it"),
    endpoint("sys/leader", &[Read], "Tells which node leads: this one"),
    endpoint("sys/seal-status", &[Read], "Tells whether the vault is sealed and how many shares have come"),
    endpoint("sys/unseal", &[Write], "Takes a share"),
];
