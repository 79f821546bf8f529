//! What witnesses say of the log.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What a witness says, or that it says nothing.
pub(super) const ANSWERS: [&str; 2] = ["signed", "failed"];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct AnswerLabel {
    answer: &'static str,
}

/// What is counted of witnesses.
pub(crate) struct WitnessMetrics {
    answers: [Counter; ANSWERS.len()],
    /// When enough witnesses had signed for the newest checkpoint, seconds since 1970.
    pub(crate) last_time: Gauge,
    /// Releases that went on without them.
    pub(crate) unwitnessed: Counter,
}

impl WitnessMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let answers = Family::<AnswerLabel, Counter>::default();
        let made = Self {
            answers: ANSWERS.map(|answer| answers.get_or_create_owned(&AnswerLabel { answer })),
            last_time: Gauge::default(),
            unwitnessed: Counter::default(),
        };
        registry.register("witness_answers", "Questions to witnesses, by what came of them", answers);
        let help = "When all witnesses had last signed for the log, since 1970; 0 for never, and where there are none";
        registry.register_with_unit("witness_last_time", help, Unit::Seconds, made.last_time.clone());
        registry.register(
            "witness_releases_without",
            "Releases that witnesses had not signed for",
            made.unwitnessed.clone(),
        );
        made
    }

    /// Counts what came of asking.
    pub(crate) fn answered(&self, signed: usize, failed: usize) {
        for (counter, count) in self.answers.iter().zip([signed, failed]) {
            counter.inc_by(count as u64);
        }
    }
}
