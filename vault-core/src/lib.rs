//! The core of Keyturn: pure and synchronous. No IO, no clock, no ambient randomness: they come in as arguments.
#![forbid(unsafe_code)]

pub mod approval;
pub mod audit;
pub mod auth;
pub mod barrier;
pub mod charter;
pub mod custody;
pub mod engines;
pub mod envelope;
pub mod field;
pub mod flow;
pub mod glob;
pub mod id;
pub mod identity;
pub mod jose;
pub mod keys;
pub mod mounts;
pub mod names;
pub mod network;
pub mod path;
pub mod policy;
pub mod purge;
pub mod question;
pub mod quota;
pub mod record_format;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod seal;
pub mod secret;
pub mod sharing;
pub mod ssh_key;
pub mod store;
pub mod time;
pub mod view;
pub mod wrapping;
