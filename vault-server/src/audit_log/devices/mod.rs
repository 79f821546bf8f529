//! Devices that copy the durable lines of the log: they follow it and never hold it up.
//!
//! The log itself is the outbox: a device reads on in it from where it was, so that one that was down, or a server that was
//! killed, catches up. Each line arrives at least once and in order. An administrator of the vault decides which
//! devices there are, and whoever runs the server decides where they may write: [`DeviceRules`].
//!
//! How to add one: a file with a type that implements [`Sink`], an arm in [`open`], and a line in the table of kinds
//! (`vault-core/src/audit/kinds.rs`).

mod courier;
mod file;
mod outbox;
mod rfc5424;
mod socket;
mod stdout;
mod stream;
mod syslog;
mod syslog_tls;
mod webhook;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use vault_core::audit::{Device, LogPosition, Target, device_kinds};

use crate::config::DeviceWebhookSettings;
use crate::metrics::Metrics;
use courier::Courier;
use outbox::{Batch, BatchLimits, PlaceFile};

/// Longest time that devices have to end what they are at when the vault is sealed; then they are ended, and what was not
/// known to have arrived comes again.
const STOP_MAX: Duration = Duration::from_secs(2);

/// How much is carried to a device at once, and how often.
struct Rhythm {
    /// Bounds of a batch.
    limits: BatchLimits,
    /// How long records wait for others to be carried with.
    wait: Duration,
    /// How often the place of the device is written down.
    store_interval: Duration,
}

/// The rhythm of what takes lines as they come.
static LINES: Rhythm = Rhythm {
    limits: BatchLimits { records_max: 1_000, bytes_max: 64 << 10 },
    wait: Duration::ZERO,
    store_interval: Duration::from_secs(1),
};

/// The rhythm of what takes batches. Its place is written down after each, so that few that were taken come again.
static BATCHES: Rhythm = Rhythm {
    limits: BatchLimits { records_max: 1_000, bytes_max: 1 << 20 },
    wait: Duration::from_millis(500),
    store_interval: Duration::ZERO,
};

/// Where devices may write.
#[derive(Clone, Debug, Default)]
pub struct DeviceRules {
    /// The folder that files may be made in; none may be made without it.
    pub directory: Option<PathBuf>,
    /// Addresses that sockets may be opened to.
    pub addresses: Vec<String>,
    /// Authorities of collectors, in PEM; those of the system if left out.
    pub authorities: Option<PathBuf>,
    /// Certificate and key, in PEM, that are shown to collectors.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Addresses that may be posted to.
    pub webhooks: Vec<DeviceWebhookSettings>,
}

/// The end of something that a sink does; what went wrong is a text for the log.
type Doing<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// How it stands with a sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// It takes more.
    Open,
    /// The other end has closed in order: it takes no more, and has read what it got before.
    Ended,
}

/// Something that lines are copied to.
trait Sink: Send {
    /// Writes whole lines.
    fn write<'a>(&'a mut self, batch: &'a Batch) -> Doing<'a>;

    /// Tells after how long lines that were written have arrived, if [`Sink::settle`] finds no trouble then.
    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }

    /// Finds out whether what was written some time ago has arrived.
    fn settle(&mut self) -> Doing<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Looks whether it takes more.
    fn standing(&mut self) -> Doing<'_, Standing> {
        Box::pin(std::future::ready(Ok(Standing::Open)))
    }

    /// Makes sure that all has arrived, as nothing more will be written.
    fn finish(&mut self) -> Doing<'_> {
        self.settle()
    }

    /// Tries, without writing anything, whether it could be written to.
    fn probe(&mut self) -> Doing<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Opens what a device writes to.
async fn open(target: &Target, rules: &DeviceRules) -> Result<Box<dyn Sink>, String> {
    match target {
        Target::File { path } if path == "stdout" => Ok(Box::new(stdout::Standard)),
        Target::File { path } => file::open(path, rules),
        Target::Socket { kind, address } => socket::open(kind, address, rules).await,
        Target::Syslog { facility, tag } => syslog::open(facility, tag),
        Target::SyslogTls { address, facility, tag } => syslog_tls::open(address, facility, tag, rules).await,
        Target::Webhook { url } => webhook::open(url, rules).await,
    }
}

/// Tells how much is carried to a device at once, and how often.
fn rhythm(target: &Target) -> &'static Rhythm {
    match target {
        Target::Webhook { .. } => &BATCHES,
        Target::File { .. } | Target::Socket { .. } | Target::Syslog { .. } | Target::SyslogTls { .. } => &LINES,
    }
}

