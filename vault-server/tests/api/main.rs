//! The HTTP API as clients see it, over a vault in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod audit;
mod conformance;
mod devices;
mod faults;
mod flow;
mod identity;
mod leases;
mod quotas;
mod seal;
mod snapshot;
mod stranger;
mod support;
mod system;
mod wrapping;
