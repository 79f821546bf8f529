//! Limits, canaries and backups.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use vault_core::limits::Metric;

/// How far a limit is gone beyond.
pub(super) const LEVELS: [&str; 2] = ["soft", "hard"];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct LevelLabel {
    level: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct MetricLabel {
    metric: &'static str,
}

/// What is counted of limits.
pub(crate) struct LimitMetrics {
    breached: [Gauge; LEVELS.len()],
    refusals: [Counter; Metric::ALL.len()],
    /// Reads of canaries.
    pub(crate) canary_reads: Counter,
    /// When the last backup was taken, seconds since 1970.
    pub(crate) backup_last_time: Gauge,
}

impl LimitMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let breached = Family::<LevelLabel, Gauge>::default();
        let refusals = Family::<MetricLabel, Counter>::default();
        let made = Self {
            breached: LEVELS.map(|level| breached.get_or_create_owned(&LevelLabel { level })),
            refusals: Metric::ALL.map(|metric| refusals.get_or_create_owned(&MetricLabel { metric: metric.word() })),
            canary_reads: Counter::default(),
            backup_last_time: Gauge::default(),
        };
        registry.register(
            "limits_breached",
            "Limits that people were told of and that are still gone beyond",
            breached,
        );
        registry.register("limit_refusals", "Acts that hard limits refused", refusals);
        registry.register("canary_reads", "Reads of canaries", made.canary_reads.clone());
        let help = "When the last snapshot was begun that was taken to its end, since 1970; 0 for never";
        registry.register_with_unit("backup_last_time", help, Unit::Seconds, made.backup_last_time.clone());
        made
    }

    /// Counts an act that a hard limit refused.
    pub(crate) fn refused(&self, metric: Metric) {
        let position = Metric::ALL.iter().position(|own| *own == metric);
        if let Some(counter) = position.and_then(|position| self.refusals.get(position)) {
            counter.inc();
        }
    }

    /// Shows how many limits are gone beyond, softly and hard.
    pub(crate) fn are_breached(&self, counts: [i64; LEVELS.len()]) {
        for (gauge, count) in self.breached.iter().zip(counts) {
            gauge.set(count);
        }
    }
}