/// Does something that may wait for a disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Does something within a time.
async fn in_time<T>(longest: Duration, work: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    let done = tokio::time::timeout(longest, work).await.unwrap_or_else(|_| Err(stream::too_slow()));
    done.map_err(|error| error.to_string())
}

/// The devices that follow the log now.
#[derive(Clone)]
pub(crate) struct Followers {
    shared: Arc<Shared>,
}

struct Shared {
    /// The log; none if it is no file.
    log: Option<PathBuf>,
    /// How far the log is durable: nothing behind it is ever read, as it may be cut back.
    end: watch::Sender<LogPosition>,
    running: Mutex<BTreeMap<Device, Running>>,
    /// Where failures are counted, once somebody wants to know.
    metrics: OnceLock<Arc<Metrics>>,
}

struct Running {
    stop: watch::Sender<bool>,
    /// The number of the next record that it copies.
    next: Arc<AtomicU64>,
    place: PlaceFile,
    task: JoinHandle<()>,
}

impl Followers {
    /// Prepares to follow the log in this file, which is durable up to `end`.
    pub(super) fn of(log: Option<&Path>, end: LogPosition) -> Self {
        let (end, running, metrics) = (watch::Sender::new(end), Mutex::default(), OnceLock::new());
        Self { shared: Arc::new(Shared { log: log.map(Path::to_path_buf), end, running, metrics }) }
    }

    /// Tells how far the log is durable now.
    pub(super) fn advance(&self, number: u64, offset_bytes: u64) {
        self.shared.end.send_replace(LogPosition { number, offset_bytes });
    }

    /// Counts failures from now on.
    pub(super) fn measure_with(&self, metrics: Arc<Metrics>) {
        // A second vault over the same log goes on counting where the first did.
        let _ = self.shared.metrics.set(metrics);
    }

    /// Shows for each kind how far the last of its devices is behind.
    pub(crate) fn measure(&self, metrics: &Metrics) {
        let end = self.shared.end.borrow().number;
        let running = self.running();
        for kind in device_kinds() {
            let own = running.iter().filter(|(device, _)| device.target.kind() == kind);
            let lag = own.map(|(_, one)| end.saturating_sub(one.next.load(Ordering::Relaxed))).max();
            metrics.sink_lags(kind, lag.unwrap_or_default());
        }
    }

    /// Tells whether a device could be written to now, and where the log ends.
    ///
    /// # Errors
    /// Answers with the reason.
    pub(crate) async fn check(&self, target: &Target, rules: &DeviceRules) -> Result<LogPosition, String> {
        open(target, rules).await?.probe().await?;
        Ok(*self.shared.end.borrow())
    }

    /// Starts the devices that are new and ends those that are gone.
    pub(crate) fn follow(&self, devices: &[Device], rules: &DeviceRules) {
        let Some(log) = &self.shared.log else {
            if !devices.is_empty() {
                tracing::error!("the audit log is no file, so that no device can follow it");
            }
            return;
        };
        let mut running = self.running();
        running.retain(|device, one| {
            let stays = devices.contains(device);
            if !stays {
                one.task.abort();
                one.place.remove();
            }
            stays
        });
        for device in devices {
            running.entry(device.clone()).or_insert_with(|| self.start(device, rules, log));
        }
        let places: Vec<PlaceFile> = running.values().map(|one| one.place.clone()).collect();
        drop(running);
        PlaceFile::remove_others(log, &places);
    }

    fn start(&self, device: &Device, rules: &DeviceRules, log: &Path) -> Running {
        let (stop, stopped) = watch::channel(false);
        let end = self.shared.end.subscribe();
        let next = Arc::new(AtomicU64::new(end.borrow().number));
        let place = PlaceFile::of(log, device);
        let metrics = self.shared.metrics.get().cloned();
        let courier = Courier::new((device.clone(), rules.clone()), log, (end, stopped), (Arc::clone(&next), metrics));
        Running { stop, next, place: place.clone(), task: tokio::spawn(courier.run(place)) }
    }

    /// Ends all devices, and gives them a moment to make sure that what they wrote has arrived.
    pub(crate) async fn stop(&self) {
        self.stop_within(STOP_MAX).await;
    }

    async fn stop_within(&self, longest: Duration) {
        let ending = std::mem::take(&mut *self.running());
        for one in ending.values() {
            // One that has ended by itself no longer listens.
            let _ = one.stop.send(true);
        }
        let deadline = tokio::time::Instant::now() + longest;
        for (device, mut one) in ending {
            if tokio::time::timeout_at(deadline, &mut one.task).await.is_err() {
                tracing::warn!(device = device.path, "an audit device is cut off; its last lines may come again");
                one.task.abort();
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Device, Running>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
