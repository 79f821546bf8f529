//! What carries the lines of the log to one device.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use vault_core::audit::{Device, LogPosition};

use super::outbox::{self, Batch, PlaceFile};
use super::{DeviceRules, Rhythm, Sink, Standing, blocking, open, rhythm};
use crate::metrics::Metrics;

/// First pause after a failure; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(250);

/// Longest pause after a failure.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long after a failure to write a place down that is tried again.
const STORE_FAILURE_PAUSE: Duration = Duration::from_secs(60);

/// Carries lines to one device.
pub(super) struct Courier {
    device: Device,
    rules: DeviceRules,
    log: PathBuf,
    /// How far the log is durable.
    end: watch::Receiver<LogPosition>,
    /// Whether the device is to end.
    stopped: watch::Receiver<bool>,
    /// The number of the next record, for whoever wants to know.
    next: Arc<AtomicU64>,
    metrics: Option<Arc<Metrics>>,
    rhythm: &'static Rhythm,
    failures: u32,
    /// The bounds of a batch that may not have arrived: if it comes again, it comes as it was.
    tried: Option<(LogPosition, LogPosition)>,
}

/// How far a device is.
struct Place {
    file: PlaceFile,
    /// All before it has arrived.
    settled: LogPosition,
    /// All before it was written.
    written: LogPosition,
    /// What was written by then; it has arrived some time later.
    mark: Option<(Instant, LogPosition)>,
    /// What the file says, and since when.
    stored: Option<(LogPosition, Instant)>,
}

impl Place {
    const fn at(file: PlaceFile, position: LogPosition) -> Self {
        Self { file, settled: position, written: position, mark: None, stored: None }
    }

    fn wrote(&mut self, to: LogPosition) {
        self.written = to;
        self.mark.get_or_insert((Instant::now(), to));
    }

    fn settle(&mut self, to: LogPosition) {
        self.settled = to;
        self.mark = (self.written != to).then(|| (Instant::now(), self.written));
    }

    /// Tells when the mark can settle.
    fn settles_at(&self, after: Duration) -> Option<Instant> {
        self.mark.map(|(at, _)| at + after)
    }

    /// Tells when the file is to be written; none if it says what it should.
    fn store_at(&self, interval: Duration) -> Option<Instant> {
        match self.stored {
            Some((place, _)) if place == self.settled => None,
            Some((_, at)) => Some(at + interval),
            None => Some(Instant::now()),
        }
    }

    /// Writes the place down. A failure means that lines come twice one day, and nothing else.
    async fn store(&mut self) {
        let (file, settled) = (self.file.clone(), self.settled);
        match blocking(move || file.store(settled)).await {
            Ok(()) => self.stored = Some((settled, Instant::now())),
            Err(reason) => {
                tracing::warn!("the place of an audit device in the log: {reason}");
                let before = self.stored.map_or_else(LogPosition::default, |(place, _)| place);
                self.stored = Some((before, Instant::now() + STORE_FAILURE_PAUSE));
            }
        }
    }
}

impl Courier {
    pub(super) fn new(
        (device, rules): (Device, DeviceRules),
        log: &Path,
        (end, stopped): (watch::Receiver<LogPosition>, watch::Receiver<bool>),
        (next, metrics): (Arc<AtomicU64>, Option<Arc<Metrics>>),
    ) -> Self {
        let (log, rhythm) = (log.to_owned(), rhythm(&device.target));
        Self { device, rules, log, end, stopped, next, metrics, rhythm, failures: 0, tried: None }
    }

    /// Carries lines until the device is to end.
    pub(super) async fn run(mut self, file: PlaceFile) {
        let mut from = None;
        while !self.is_stopped() {
            let mut sink = None;
            let place = match self.begin(&file, from).await {
                Ok(place) => place,
                Err(reason) => {
                    self.failed(&reason).await;
                    continue;
                }
            };
            let mut place = Place::at(file.clone(), place);
            let outcome = self.carry(&mut place, &mut sink).await;
            from = Some(place.settled);
            self.next.store(place.settled.number, Ordering::Relaxed);
            if let Err(reason) = outcome {
                // The other end learns of it before the pause.
                drop(sink);
                self.failed(&reason).await;
            }
        }
    }

    fn is_stopped(&self) -> bool {
        // Whoever could stop it is gone when the log is.
        *self.stopped.borrow() || self.stopped.has_changed().is_err() || self.end.has_changed().is_err()
    }

    /// Finds where to read on: behind what has arrived, else where the device was when it ended, else where it was enabled.
    async fn begin(&self, file: &PlaceFile, from: Option<LogPosition>) -> Result<LogPosition, String> {
        let end = *self.end.borrow();
        let (file, log, since) = (file.clone(), self.log.clone(), self.device.since);
        let found = blocking(move || {
            let wanted = from.or_else(|| file.read()).or(since).unwrap_or(end);
            outbox::locate(&log, wanted, end).map(|found| (wanted, found))
        });
        let (wanted, found) = found.await?;
        if wanted != found {
            let (device, from) = (self.device.path.as_str(), found.number);
            tracing::warn!(device, from, "the audit log is not as a device has left it; lines may come again");
        }
        self.next.store(found.number, Ordering::Relaxed);
        Ok(found)
    }

