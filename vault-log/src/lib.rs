//! The audit log as an append-only tree, so that no record of it can be changed, left out or moved unseen.
//!
//! Records are the leaves of a Merkle tree (RFC 6962 section 2.1). Now and then the vault signs how many there are and the
//! root of the tree over them, a *checkpoint* (C2SP tlog-checkpoint, in a signed note), and appends it to the log as a record.
//! Whoever has the log and the vault's public key verifies all of it without the vault. Hashes and notes come from
//! `tlog_tiles` and `signed_note`, whose cryptography is of an older generation than the workspace's:
//! docs/decisions/0028-the-log-is-a-tree.md. Format: docs/formats.md, "Checkpoint".
#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod folder;
pub mod proof;
pub mod tiles;
pub mod tree;
pub mod verify;
pub mod witness;
