//! Audit records: one JSON line for the intent, durable before the effect, and one for the outcome.
//!
//! Format: docs/formats.md, "Audit record". Secret values appear as keyed hashes only.

use crate::auth::Identity;
use crate::flow::Identified;
use crate::keys::KeyedHash;
use crate::mounts::Mount;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request::Request;
use crate::time::Timestamp;

/// One line of the log, ending in a newline.
pub struct Record(Vec<u8>);

/// How a request ended.
pub enum Outcome<'a> {
    /// With an answer.
    Answered(&'a Reply),
    /// With a refusal.
    Refused(&'a Refusal),
}

impl Record {
    /// Gives the line.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Records what is about to happen, or that it was refused.
    pub fn of_request(
        _request: &Request,
        _identity: Option<&Identity>,
        _mount: Option<&Mount>,
        _refusal: Option<&Refusal>,
        _hash: &KeyedHash,
    ) -> Self {
        Self(Vec::new())
    }

    /// Records how a request ended.
    pub fn of_outcome(
        _identified: &Identified,
        _intent_record_number: u64,
        _outcome: Outcome<'_>,
        _hash: &KeyedHash,
        _now: Timestamp,
    ) -> Self {
        Self(Vec::new())
    }
}