    /// Carries lines until something goes wrong or the device is to end.
    async fn carry(&mut self, place: &mut Place, sink: &mut Option<Box<dyn Sink>>) -> Result<(), String> {
        while !self.is_stopped() {
            if place.store_at(self.rhythm.store_interval).is_some_and(|at| at <= Instant::now()) {
                place.store().await;
            }
            let end = *self.end.borrow_and_update();
            if place.written.number < end.number {
                *sink = self.write_on(place, sink.take(), end).await?;
            } else {
                let settles_at = sink.as_ref().and_then(|sink| place.settles_at(sink.settles_after()));
                self.idle(settles_at.into_iter().chain(place.store_at(self.rhythm.store_interval)).min()).await;
            }
            if let Some(open) = sink
                && let Some((_, marked)) = place.mark
                && place.settles_at(open.settles_after()).is_some_and(|at| at <= Instant::now())
            {
                open.settle().await?;
                place.settle(marked);
                self.failures = 0;
            }
        }
        // Written down before the end is waited for, as there is a limit to that.
        place.store().await;
        if let Some(open) = sink
            && place.mark.is_some()
            && open.finish().await.is_ok()
        {
            place.settle(place.written);
            place.store().await;
        }
        Ok(())
    }

    /// Writes the next batch and gives the sink back, unless its other end has closed.
    async fn write_on(
        &mut self,
        place: &mut Place,
        open_before: Option<Box<dyn Sink>>,
        end: LogPosition,
    ) -> Result<Option<Box<dyn Sink>>, String> {
        let is_new = open_before.is_none();
        let mut sink = match open_before {
            Some(sink) => sink,
            None => open(&self.device.target, &self.rules).await?,
        };
        match sink.standing().await? {
            Standing::Open => {}
            Standing::Ended if is_new => return Err("the other end closes at once".to_owned()),
            Standing::Ended => {
                if place.mark.is_some() {
                    self.wait_until(Instant::now() + sink.settles_after()).await;
                    sink.settle().await?;
                }
                // Stopped before that, what was written since has not settled.
                if !self.is_stopped() {
                    place.settle(place.written);
                }
                return Ok(None);
            }
        }
        let end = match self.tried.filter(|(start, _)| *start == place.written) {
            Some((_, tried)) => tried,
            None => self.gather(place.written, end).await,
        };
        if self.is_stopped() {
            return Ok(Some(sink));
        }
        let (log, from, prefix) = (self.log.clone(), place.written, self.device.prefix.clone());
        let limits = self.rhythm.limits;
        let batch: Batch = blocking(move || outbox::read(&log, from, end, limits, &prefix)).await?;
        self.tried = Some((batch.start, batch.end));
        sink.write(&batch).await?;
        self.tried = None;
        place.wrote(batch.end);
        self.next.store(batch.end.number, Ordering::Relaxed);
        Ok(Some(sink))
    }

    /// Waits for more records to be sent together, up to the bounds of a batch or a time.
    async fn gather(&mut self, from: LogPosition, mut end: LogPosition) -> LogPosition {
        let Rhythm { limits, wait, .. } = self.rhythm;
        let deadline = Instant::now() + *wait;
        while end.number - from.number < limits.records_max
            && end.offset_bytes.saturating_sub(from.offset_bytes) < limits.bytes_max
            && Instant::now() < deadline
            && !self.is_stopped()
        {
            tokio::select! {
                _ = self.stopped.changed() => {}
                _ = self.end.changed() => {}
                () = sleep_until(deadline) => {}
            }
            end = *self.end.borrow_and_update();
        }
        end
    }

    /// Waits until there are lines, something is due, or the device is to end.
    async fn idle(&mut self, due: Option<Instant>) {
        let wake = async {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.stopped.changed() => {}
            _ = self.end.changed() => {}
            () = wake => {}
        }
    }

    async fn wait_until(&mut self, at: Instant) {
        tokio::select! {
            _ = self.stopped.changed() => {}
            () = sleep_until(at) => {}
        }
    }

    /// Tells of the first failure, and then ever more rarely; pauses longer and longer.
    async fn failed(&mut self, reason: &str) {
        self.failures = self.failures.saturating_add(1);
        if let Some(metrics) = &self.metrics {
            metrics.sink_failed(self.device.target.kind());
        }
        let (device, failures) = (self.device.path.as_str(), self.failures);
        if failures.is_power_of_two() {
            tracing::error!(device, failures, "an audit device cannot be written: {reason}");
        }
        let doubled = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
        let pause = PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX);
        tokio::select! {
            _ = self.stopped.changed() => {}
            () = sleep(pause) => {}
        }
    }
}
