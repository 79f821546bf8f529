//! The HTTP API as clients see it, over a vault in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod approle;
mod audit;
mod audit_log;
mod batch;
mod bootstrap;
mod bound;
mod ceremonies;
mod ceremony_faults;
mod change_control;
mod conformance;
mod control_groups;
mod custody;
mod delegation;
mod devices;
mod ended;
mod faults;
mod flow;
mod gauges;
mod house;
mod identity;
mod issuer_model;
mod issuers;
mod leases;
mod limits;
mod metrics;
mod notices;
mod oidc;
mod post_office;
mod quotas;
mod reports;
mod rotation;
mod seal;
mod second_voices;
mod service_model;
mod snapshot;
mod stewards;
mod stranger;
mod support;
mod system;
mod traces;
mod transit;
mod two_person_model;
mod userpass;
mod wrapping;
