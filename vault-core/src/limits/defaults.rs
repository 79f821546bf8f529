//! Limits that are there from the start, for a small company: they tell people and refuse nothing.
//!
//! There is none on reads, as counting costs a commit for each: docs/limits.md says how to set one where it matters.

use super::{Limit, Metric};
use crate::time::Timestamp;

const DEFAULTS: [(&str, Metric, u64); 7] = [
    ("approvals", Metric::ApprovalsPerDay, 50),
    ("backup-age", Metric::BackupAgeDays, 7),
    ("checkup-age", Metric::CheckupAgeDays, 90),
    ("failed-logins", Metric::FailedLoginsPerHour, 20),
    ("pending-age", Metric::PendingAgeHours, 24),
    ("secret-age", Metric::SecretAgeDays, 365),
    // 32 days, which is Vault's longest unless a mount says otherwise.
    ("token-ttl", Metric::TokenTtlSeconds, 32 * 24 * 3600),
];

/// Lists them.
pub fn defaults() -> impl Iterator<Item = Limit> {
    DEFAULTS.iter().map(|(name, metric, soft)| Limit {
        name: (*name).to_owned(),
        metric: *metric,
        path: if metric.has_path() { "*".to_owned() } else { String::new() },
        soft: Some(*soft),
        hard: None,
        raised: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    })
}
