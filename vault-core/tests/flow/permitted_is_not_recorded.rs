//! A permitted request cannot be recorded as if it had been approved.
use vault_core::flow::{Permitted, Recording};
use vault_core::keys::KeyedHash;

fn skip(permitted: Permitted, hash: &KeyedHash) -> Recording {
    permitted.record(hash).1
}

fn main() {}
