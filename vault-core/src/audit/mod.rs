//! Audit records: one JSON line for the intent, durable before the effect, and one for the outcome.
//!
//! Format: docs/formats.md, "Audit record". Secret values appear as keyed hashes only.

mod approval;
mod ceremony;
mod device;
pub mod explain;
mod hashed;
mod kinds;
mod line;

use std::net::SocketAddr;

use crate::approval::HeldRequest;
use crate::auth::token::Kind;
use crate::auth::{Identity, Sender};
use crate::custody::SignedCharter;
use crate::flow::Identified;
use crate::id::RequestId;
use crate::keys::KeyedHash;
use crate::mounts::Mount;
use crate::refusal::{Class, Refusal};
use crate::reply::{Content, Reply};
use crate::request::Request;
use crate::secret::SecretBytes;
use crate::secret::SecretText;
use crate::time::Timestamp;
pub use ceremony::{Ceremony, CeremonyEvent};
use line::Line;

pub use device::{DEVICES_MAX, Device, LogPosition, Target};
pub(crate) use device::{load as load_devices, slot as device_slot};
pub use kinds::kind_names as device_kinds;
pub(crate) use kinds::target as device_target;

/// Gives the text that stands for a value in every record.
pub fn hash_text(value: &str, hash: &KeyedHash) -> String {
    let mut text = Vec::new();
    hashed::write_hash(&mut text, value.as_bytes(), hash);
    String::from_utf8_lossy(&text).trim_matches('"').to_owned()
}

/// One record: a JSON object without its opening brace and without a newline; the log adds both, and the number of
/// the record between them.
pub struct Record(Vec<u8>);

/// How a request ended.
pub enum Outcome<'a> {
    /// With an answer.
    Answered(&'a Reply),
    /// With a refusal.
    Refused(&'a Refusal),
}

/// Something that happened to the seal.
#[derive(Clone, Copy, Debug)]
pub enum SealEvent<'a> {
    /// The vault is about to be made.
    Initialise,
    /// A share was taken.
    ShareTaken {
        /// The share's number.
        index: u8,
        /// Whose it is, where shares have custodians.
        custodian: Option<&'a str>,
    },
    /// A custodian proved to hold their share.
    CheckedUp {
        /// The share's number.
        index: u8,
        /// Whose it is, where shares have custodians.
        custodian: Option<&'a str>,
    },
    /// A proof did not hold.
    CheckUpRefused {
        /// The share's number.
        index: u8,
        /// Whose it is, where shares have custodians.
        custodian: Option<&'a str>,
        /// Why.
        reason: &'a str,
    },
    /// A share was refused.
    ShareRefused {
        /// The share's number, if it could be read.
        index: Option<u8>,
        /// Whose it is by its number, where shares have custodians.
        custodian: Option<&'a str>,
        /// Why; it holds no byte of the share.
        reason: &'a str,
    },
    /// An attempt was given up.
    Reset,
    /// Enough shares came and the vault is open.
    Unsealed,
}

/// How a snapshot goes on after its request was approved.
#[derive(Clone, Copy, Debug)]
pub enum SnapshotEvent<'a> {
    /// It was sent to its end.
    Saved {
        /// SHA-256 of its sums.
        sha256: &'a str,
    },
    /// It was cut off.
    SaveFailed {
        /// Why.
        reason: &'a str,
    },
    /// A snapshot was verified, and the vault's content is about to be replaced by it.
    Restoring {
        /// SHA-256 of its sums.
        sha256: &'a str,
    },
    /// The content is replaced and the vault is sealed.
    Restored,
    /// The content is what it was.
    RestoreFailed {
        /// Why.
        reason: &'a str,
    },
}

/// What the gate decided about a request.
#[derive(Clone, Copy)]
pub enum Decision<'a> {
    /// It may go on.
    Allowed,
    /// It may go on, as enough people have agreed to it.
    Granted(&'a HeldRequest),
    /// It waits until enough people have agreed.
    Held,
    /// It may not go on.
    Denied(&'a Refusal),
}

impl Decision<'_> {
    const fn word(self) -> &'static str {
        match self {
            Self::Allowed | Self::Granted(_) => "allowed",
            Self::Held => "held",
            Self::Denied(_) => "denied",
        }
    }
}

impl Record {
    /// Gives the object's fields, from the first name to the closing brace.
    pub fn fields(&self) -> &[u8] {
        &self.0
    }

