//! What a notice is about: a request that waits for people, a limit, or a canary.

use serde::{Deserialize, Serialize};

use super::{Line, to_the_second};
use crate::limits::{Level, Metric};
use crate::time::Timestamp;

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum About {
    /// Something became of a request.
    Request(AboutRequest),
    /// A limit was gone beyond, or is kept again.
    Limit(AboutLimit),
    /// Somebody read a canary.
    Canary(AboutCanary),
}

/// What has happened to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// It waits for people from now on.
    Waits,
    /// Enough people have agreed.
    Approved,
    /// Somebody who may approve said no.
    Denied,
    /// It was taken back.
    Cancelled,
    /// It was used.
    Released,
    /// What it was bound to has changed.
    Stale,
}

impl Event {
    /// Gives the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Released => "released",
            Self::Stale => "stale",
        }
    }
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AboutRequest {
    /// What happened.
    pub event: Event,
    /// The request's name.
    pub request: String,
    /// `read`, `list`, `write`, `patch` or `delete`.
    pub operation: Line,
    /// The path, without the leading `/v1/`.
    pub path: Line,
    /// The name of who asked.
    pub requester: Line,
    /// Why, in their words; may be empty.
    pub reason: Line,
    /// Who must agree, in words such as "1 of security and 1 of operations".
    pub waits_for: Line,
    /// Who made it happen, where that is one of those who decide or ask.
    pub by: Option<Line>,
    /// What they said of it.
    pub remark: Option<Line>,
    /// When the request was made.
    pub asked_at: Timestamp,
    /// When the request ends.
    pub expires_at: Timestamp,
}

/// What has happened to a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Turn {
    /// It was gone beyond.
    Breached,
    /// It is kept again, or its hour or day is over.
    Resolved,
}

impl Turn {
    /// Gives the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Breached => "breached",
            Self::Resolved => "resolved",
        }
    }
}

/// A limit that was gone beyond, or is kept again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AboutLimit {
    /// What happened.
    pub turn: Turn,
    /// Names the breach: the same until it is resolved.
    pub breach: String,
    /// The limit's name.
    pub limit: Line,
    /// What it limits.
    pub metric: Metric,
    /// Whether the soft or the hard value was gone beyond.
    pub level: Level,
    /// Whom it concerns: the name of an identity, a user; may be empty.
    pub subject: Line,
    /// The path that it concerns; may be empty.
    pub path: Line,
    /// What was counted or measured when the breach was noticed, the refused act included.
    pub value: u64,
    /// What the limit allows.
    pub bound: u64,
    /// When it was gone beyond.
    pub since: Timestamp,
    /// When the hour or the day ends that it counts for.
    pub ends_at: Option<Timestamp>,
}

/// A read of a canary.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AboutCanary {
    /// The path, without the leading `/v1/`.
    pub path: Line,
    /// The name of who read it.
    pub reader: Line,
    /// The address that the read came from.
    pub address: Line,
    /// The request's id, as the audit log has it.
    pub request_id: String,
}

impl About {
    /// Says the most important in one line.
    pub(super) fn headline(&self) -> String {
        match self {
            Self::Request(request) => request.headline(),
            Self::Limit(limit) => limit.headline(),
            Self::Canary(canary) => format!("canary: {} read {}", canary.reader, canary.path),
        }
    }

    /// Gives everything there is to say, in lines with their labels.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Request(request) => request.lines(),
            Self::Limit(limit) => limit.lines(),
            Self::Canary(canary) => vec![
                ("Path", canary.path.to_string()),
                ("Read by", canary.reader.to_string()),
                ("From", canary.address.to_string()),
                ("Request", canary.request_id.clone()),
            ],
        }
    }
}

impl AboutRequest {
    fn headline(&self) -> String {
        let what = format!("{} {}", self.operation, self.path);
        match self.event {
            Event::Waits => format!("{} asks to {what}: this waits for {}", self.requester, self.waits_for),
            Event::Approved => format!("approved: {} may {what}", self.requester),
            Event::Denied => format!("denied: {} may not {what}", self.requester),
            Event::Cancelled => format!("cancelled: {} no longer asks to {what}", self.requester),
            Event::Released => format!("released: {} used the approval to {what}", self.requester),
            Event::Stale => format!("stale: what {} asked to {what} was changed by others meanwhile", self.requester),
        }
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
            ("Request", self.request.clone()),
            ("State", self.event.word().to_owned()),
            ("Operation", self.operation.to_string()),
            ("Path", self.path.to_string()),
            ("Asked for by", self.requester.to_string()),
            ("Reason", self.reason.to_string()),
            ("Waits for", self.waits_for.to_string()),
        ];
        lines.extend(self.by.iter().map(|by| ("Decided by", by.to_string())));
        lines.extend(self.remark.iter().map(|remark| ("Remark", remark.to_string())));
        lines.push(("Asked for at", to_the_second(self.asked_at)));
        lines.push(("Expires at", to_the_second(self.expires_at)));
        lines
    }
}

impl AboutLimit {
    fn headline(&self) -> String {
        let (level, limit) = (self.level.word(), &self.limit);
        let concerns: String = [&self.subject, &self.path].into_iter().filter(|line| !line.as_str().is_empty()).fold(
            String::new(),
            |mut text, line| {
                text.push_str(if text.is_empty() { ": " } else { ", " });
                text.push_str(line.as_str());
                text
            },
        );
        match self.turn {
            Turn::Breached => {
                let (value, bound) = (self.metric.in_words(self.value), self.metric.in_words(self.bound));
                format!("{level} limit {limit} breached{concerns}: {value}, where {bound} are allowed")
            }
            Turn::Resolved => format!("{level} limit {limit} resolved{concerns}"),
        }
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
            ("Limit", self.limit.to_string()),
            ("State", self.turn.word().to_owned()),
            ("Level", self.level.word().to_owned()),
            ("Metric", self.metric.word().to_owned()),
            ("Whom", self.subject.to_string()),
            ("Path", self.path.to_string()),
            ("Value", self.metric.in_words(self.value)),
            ("Allowed", self.metric.in_words(self.bound)),
            ("Since", to_the_second(self.since)),
        ];
        lines.extend(self.ends_at.map(|at| ("Frees itself at", to_the_second(at))));
        lines
    }
}
