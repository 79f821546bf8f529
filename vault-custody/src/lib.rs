//! What custodians hold and do: identity files, cards, sealing to people with age, signatures, and shares on paper.
//!
//! This crate holds the only use of age, whose cryptography is of an older generation than the workspace's:
//! docs/decisions/0021-people-and-age.md. Formats: docs/formats.md, "Identity file" and "Share on paper".
#![forbid(unsafe_code)]

pub mod age_seal;
pub mod card;
pub mod files;
pub mod identity;
pub mod paper;
pub mod signing;
pub mod voice;
