//! The Keyturn server: drives the core and adapts it to HTTP, TLS, disk and clock.
#![forbid(unsafe_code)]

pub mod audit_log;
pub mod storage;