    /// Records what is about to happen, or that it was refused.
    pub fn of_request(
        request: &Request,
        sender: Option<&Sender>,
        mount: Option<&Mount>,
        decision: Decision<'_>,
        hash: &KeyedHash,
    ) -> Self {
        let mut line = Line::begin("request", request.received_at, request.id);
        if request.attempt > 1 {
            line.number("attempt", request.attempt.into());
        }
        line.text("decision", decision.word());
        if let Decision::Denied(refusal) = decision {
            write_refusal(&mut line, refusal);
        }
        line.address("remote", request.remote);
        line.text("operation", request.operation.word());
        line.text("path", request.path.as_str());
        if !request.parameters.is_empty() {
            line.hashed_pairs("parameters", &request.parameters, hash);
        }
        write_sender(&mut line, request, sender, hash);
        if let Some(mount) = mount {
            line.object("mount", |line| {
                line.text("path", &mount.path);
                line.text("kind", &mount.kind);
                line.text("accessor", &mount.accessor);
            });
        }
        if let Some(body) = &request.body {
            line.hashed_json("body", body.expose(), hash);
        }
        if let Some(reason) = &request.reason {
            line.text("reason_given", reason);
        }
        if let Some(redemption) = &request.redeems {
            line.text("redeems", redemption.request());
        }
        if let Decision::Granted(held) = decision {
            line.object("grant", |line| approval::write_grant(line, held));
        }
        Self(line.end())
    }

