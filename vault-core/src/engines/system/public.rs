//! The endpoints that answer while the vault is sealed and need no token. The server carries them out; here they are
//! described, so that the description of the API is whole.

use crate::request::Operation::{self, Delete, Read, Write};

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
    endpoint("sys/audit-log/checkpoint", &[Read], "Shows that the log goes on from what it was"),
    endpoint("sys/audit-log/receipt", &[Read], "Shows that a record is in the log"),
    endpoint("sys/custody", &[Read], "Tells custodians which vault this is, how old, and whose shares have come"),
    endpoint("sys/custody/acknowledge", &[Write], "Takes a proof that a custodian holds a new share"),
    endpoint("sys/custody/act", &[Write], "Carries out a request that stewards have signed together"),
    endpoint("sys/custody/bootstrap", &[Read, Write], "An attempt of custodians to bring the vault under a charter"),
    endpoint("sys/custody/bootstrap/update", &[Write], "Takes a share towards a first charter"),
    endpoint("sys/custody/charter", &[Read], "Gives a charter of the chain to the people of the one in force"),
    endpoint("sys/custody/check", &[Write], "Takes a proof that a custodian holds their share"),
    endpoint("sys/custody/init", &[Write], "Makes the vault by a charter, each share sealed to its custodian"),
    endpoint("sys/custody/question", &[Read], "Asks what a proof of possession answers"),
    endpoint("sys/custody/rekey", &[Write], "Hands out new shares by the charter that follows"),
    endpoint("sys/generate-root-token/attempt", &[Read, Write, Delete], "The same as sys/generate-root/attempt"),
    endpoint("sys/generate-root-token/update", &[Write], "The same as sys/generate-root/update"),
    endpoint("sys/generate-root/attempt", &[Read, Write, Delete], "An attempt of custodians to make a root token"),
    endpoint("sys/generate-root/update", &[Write], "Takes a share towards a root token"),
    endpoint("sys/health", &[Read], "Tells how the server is, by a status code for each state"),
    endpoint("sys/init", &[Read, Write], "Tells whether there is a vault, or makes it"),
    endpoint("sys/leader", &[Read], "Tells which node leads: this one"),
    endpoint("sys/rekey/backup", &[Read, Delete], "Tells that no new share is kept"),
    endpoint("sys/rekey/init", &[Read, Write, Delete], "An attempt of custodians to replace all shares"),
    endpoint("sys/rekey/recovery-key-backup", &[Read, Delete], "Refuses: there are no recovery keys"),
    endpoint("sys/rekey/update", &[Write], "Takes a share towards new shares"),
    endpoint("sys/rekey/verify", &[Read, Write, Delete], "Takes new shares back, to show that they arrived"),
    endpoint("sys/rekey-recovery-key/init", &[Read, Write, Delete], "Refuses: there are no recovery keys"),
    endpoint("sys/rekey-recovery-key/update", &[Write], "Refuses: there are no recovery keys"),
    endpoint("sys/rekey-recovery-key/verify", &[Read, Write, Delete], "Refuses: there are no recovery keys"),
    endpoint("sys/rotate/recovery/backup", &[Read, Delete], "Refuses: there are no recovery keys"),
    endpoint("sys/rotate/recovery/init", &[Read, Write, Delete], "Refuses: there are no recovery keys"),
    endpoint("sys/rotate/recovery/update", &[Write], "Refuses: there are no recovery keys"),
    endpoint("sys/rotate/recovery/verify", &[Read, Write, Delete], "Refuses: there are no recovery keys"),
    endpoint("sys/rotate/root/backup", &[Read, Delete], "The same as sys/rekey/backup"),
    endpoint("sys/rotate/root/init", &[Read, Write, Delete], "The same as sys/rekey/init"),
    endpoint("sys/rotate/root/update", &[Write], "The same as sys/rekey/update"),
    endpoint("sys/rotate/root/verify", &[Read, Write, Delete], "The same as sys/rekey/verify"),
    endpoint("sys/seal-status", &[Read], "Tells whether the vault is sealed and how many shares have come"),
    endpoint("sys/unseal", &[Write], "Takes a share"),
];
