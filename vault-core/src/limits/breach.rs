//! A hard limit that refuses: what the refusal says, and what is kept of it.

use super::{Limit, Metric, Subject};
use crate::engines::Call;
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// That an act would go beyond a hard limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// The limit's name.
    pub limit: String,
    /// What it limits.
    pub metric: Metric,
    /// Whom it counts for.
    pub subject: Subject,
    /// What would be counted or measured with the act.
    pub value: u64,
    /// What is allowed.
    pub bound: u64,
}

impl Breach {
    pub(super) fn new(limit: &Limit, subject: Subject, value: u64, bound: u64) -> Self {
        Self { limit: limit.name.clone(), metric: limit.metric, subject, value, bound }
    }

    /// Refuses the act. `ends_at` is when the limit frees itself, if it does.
    pub(super) fn refuse(self, call: &Call<'_>, ends_at: Option<Timestamp>) -> Refusal {
        let Self { limit, metric, subject, value, bound } = &self;
        let of = if subject.path.is_empty() { String::new() } else { format!(" at {}", subject.path) };
        let frees = ends_at.map(|at| format!(" It frees itself at {at}.")).unwrap_or_default();
        let who = if call.tables.is_in_service() {
            "Two people by the charter's change rule can".to_owned()
        } else {
            format!("Whoever may write sys/limits/{limit} can")
        };
        let text = format!(
            "the hard limit {limit:?} refuses this: {} are allowed{of}, and this would be {}.{frees} {who} raise it for a \
             time: keyturn limit raise {limit} --hard N --for 8h --reason TEXT",
            metric.in_words(*bound),
            metric.in_words(*value),
        );
        let class = metric.class();
        Refusal { breach: Some(Box::new(self)), ..Refusal::new(class, text) }
    }
}
