//! What the log alone tells of one held request: who asked, who agreed with which key, and what was released. Every signature
//! is checked again, by the charters that the log holds.
//!
//! The log is read twice: what concerns a request names it only in the record of its outcome.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::approval::{APPROVAL_PAYLOAD_TYPE, DENIAL_PAYLOAD_TYPE, Statement};
use crate::charter::{Charter, Digest};
use crate::envelope::Envelope;
use crate::ssh_key::SshPublicKey;

/// Gathers what concerns one request.
pub struct Explainer {
    request: String,
    /// Ids of the calls that concern it.
    calls: BTreeSet<String>,
    charters: BTreeMap<String, Charter>,
    events: Vec<Event>,
}

/// Something that happened to a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Event {
    /// The number of the record.
    pub record: u64,
    /// When, RFC 3339.
    pub time: String,
    /// Who called, as far as the record of the call says.
    pub by: Option<String>,
    /// From where.
    pub remote: Option<String>,
    /// What it was.
    pub what: What,
    #[serde(skip)]
    call: String,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// It was held back.
    Asked {
        /// What people decide about.
        statement: Box<Statement>,
    },
    /// Somebody agreed.
    Approved {
        /// Whose signature it bears.
        signature: Signed,
    },
    /// Somebody said no.
    Denied {
        /// Why.
        reason: String,
        /// Whose signature it bears.
        signature: Signed,
    },
    /// It was made, with these votes.
    Released {
        /// What it did.
        operation: String,
        /// Where.
        path: String,
        /// The votes.
        votes: Vec<CountedVote>,
        /// Whether what was agreed to is word for word what was asked for.
        is_what_was_asked: bool,
        /// Why it is not one that the statement and the votes bear, in words.
        doubts: Vec<String>,
        /// How it ended, if the log says so.
        outcome: Option<String>,
    },
}

/// A vote as the release shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CountedVote {
    /// The login.
    pub name: String,
    /// The person of the charter.
    pub person: Option<String>,
    /// `full`, `training` or `delegated`.
    pub weight: String,
    /// Whose signature it bears.
    pub signature: Signed,
}

/// What a signature is worth.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "signature", rename_all = "snake_case")]
pub enum Signed {
    /// There is none.
    None,
    /// It holds, and the key is that of a person of the charter that was in force.
    ByPerson {
        /// The person.
        person: String,
        /// The key's fingerprint.
        fingerprint: String,
        /// The charter's epoch.
        epoch: u32,
    },
    /// It holds by the key that the log names, but the log does not hold the charter that would say whose it is.
    ByKey {
        /// The key's fingerprint.
        fingerprint: String,
    },
    /// It does not hold, or is over something else.
    Bad {
        /// Why.
        why: String,
    },
}

impl Signed {
    /// Tells whether somebody must look into it.
    pub const fn is_bad(&self) -> bool {
        matches!(self, Self::Bad { .. })
    }
}

impl Explainer {
    /// Begins for a request.
    pub fn new(request: &str) -> Self {
        let request = request.to_owned();
        Self { request, calls: BTreeSet::new(), charters: BTreeMap::new(), events: Vec::new() }
    }

    /// Knows a charter besides those of the log.
    pub fn add_charter(&mut self, charter: Charter) {
        self.charters.insert(charter.digest().to_string(), charter);
    }

    /// Looks at a line for the first time.
    pub fn first(&mut self, line: &str) {
        let is_charter = line.contains("\"kind\":\"charter\"");
        if !is_charter && !line.contains(&self.request) {
            return;
        }
        let Ok(record) = serde_json::from_str::<Value>(line) else { return };
        if is_charter && let Some(charter) = charter_of(&record) {
            self.add_charter(charter);
        }
        let concerns = text(&record, "held_request").as_deref() == Some(&self.request)
            || text(&record, "redeems").as_deref() == Some(&self.request);
        if let Some(call) = text(&record, "id").filter(|_| concerns) {
            self.calls.insert(call);
        }
    }

