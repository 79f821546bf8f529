//! The HTTP API as clients see it, over a vault in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::allow_attributes,
    missing_docs,
    reason = "a test may stop at the first surprise"
)]

mod audit;
mod flow;
mod seal;
mod stranger;
mod support;
