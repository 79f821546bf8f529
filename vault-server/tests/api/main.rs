//! The HTTP API as clients see it, over a vault in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod audit;
mod faults;
mod flow;
mod seal;
mod stranger;
mod support;
mod transit;
mod wrapping;
