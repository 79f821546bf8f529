//! The Keyturn server: drives the core and adapts it to HTTP, TLS, disk and clock.
#![forbid(unsafe_code)]

pub mod alerts;
pub mod audit_log;
pub mod config;
pub mod driver;
pub mod environment;
pub mod facts;
pub mod http;
pub mod listener;
mod metrics;
mod outside;
mod run;
pub mod snapshot;
pub mod storage;
pub mod tls;
mod traces;
pub mod witness;

pub use run::run;

/// The version that the server tells clients.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
