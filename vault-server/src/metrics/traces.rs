//! What becomes of traces.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What can become of the trace of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TraceOutcome {
    /// The collector has it.
    Sent,
    /// Too many waited.
    Dropped,
    /// The collector did not take it.
    Failed,
}

pub(super) const TRACE_OUTCOMES: [(TraceOutcome, &str); 3] =
    [(TraceOutcome::Sent, "sent"), (TraceOutcome::Dropped, "dropped"), (TraceOutcome::Failed, "failed")];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// What is counted of traces.
pub(crate) struct TraceMetrics {
    traces: [Counter; TRACE_OUTCOMES.len()],
}

impl TraceMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let traces = Family::<OutcomeLabel, Counter>::default();
        let made =
            Self { traces: TRACE_OUTCOMES.map(|(_, outcome)| traces.get_or_create_owned(&OutcomeLabel { outcome })) };
        registry.register("traces", "Traces of requests, by what became of them", traces);
        made
    }

    /// Counts traces.
    pub(crate) fn are(&self, outcome: TraceOutcome, count: usize) {
        let position = TRACE_OUTCOMES.iter().position(|(own, _)| *own == outcome);
        if let Some(counter) = position.and_then(|position| self.traces.get(position)) {
            counter.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}
