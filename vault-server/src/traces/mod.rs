//! Traces of requests, for OpenTelemetry: which stages a request went through, and how long each took.
//!
//! A span's name is the word of an operation or of a stage, both from enums here; its attributes are the operation, the outcome
//! and the request's id, by which the audit log tells the rest to who may read it. No path, name, value or token can get
//! in. What is traced waits in a bounded queue; when that is full it is dropped, and no request ever waits.

mod otlp;
mod parent;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::Rng;
use tokio::sync::mpsc;
use vault_core::id::RequestId;
use vault_core::request::Operation;
use vault_core::time::Timestamp;

use crate::config::TraceSettings;
use crate::metrics::{Metrics, TraceOutcome};
pub(crate) use parent::TraceParent;

/// Most requests whose traces wait to be sent.
const WAITING_MAX: usize = 2_048;

/// Most requests whose traces are sent together.
const BATCH_MAX: usize = 256;

/// How long a trace waits for others to be sent with.
const GATHER_MAX: Duration = Duration::from_secs(2);

/// Most stages of one request that are kept: one that starts over many times goes through many.
const STAGES_MAX: usize = 64;

/// A stage of a request: ARCHITECTURE.md, "The way of a request".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Who asks is found out.
    Identify,
    /// A write waits for its turn.
    Turn,
    /// Policy is asked.
    Permit,
    /// The gate is asked.
    Gate,
    /// The record is made durable.
    Record,
    /// The engine decides.
    Decide,
    /// The changes are committed.
    Commit,
}

impl Stage {
    const fn word(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Turn => "turn",
            Self::Permit => "permit",
            Self::Gate => "gate",
            Self::Record => "record",
            Self::Decide => "decide",
            Self::Commit => "commit",
        }
    }
}

/// Takes traces and sends them on, if the settings say where to.
pub(crate) struct Traces {
    sending: Option<Sending>,
    metrics: Arc<Metrics>,
}

struct Sending {
    settings: TraceSettings,
    /// How many requests have come.
    requests: AtomicU64,
    queue: mpsc::Sender<Finished>,
    waiting: tokio::sync::Mutex<mpsc::Receiver<Finished>>,
}

/// A request that has ended, as it is told.
struct Finished {
    trace_id: [u8; 16],
    /// The span of whoever called, if they said so.
    caller: Option<[u8; 8]>,
    span_id: [u8; 8],
    request: RequestId,
    operation: Operation,
    outcome: &'static str,
    began_at: Timestamp,
    took: Duration,
    stages: Vec<Passed>,
}

/// A stage that a request went through.
struct Passed {
    stage: Stage,
    span_id: [u8; 8],
    /// From the beginning of the request.
    after: Duration,
    took: Duration,
}

impl Traces {
    /// Prepares to trace as the settings say; nothing is opened yet.
    pub(crate) fn new(settings: Option<TraceSettings>, metrics: Arc<Metrics>) -> Self {
        let sending = settings.map(|settings| {
            let (queue, waiting) = mpsc::channel(WAITING_MAX);
            Sending { settings, requests: AtomicU64::new(0), queue, waiting: tokio::sync::Mutex::new(waiting) }
        });
        Self { sending, metrics }
    }

    /// Begins to trace a request, or does not, if it is not its turn.
    pub(crate) fn begin(
        &self,
        (request, operation): (RequestId, Operation),
        parent: Option<TraceParent>,
        began_at: Timestamp,
        rng: &mut dyn Rng,
    ) -> Trace<'_> {
        let is_due = |sending: &&Sending| {
            let one_in = u64::from(sending.settings.one_in.max(1));
            sending.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(one_in)
        };
        let Some(sending) = self.sending.as_ref().filter(is_due) else { return Trace(None) };
        let mut seed = [0; 8];
        rng.fill_bytes(&mut seed);
        Trace(Some(Recording {
            queue: &sending.queue,
            metrics: &self.metrics,
            trace_id: parent.map_or(request.0, |parent| parent.trace_id),
            caller: parent.map(|parent| parent.span_id),
            seed: u64::from_be_bytes(seed),
            request,
            operation,
            outcome: None,
            began_at,
            began: Instant::now(),
            stages: Mutex::default(),
        }))
    }

    /// Sends what is traced, for as long as it is polled.
    pub(crate) async fn send(&self) {
        let Some(sending) = &self.sending else { return };
        let mut waiting = sending.waiting.lock().await;
        let mut is_failing = false;
        let mut batch = Vec::new();
        while let Some(first) = waiting.recv().await {
            batch.push(first);
            // What has gathered when the time is over is sent.
            let _ = tokio::time::timeout(GATHER_MAX, async {
                while batch.len() < BATCH_MAX {
                    match waiting.recv().await {
                        Some(next) => batch.push(next),
                        None => break,
                    }
                }
            })
            .await;
            let sent = otlp::send(&sending.settings, &batch).await;
            self.metrics.traces.are(if sent.is_ok() { TraceOutcome::Sent } else { TraceOutcome::Failed }, batch.len());
            match (&sent, is_failing) {
                (Ok(()), true) => tracing::info!("traces are taken again"),
                (Err(reason), false) => tracing::warn!("traces are not taken, and are lost: {reason}"),
                _ => {}
            }
            is_failing = sent.is_err();
            batch.clear();
        }
    }
}

/// A request that is being traced, or is not. Dropped before its end it was given up.
pub(crate) struct Trace<'a>(Option<Recording<'a>>);

struct Recording<'a> {
    queue: &'a mpsc::Sender<Finished>,
    metrics: &'a Metrics,
    trace_id: [u8; 16],
    caller: Option<[u8; 8]>,
    /// The spans of the request are numbered from here on.
    seed: u64,
    request: RequestId,
    operation: Operation,
    outcome: Option<&'static str>,
    began_at: Timestamp,
    began: Instant,
    stages: Mutex<Vec<Passed>>,
}

impl Trace<'_> {
    /// Measures a stage.
    pub(crate) async fn during<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let Some(recording) = &self.0 else { return work.await };
        let after = recording.began.elapsed();
        let result = work.await;
        let took = recording.began.elapsed().saturating_sub(after);
        let mut stages = recording.stages.lock().unwrap_or_else(PoisonError::into_inner);
        if stages.len() < STAGES_MAX {
            let number = u64::try_from(stages.len()).unwrap_or_default().wrapping_add(1);
            let span_id = span_id(recording.seed, number);
            stages.push(Passed { stage, span_id, after, took });
        }
        result
    }

    /// Says how the request ended.
    pub(crate) fn ended(mut self, outcome: &'static str) {
        if let Some(recording) = &mut self.0 {
            recording.outcome = Some(outcome);
        }
    }
}

/// Names a span; all bytes zero would name none.
fn span_id(seed: u64, number: u64) -> [u8; 8] {
    seed.wrapping_add(number).max(1).to_be_bytes()
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let finished = Finished {
            trace_id: self.trace_id,
            caller: self.caller,
            span_id: span_id(self.seed, 0),
            request: self.request,
            operation: self.operation,
            outcome: self.outcome.unwrap_or("given_up"),
            began_at: self.began_at,
            took: self.began.elapsed(),
            stages: std::mem::take(&mut *self.stages.lock().unwrap_or_else(PoisonError::into_inner)),
        };
        if self.queue.try_send(finished).is_err() {
            self.metrics.traces.are(TraceOutcome::Dropped, 1);
        }
    }
}

#[cfg(test)]
mod tests;
