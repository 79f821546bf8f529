//! The stock Rust client `vaultrs` against a Keyturn server whose vault is uninitialised when the tests begin: one
//! file for each area. They run on one thread, since some of them seal the vault.
#![cfg(test)]

mod audit;
mod auth;
mod cubbyhole;
mod custody;
mod errors;
mod identity;
mod kv_v1;
mod kv_v2;
mod mounts;
mod policies;
mod snapshots;
mod sys;
mod tokens;
mod transit;
mod vault;
mod wrapping;
