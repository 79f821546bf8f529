//! A limit as it is stored, and the rules by which it changes.

use serde::{Deserialize, Serialize};

use super::Metric;
use crate::engines::Change;
use crate::names::{Domain, Folder, Names, Slot};
use crate::policy::Pattern;
use crate::record_format;
use crate::refusal::Refusal;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

/// Longest time for which a hard limit is raised.
pub const RAISE_SPAN_MAX: Span = Span(30 * 24 * 3600);

/// Longest reason for raising a hard limit, in bytes.
pub const REASON_LENGTH_BYTES_MAX: usize = 1024;

/// Longest name of a limit, in bytes.
pub const NAME_LENGTH_BYTES_MAX: usize = 128;

/// Two values for one metric: beyond `soft` people are told, beyond `hard` the act is refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limit {
    /// Names it.
    pub name: String,
    /// What it limits.
    pub metric: Metric,
    /// The paths that it holds for, as policies write them; empty where the metric knows no paths.
    pub path: String,
    /// Beyond it people are told.
    pub soft: Option<u64>,
    /// Beyond it the act is refused, unless the limit is raised at that time.
    pub hard: Option<u64>,
    /// Until when another value holds in the place of `hard`.
    pub raised: Option<Raised>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A hard limit that is raised for a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Raised {
    /// What holds meanwhile; none for no hard limit at all.
    pub hard: Option<u64>,
    /// From when on the old one is back.
    pub until: Timestamp,
    /// Who raised it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What somebody wants of a hard limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// To leave it as it is.
    Same,
    /// Another value.
    Value(u64),
    /// That there is none.
    Nothing,
}

/// What is needed for raising a hard limit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grounds {
    /// From when on the old value is back.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
}

impl Limit {
    /// Makes a limit without values, which is not to be stored before it has one.
    ///
    /// # Errors
    /// Refuses a name or a path that cannot be.
    pub fn new(name: &str, metric: Metric, path: Option<&str>, now: Timestamp) -> Result<Self, Refusal> {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > NAME_LENGTH_BYTES_MAX || !name.bytes().all(is_fit) {
            let text = format!("a name has 1 to {NAME_LENGTH_BYTES_MAX} letters, digits, '-', '_' and '.'");
            return Err(Refusal::invalid(text));
        }
        let path = match path {
            None if metric.has_path() => "*".to_owned(),
            None => String::new(),
            Some(_) if !metric.has_path() => {
                return Err(Refusal::invalid(format!("{} is not of paths: leave 'path' out", metric.word())));
            }
            Some(path) => Pattern::parse(path).map_err(Refusal::invalid)?.written(),
        };
        let (created_at, updated_at) = (now, now);
        Ok(Self { name: name.to_owned(), metric, path, soft: None, hard: None, raised: None, created_at, updated_at })
    }

    /// Gives the hard value that holds now.
    pub fn hard_at(&self, now: Timestamp) -> Option<u64> {
        match self.raised_at(now) {
            Some(raised) => raised.hard,
            None => self.hard,
        }
    }

    /// Tells who has raised it, while that holds.
    pub fn raised_at(&self, now: Timestamp) -> Option<&Raised> {
        self.raised.as_ref().filter(|raised| now < raised.until)
    }

    /// Sets the soft value, or takes it away.
    ///
    /// # Errors
    /// Refuses a value that cannot be.
    pub fn set_soft(&mut self, soft: Option<u64>) -> Result<(), Refusal> {
        if let Some(soft) = soft {
            self.check_value("soft", soft)?;
        }
        self.soft = soft;
        Ok(())
    }

    /// Changes the hard value. Downwards it changes at once and for good. Upwards, and away, only until some time, with a reason:
    /// the old value stays beside it and is back by itself.
    ///
    /// # Errors
    /// Refuses a value that cannot be, and what raises the limit without a reason or without an end.
    pub fn set_hard(&mut self, wanted: Wanted, grounds: Grounds, now: Timestamp) -> Result<(), Refusal> {
        let hard = match (wanted, self.hard) {
            (Wanted::Same, _) | (Wanted::Nothing, None) => return Ok(()),
            (Wanted::Value(value), own) => {
                self.check_value("hard", value)?;
                if own.is_none_or(|own| value <= own) {
                    (self.hard, self.raised) = (Some(value), None);
                    return Ok(());
                }
                Some(value)
            }
            (Wanted::Nothing, Some(_)) => None,
        };
        let Grounds { until, reason, by } = grounds;
        let reason = reason.trim().to_owned();
        let until = until.filter(|until| *until > now && *until <= now.after(RAISE_SPAN_MAX));
        let days = RAISE_SPAN_MAX.0 / (24 * 3600);
        let until = until.ok_or_else(|| {
            Refusal::invalid(format!(
                "a hard limit is raised or taken away for a time: give 'until', a moment within the next {days} days, \
                 after which the old one is back"
            ))
        })?;
        if reason.is_empty() || reason.len() > REASON_LENGTH_BYTES_MAX {
            let text = format!("raising a hard limit takes a 'reason' of up to {REASON_LENGTH_BYTES_MAX} bytes");
            return Err(Refusal::invalid(text));
        }
        self.raised = Some(Raised { hard, until, by, reason, at: now });
        Ok(())
    }

    /// Checks that the values make sense together.
    ///
    /// # Errors
    /// Refuses a limit of nothing, and a soft value that nobody can come beyond.
    pub fn check(&self) -> Result<(), Refusal> {
        match (self.soft, self.hard) {
            (None, None) => Err(Refusal::invalid("a limit has a 'soft' or a 'hard' value, or both")),
            (Some(soft), Some(hard)) if soft > hard => {
                Err(Refusal::invalid("'soft' is beyond 'hard', so that nobody would ever be told"))
            }
            _ => Ok(()),
        }
    }

    fn check_value(&self, field: &str, value: u64) -> Result<(), Refusal> {
        let most = self.metric.value_max();
        if (1..=most).contains(&value) {
            return Ok(());
        }
        // Nothing at all is for policies to say: a limit of zero could lock those out who would raise it.
        Err(Refusal::invalid(format!("'{field}' of {} is from 1 to {most}", self.metric.word())))
    }

    /// Gives the change that stores it.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub(crate) fn store(&self, names: &Names) -> Result<Change, Refusal> {
        Ok(Change::Put { slot: slot(names, &self.name), payload: record_format::encode(VERSION, self)? })
    }

    /// Reads it.
    pub(super) fn decode(payload: &crate::secret::SecretBytes) -> Result<Self, Refusal> {
        record_format::decode(VERSION, payload)
    }
}

/// Reads the limit of a name, if somebody wrote it.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub(crate) fn stored(names: &Names, name: &str, view: &mut View) -> Result<Option<Limit>, Interrupt> {
    match view.entry(&slot(names, name))? {
        None => Ok(None),
        Some(row) => Ok(Some(Limit::decode(&row.payload)?)),
    }
}

/// Finds the folder of all limits.
pub(super) fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "limits")
}

/// Finds the row of a limit.
pub(crate) fn slot(names: &Names, name: &str) -> Slot {
    names.entry(&folder(names), name)
}
