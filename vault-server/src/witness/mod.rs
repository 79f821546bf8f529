//! Witnesses of the audit log: the vault's side, which asks them, and the process that is one (C2SP tlog-witness).
//!
//! A witness signs that the log goes on from what it has signed for before. Who has the log and the server can write another log,
//! or put an older one back, but finds no witness that signs for it.

mod ask;
mod serve;
mod store;

pub use ask::Witnesses;
pub use serve::{public_key, run};