    /// Records how a request ended; `intent` is the number of the record of its intent.
    pub fn of_outcome(
        identified: &Identified,
        intent: u64,
        outcome: Outcome<'_>,
        notes: &[(&'static str, String)],
        hash: &KeyedHash,
        now: Timestamp,
    ) -> Self {
        let request = identified.request();
        let mut line = Line::begin("response", now, request.id);
        line.number("intent", intent);
        line.text("path", request.path.as_str());
        match outcome {
            Outcome::Answered(Reply::Empty) => line.text("outcome", "done"),
            Outcome::Answered(Reply::Content(content)) => write_content(&mut line, "answered", content, hash),
            Outcome::Answered(Reply::Snapshot(_) | Reply::Restore(_)) => line.text("outcome", "approved"),
            Outcome::Answered(Reply::Gone(content)) => write_content(&mut line, "gone", content, hash),
            Outcome::Answered(Reply::Partial { content, .. }) => write_content(&mut line, "partial", content, hash),
            Outcome::Answered(Reply::Raw { .. }) => line.text("outcome", "answered"),
            Outcome::Answered(Reply::Wrapped(info)) => {
                line.text("outcome", "wrapped");
                line.object("wrap", |line| {
                    line.hashed("accessor", info.accessor.as_bytes(), hash);
                    line.text("creation_path", &info.creation_path);
                    line.number("ttl_seconds", info.ttl.0);
                });
            }
            Outcome::Refused(refusal) => {
                line.text("outcome", "refused");
                write_refusal(&mut line, refusal);
            }
        }
        for (name, text) in notes {
            line.text(name, text);
        }
        Self(line.end())
    }

    /// Records something that happened to the seal.
    pub fn of_seal_event(event: &SealEvent<'_>, id: RequestId, remote: SocketAddr, now: Timestamp) -> Self {
        let mut line = Line::begin("seal", now, id);
        line.address("remote", remote);
        let (word, index, custodian, reason) = match *event {
            SealEvent::Initialise => ("initialise", None, None, None),
            SealEvent::ShareTaken { index, custodian } => ("share-taken", Some(index), custodian, None),
            SealEvent::ShareRefused { index, custodian, reason } => ("share-refused", index, custodian, Some(reason)),
            SealEvent::CheckedUp { index, custodian } => ("checked-up", Some(index), custodian, None),
            SealEvent::CheckUpRefused { index, custodian, reason } => {
                ("check-up-refused", Some(index), custodian, Some(reason))
            }
            SealEvent::Reset => ("reset", None, None, None),
            SealEvent::Unsealed => ("unsealed", None, None, None),
        };
        line.text("event", word);
        if let Some(index) = index {
            line.number("share", index.into());
        }
        if let Some(custodian) = custodian {
            line.text("custodian", custodian);
        }
        if let Some(reason) = reason {
            line.text("reason", reason);
        }
        Self(line.end())
    }

    /// Records how a snapshot goes on; `id` is that of the request.
    pub fn of_snapshot_event(event: &SnapshotEvent<'_>, id: RequestId, remote: SocketAddr, now: Timestamp) -> Self {
        let mut line = Line::begin("snapshot", now, id);
        line.address("remote", remote);
        let (word, detail) = match event {
            SnapshotEvent::Saved { sha256 } => ("saved", Some(("sha256", *sha256))),
            SnapshotEvent::SaveFailed { reason } => ("save-failed", Some(("reason", *reason))),
            SnapshotEvent::Restoring { sha256 } => ("restoring", Some(("sha256", *sha256))),
            SnapshotEvent::Restored => ("restored", None),
            SnapshotEvent::RestoreFailed { reason } => ("restore-failed", Some(("reason", *reason))),
        };
        line.text("event", word);
        if let Some((name, text)) = detail {
            line.text(name, text);
        }
        Self(line.end())
    }

    /// Records the charter in force, so that signatures can be checked by the log alone.
    pub fn of_charter(charter: &SignedCharter, id: RequestId, now: Timestamp) -> Self {
        let mut line = Line::begin("charter", now, id);
        line.number("epoch", charter.charter().epoch().into());
        line.text("digest", &charter.charter().digest().to_string());
        line.text("envelope", &charter.envelope().to_json());
        Self(line.end())
    }

    /// Records that the vault vouches for all records before this one; `note` is the signed checkpoint over them.
    pub fn of_checkpoint(note: &str, id: RequestId, now: Timestamp) -> Self {
        let mut line = Line::begin("checkpoint", now, id);
        line.text("note", note);
        Self(line.end())
    }

    /// Records a piece of housekeeping, which no request asked for.
    pub fn of_housekeeping(what: &str, id: RequestId, now: Timestamp) -> Self {
        let mut line = Line::begin("housekeeping", now, id);
        line.text("what", what);
        Self(line.end())
    }
}

fn write_sender(line: &mut Line, request: &Request, sender: Option<&Sender>, hash: &KeyedHash) {
    match (sender, &request.token) {
        (Some(Sender::Token(identity)), shown) => {
            line.object("who", |line| write_identity(line, identity, shown.as_ref(), hash));
        }
        (Some(Sender::Stewards(stewards)), _) => line.object("who", |line| {
            line.list("stewards", stewards.names());
            line.text("act", &stewards.act().to_string());
            line.text("reason", stewards.reason());
        }),
        (_, Some(evidence)) => line.object("who", |line| {
            line.hashed("unknown_token", evidence.expose().as_bytes(), hash);
        }),
        (_, None) => {
            if let Some(act) = &request.act {
                line.object("who", |line| line.text("refused_act", &act.digest().to_string()));
            }
        }
    }
}

fn write_identity(line: &mut Line, identity: &Identity, shown: Option<&SecretText>, hash: &KeyedHash) {
    let token = identity.token();
    match (token.kind, shown) {
        // Nothing else names a batch token.
        (Kind::Batch, Some(text)) => line.hashed("batch_token", text.expose().as_bytes(), hash),
        _ => line.hashed("accessor", token.accessor.as_bytes(), hash),
    }
    line.text("display_name", &token.display_name);
    line.list("policies", &token.policies);
    line.text("made_by", &token.path);
    if let Some(issuers) = &token.issued_by {
        line.list("issued_by", &issuers.hands().iter().map(|hand| hand.entity.to_string()).collect::<Vec<_>>());
    }
    if let Some(entity) = identity.entity() {
        line.text("entity", &entity.id.to_string());
        line.text("entity_name", &entity.name);
    }
}

fn write_refusal(line: &mut Line, refusal: &Refusal) {
    let class = match refusal.class {
        Class::Invalid => "invalid",
        Class::Denied => "denied",
        Class::Missing => "missing",
        Class::Unsupported => "unsupported",
        Class::TooLarge => "too-large",
        Class::Busy => "busy",
        Class::Unavailable => "unavailable",
        Class::Internal => "internal",
    };
    line.text("class", class);
    if let Some(private) = &refusal.private {
        line.text("reason", private);
    }
    if let Some(breach) = &refusal.breach {
        line.object("limit", |line| {
            line.text("name", &breach.limit);
            line.text("metric", breach.metric.word());
            line.number("value", breach.value);
            line.number("bound", breach.bound);
        });
    }
}

fn write_content(line: &mut Line, outcome: &str, content: &Content, hash: &KeyedHash) {
    line.text("outcome", outcome);
    if let Some(data) = &content.data {
        line.hashed_json("data", SecretBytes::expose(data), hash);
    }
    if let Some(grant) = &content.auth {
        line.object("auth", |line| {
            match grant.kind {
                Kind::Batch => line.hashed("batch_token", grant.token.expose().as_bytes(), hash),
                Kind::Service => line.hashed("accessor", grant.accessor.as_bytes(), hash),
            }
            line.list("policies", &grant.policies);
            line.number("lease_duration_seconds", grant.lease_duration.0);
        });
    }
}