    /// Looks at a line for the second time.
    pub fn second(&mut self, line: &str) {
        let Ok(record) = serde_json::from_str::<Value>(line) else { return };
        let Some(call) = text(&record, "id").filter(|call| self.calls.contains(call)) else { return };
        match text(&record, "kind").as_deref() {
            Some("request") => self.take_request(&record, call),
            Some("response") => self.take_response(&record, call),
            _ => {}
        }
    }

    /// Gives what was found, in the order of the log.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    fn take_request(&mut self, record: &Value, call: String) {
        let Some(grant) = record.get("grant") else { return };
        let statement = text(grant, "statement").unwrap_or_default();
        let votes = grant.get("votes").and_then(Value::as_array).into_iter().flatten();
        let votes = votes.map(|vote| self.vote(vote, &statement)).collect();
        let is_what_was_asked = self.events.iter().any(|event| match &event.what {
            What::Asked { statement: asked } => asked.to_json().ok().as_deref() == Some(statement.as_str()),
            _ => false,
        });
        let operation = text(record, "operation").unwrap_or_default();
        let path = text(record, "path").unwrap_or_default();
        let doubts = match Statement::parse(statement.as_bytes()) {
            Ok(stated) => self.doubts(&stated, (&operation, &path), grant),
            Err(error) => vec![error.to_string()],
        };
        let what = What::Released { operation, path, votes, is_what_was_asked, doubts, outcome: None };
        self.push(record, call, record, what);
    }

    /// Holds a release against its statement.
    fn doubts(&self, stated: &Statement, does: (&str, &str), grant: &Value) -> Vec<String> {
        let mut doubts = Vec::new();
        let mut doubt = |holds: bool, what: &str| {
            if holds && !doubts.iter().any(|known| known == what) {
                doubts.push(what.to_owned());
            }
        };
        doubt(stated.request != self.request, "the statement is about another request");
        doubt(
            (stated.operation.as_str(), stated.path.as_str()) != does,
            "it does something else than the statement says",
        );
        let votes = grant.get("votes").and_then(Value::as_array).into_iter().flatten();
        let votes: Vec<&Value> = votes.filter(|vote| text(vote, "weight").as_deref() != Some("training")).collect();
        doubt(votes.is_empty(), "nobody's vote is there");
        let mut voters = BTreeSet::new();
        for vote in votes {
            let (person, entity) = (text(vote, "person"), text(vote, "entity"));
            let is_requester = (person.is_some() && person == stated.requester.person)
                || entity.as_ref() == Some(&stated.requester.entity);
            doubt(is_requester, "a vote is that of whoever asked for it");
            doubt(
                stated.charter.is_some() && vote.get("envelope").is_none(),
                "a vote is unsigned, and in service none is",
            );
            doubt(!voters.insert(person.or(entity)), "somebody's vote is there twice");
        }
        doubts
    }

    /// Counts the releases that took place once more has.
    fn check_uses(&mut self, call: &str) {
        let uses = self.events.iter().find_map(|event| match &event.what {
            What::Asked { statement } => usize::try_from(statement.uses).ok(),
            _ => None,
        });
        let took_place = |event: &&Event| match &event.what {
            What::Released { outcome, .. } => outcome.as_ref().is_some_and(|outcome| outcome != "refused"),
            _ => false,
        };
        let calls: BTreeSet<&str> = self.events.iter().filter(took_place).map(|event| event.call.as_str()).collect();
        let is_too_often = uses.is_some_and(|uses| calls.len() > uses);
        let last = self.events.iter_mut().find(|event| event.call == call).filter(|_| is_too_often);
        if let Some(Event { what: What::Released { doubts, .. }, .. }) = last {
            doubts.push("it was used more often than was agreed to".to_owned());
        }
    }

    fn vote(&self, vote: &Value, statement: &str) -> CountedVote {
        let person = text(vote, "person");
        let signed = match text(vote, "envelope") {
            None => Signed::None,
            Some(envelope) => self.check(&envelope, APPROVAL_PAYLOAD_TYPE, statement, text(vote, "key").as_deref()),
        };
        let signed = match signed {
            Signed::ByPerson { person: signer, .. } if person.as_ref() != Some(&signer) => {
                Signed::Bad { why: format!("it is by {signer}, whom the log does not name") }
            }
            signed => signed,
        };
        CountedVote {
            name: text(vote, "name").unwrap_or_default(),
            person,
            weight: text(vote, "weight").unwrap_or_else(|| "full".to_owned()),
            signature: signed,
        }
    }

    fn take_response(&mut self, record: &Value, call: String) {
        if let Some(released) = self.events.iter_mut().find(|event| event.call == call) {
            if let What::Released { outcome, .. } = &mut released.what {
                *outcome = text(record, "outcome");
                self.check_uses(&call);
            }
            return;
        }
        let asked = text(record, "statement").and_then(|text| Statement::parse(text.as_bytes()).ok());
        let statement = self.events.iter().find_map(|event| match &event.what {
            What::Asked { statement } => statement.to_json().ok(),
            _ => None,
        });
        let signature = |name: &str, payload_type| match (text(record, name), &statement) {
            (Some(envelope), Some(statement)) if !envelope.is_empty() => {
                self.check(&envelope, payload_type, statement, None)
            }
            _ => Signed::None,
        };
        let what = if let Some(statement) = asked {
            What::Asked { statement: Box::new(statement) }
        } else if record.get("approval").is_some() {
            What::Approved { signature: signature("approval", APPROVAL_PAYLOAD_TYPE) }
        } else if record.get("denial").is_some() {
            let reason = text(record, "reason").unwrap_or_default();
            What::Denied { reason, signature: signature("denial", DENIAL_PAYLOAD_TYPE) }
        } else {
            return;
        };
        self.push(record, call, &Value::Null, what);
    }

    fn push(&mut self, record: &Value, call: String, request: &Value, what: What) {
        let who = request.get("who");
        self.events.push(Event {
            record: record.get("number").and_then(Value::as_u64).unwrap_or_default(),
            time: text(record, "time").unwrap_or_default(),
            by: who.and_then(|who| text(who, "entity_name").or_else(|| text(who, "display_name"))),
            remote: text(request, "remote"),
            what,
            call,
        });
    }

    /// Checks a signature over a statement, by the charter that the statement names.
    fn check(&self, envelope: &str, payload_type: &'static str, statement: &str, key: Option<&str>) -> Signed {
        let bad = |why: &str| Signed::Bad { why: why.to_owned() };
        let Ok(envelope) = Envelope::parse(envelope.as_bytes()) else { return bad("it is no envelope") };
        if envelope.payload() != statement.as_bytes() || envelope.is_of_type(payload_type).is_err() {
            return bad("it is over something else");
        }
        let named = Statement::parse(statement.as_bytes()).ok().and_then(|statement| statement.charter);
        let charter = named.and_then(|named| self.charters.get(&named.digest));
        if let Some(charter) = charter {
            return match envelope.signers(payload_type, charter) {
                Err(error) => Signed::Bad { why: error.to_string() },
                Ok(signers) => match signers.iter().filter_map(|index| charter.person(index)).collect::<Vec<_>>()[..] {
                    [only] => Signed::ByPerson {
                        person: only.name.to_string(),
                        fingerprint: only.signing_key.fingerprint(),
                        epoch: charter.epoch(),
                    },
                    _ => bad("it is not by one person"),
                },
            };
        }
        match key.and_then(|key| SshPublicKey::parse(key).ok()) {
            Some(key) if envelope.is_signed_by(&key) => Signed::ByKey { fingerprint: key.fingerprint() },
            Some(_) => bad("it does not hold by the key that the log names"),
            None => bad("the log does not hold the charter that was in force: give it"),
        }
    }
}

fn charter_of(record: &Value) -> Option<Charter> {
    let envelope = Envelope::parse(text(record, "envelope")?.as_bytes()).ok()?;
    let charter = Charter::parse(envelope.payload()).ok()?;
    let named = Digest::parse(&text(record, "digest")?)?;
    (charter.digest() == named).then_some(charter)
}

fn text(record: &Value, name: &str) -> Option<String> {
    record.get(name).and_then(Value::as_str).map(str::to_owned)
}
