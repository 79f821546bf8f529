//! What limits limit.

use serde::{Deserialize, Serialize};

use crate::refusal::Class;
use crate::time::{Span, Timestamp};

const HOUR: Span = Span(3600);
const DAY: Span = Span(24 * 3600);
const MONTH: Span = Span(30 * 24 * 3600);

/// Most secrets that are told apart for one identity in a day: each of them is remembered.
const DISTINCT_SECRETS_MAX: u64 = 10_000;

/// Largest value of other limits.
const VALUE_MAX: u64 = 1_000_000_000;

/// What a limit limits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Metric {
    /// Reads of one secret by one identity in an hour.
    ReadsPerHour,
    /// Different secrets that one identity reads in a day.
    DistinctSecretsPerDay,
    /// Failed logins of one user of a mount in an hour.
    FailedLoginsPerHour,
    /// The age of the version of a secret that is read.
    SecretAgeDays,
    /// How long a token that is made or renewed lives from now on.
    TokenTtlSeconds,
    /// How long ago the last snapshot was taken.
    BackupAgeDays,
    /// How long ago the custodian who was not seen for longest was seen.
    CheckupAgeDays,
    /// How long a held request has waited.
    PendingAgeHours,
    /// Approvals by one human in a day.
    ApprovalsPerDay,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ReadsPerHour,
        Self::DistinctSecretsPerDay,
        Self::FailedLoginsPerHour,
        Self::SecretAgeDays,
        Self::TokenTtlSeconds,
        Self::BackupAgeDays,
        Self::CheckupAgeDays,
        Self::PendingAgeHours,
        Self::ApprovalsPerDay,
    ];

    /// Gives the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadsPerHour => "reads_per_hour",
            Self::DistinctSecretsPerDay => "distinct_secrets_per_day",
            Self::FailedLoginsPerHour => "failed_logins_per_hour",
            Self::SecretAgeDays => "secret_age_days",
            Self::TokenTtlSeconds => "token_ttl_seconds",
            Self::BackupAgeDays => "backup_age_days",
            Self::CheckupAgeDays => "checkup_age_days",
            Self::PendingAgeHours => "pending_age_hours",
            Self::ApprovalsPerDay => "approvals_per_day",
        }
    }

    /// Finds the metric of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.word() == word)
    }

    /// Tells whether limits on it hold for some paths.
    pub const fn has_path(self) -> bool {
        !matches!(self, Self::BackupAgeDays | Self::CheckupAgeDays | Self::ApprovalsPerDay)
    }

    /// Gives the largest value of a limit on it.
    pub const fn value_max(self) -> u64 {
        if matches!(self, Self::DistinctSecretsPerDay) { DISTINCT_SECRETS_MAX } else { VALUE_MAX }
    }

    /// Gives the length of the hours, days or months of 30 days, as of UTC, for which alerts on it count; none where a breach lasts until it ends.
    pub(super) const fn window(self) -> Option<Span> {
        match self {
            Self::ReadsPerHour | Self::FailedLoginsPerHour => Some(HOUR),
            Self::DistinctSecretsPerDay | Self::TokenTtlSeconds | Self::ApprovalsPerDay => Some(DAY),
            // Where nobody writes the secret anew people are reminded.
            Self::SecretAgeDays => Some(MONTH),
            Self::BackupAgeDays | Self::CheckupAgeDays | Self::PendingAgeHours => None,
        }
    }

    /// Tells as what kind of refusal a hard limit refuses.
    pub(super) const fn class(self) -> Class {
        match self {
            Self::ReadsPerHour | Self::DistinctSecretsPerDay | Self::ApprovalsPerDay => Class::Busy,
            // As for any other login that fails: a stranger must not learn more.
            Self::FailedLoginsPerHour | Self::TokenTtlSeconds | Self::PendingAgeHours => Class::Invalid,
            Self::SecretAgeDays | Self::BackupAgeDays | Self::CheckupAgeDays => Class::Denied,
        }
    }

    /// Gives the unit of ages.
    const fn unit(self) -> Span {
        match self {
            Self::SecretAgeDays | Self::BackupAgeDays | Self::CheckupAgeDays => DAY,
            Self::PendingAgeHours => HOUR,
            _ => Span(1),
        }
    }

    /// Tells when an age that begins at `from` goes beyond a bound: later than that moment.
    pub(super) fn ends_at(self, from: Timestamp, bound: u64) -> Timestamp {
        from.after(Span(self.unit().0.saturating_mul(bound)))
    }

    /// Gives an age in the metric's unit, rounded up, so that what is beyond a bound looks so.
    pub(super) fn age(self, from: Timestamp, now: Timestamp) -> u64 {
        let unit = u128::from(self.unit().0) * 1_000_000_000;
        let nanoseconds = u128::try_from(i128::from(now.0) - i128::from(from.0)).unwrap_or(0);
        u64::try_from(nanoseconds.div_ceil(unit)).unwrap_or(u64::MAX)
    }

    /// Writes a value with what it counts; `u64::MAX` is a token without end.
    pub fn in_words(self, value: u64) -> String {
        let what = match self {
            Self::ReadsPerHour => "reads in an hour",
            Self::DistinctSecretsPerDay => "different secrets in a day",
            Self::FailedLoginsPerHour => "failed logins in an hour",
            Self::SecretAgeDays | Self::BackupAgeDays | Self::CheckupAgeDays => "days",
            Self::TokenTtlSeconds if value == u64::MAX => return "a token without end".to_owned(),
            Self::TokenTtlSeconds => "seconds",
            Self::PendingAgeHours => "hours",
            Self::ApprovalsPerDay => "approvals in a day",
        };
        format!("{value} {what}")
    }
}

/// Which of the two values of a limit was gone beyond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Level {
    /// People are told.
    Soft,
    /// The act is refused.
    Hard,
}

impl Level {
    /// Gives the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}
