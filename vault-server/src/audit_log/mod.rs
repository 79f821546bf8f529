//! The audit log on disk: JSON lines, made durable in groups before any of their effects.
//!
//! Callers put their line into a shared buffer and wait. One thread writes what has gathered, syncs once, and tells
//! all of them. If writing or syncing fails, everybody who waits is refused and the file is cut back to its last durable
//! line; the next record tries again, so service comes back by itself when the disk does.

pub mod devices;
mod file;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use vault_core::audit::Record;
use vault_core::flow::Durable;

use crate::metrics::Metrics;
use devices::Followers;
pub use file::LogFile;

/// Most bytes that may wait for the disk; a caller beyond it is refused.
const PENDING_BYTES_MAX: usize = 64 << 20;

/// Groups of at least this many callers are waited for: as many are likely to come again, and each sync that they
/// share saves the machine one.
const GATHER_FROM: usize = 4;

/// Longest wait for a group to gather; about what one sync takes.
const GATHER_MAX: Duration = Duration::from_micros(250);

/// Longest time that an outcome waits for a record to share its sync with.
const OUTCOME_WAIT_MAX: Duration = Duration::from_millis(100);

/// Why a record could not be made durable: nothing may be served.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the audit log cannot be written: {what}")]
pub struct AuditLogError {
    /// What failed.
    pub what: String,
}

/// Where lines go: a file, or something that fails on command in tests.
pub trait LogSink: Send {
    /// Appends whole lines and returns once they are on stable storage.
    ///
    /// # Errors
    /// After an error nothing is known about the end of the file; [`LogSink::restore`] is called before the next try.
    fn append(&mut self, lines: &[u8]) -> std::io::Result<()>;

    /// Brings the file back to what was durable before the error.
    ///
    /// # Errors
    /// Fails as long as the file cannot be used.
    fn restore(&mut self) -> std::io::Result<()>;
}

/// Appends records. Dropping it writes what waits and ends its thread.
pub struct AuditLog {
    shared: Arc<Shared>,
    followers: Followers,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    /// Where writes are counted, once somebody wants to know.
    metrics: OnceLock<Arc<Metrics>>,
}

struct State {
    lines: Vec<u8>,
    waiting: Vec<Waiting>,
    /// How many must wait before the thread is woken.
    wake_at: usize,
    /// The number of the next record.
    next: u64,
    /// The first number that is not yet durable.
    durable: u64,
    closing: bool,
}

struct Waiting {
    number: u64,
    answer: oneshot::Sender<Result<Durable, AuditLogError>>,
}

impl AuditLog {
    /// Opens or makes the log at `path`. A line that a crash cut short is removed.
    ///
    /// # Errors
    /// Answers [`AuditLogError`] when the file cannot be used or is no log.
    pub fn open(path: &Path) -> Result<Self, AuditLogError> {
        let (file, next) =
            LogFile::open(path).map_err(|error| AuditLogError { what: format!("{}: {error}", path.display()) })?;
        Self::start(Box::new(file), next)
    }

    /// Starts a log whose next record has the number `next`.
    ///
    /// # Errors
    /// Answers [`AuditLogError`] when the thread cannot be started.
    pub fn start(sink: Box<dyn LogSink>, next: u64) -> Result<Self, AuditLogError> {
        let state = State { lines: Vec::new(), waiting: Vec::new(), wake_at: 1, next, durable: next, closing: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), metrics: OnceLock::new() });
        let (own, followers) = (Arc::clone(&shared), Followers::default());
        let told = followers.clone();
        let thread = std::thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || own.write_all(sink, &told))
            .map_err(|error| AuditLogError { what: format!("its thread cannot be started: {error}") })?;
        Ok(Self { shared, followers, thread: Some(thread) })
    }

    /// Counts writes from now on.
    pub(crate) fn measure_with(&self, metrics: Arc<Metrics>) {
        // A second vault over the same log goes on counting where the first did.
        let _ = self.shared.metrics.set(metrics);
    }

    /// Gives the devices that copy the log.
    pub(crate) const fn followers(&self) -> &Followers {
        &self.followers
    }

    /// Appends a record and answers once it is on stable storage.
    ///
    /// # Errors
    /// Answers [`AuditLogError`] when it cannot be written; then nothing of the request may happen.
    pub async fn append_durable(&self, record: Record) -> Result<Durable, AuditLogError> {
        let (answer, outcome) = oneshot::channel();
        let wake = {
            let mut state = self.shared.lock();
            let number = state.put(&record)?;
            state.waiting.push(Waiting { number, answer });
            state.waiting.len() == state.wake_at
        };
        if wake {
            self.shared.work.notify_one();
        }
        outcome.await.map_err(|_| AuditLogError { what: "its thread has ended".to_owned() })?
    }

    /// Appends a record that the next sync makes durable: the outcome of something whose intent already is.
    pub fn append(&self, record: Record) {
        let (first, put) = {
            let mut state = self.shared.lock();
            (state.lines.is_empty(), state.put(&record))
        };
        if let Err(error) = put {
            tracing::error!("an outcome is not on record: {error}");
        }
        if first {
            self.shared.work.notify_one();
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the audit log has panicked");
        }
    }
}

impl State {
    fn take(&mut self, lines: &mut Vec<u8>) -> (Vec<Waiting>, u64) {
        std::mem::swap(lines, &mut self.lines);
        (std::mem::take(&mut self.waiting), self.next)
    }

    fn put(&mut self, record: &Record) -> Result<u64, AuditLogError> {
        if self.lines.len() > PENDING_BYTES_MAX {
            return Err(AuditLogError { what: "too many records wait for the disk".to_owned() });
        }
        let number = self.next;
        self.next += 1;
        self.lines.extend_from_slice(format!("{{\"number\":{number},").as_bytes());
        self.lines.extend_from_slice(record.fields());
        self.lines.push(b'\n');
        Ok(number)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut sink: Box<dyn LogSink>, followers: &Followers) {
        let mut lines = Vec::new();
        let mut broken = false;
        let mut last_group = 0;
        while let Some((waiting, end)) = self.take(&mut lines, last_group) {
            last_group = waiting.len();
            let began = Instant::now();
            let written = if broken { sink.restore() } else { Ok(()) }.and_then(|()| sink.append(&lines));
            broken = written.is_err();
            if let Some(metrics) = self.metrics.get() {
                metrics.audit_seconds.observe(began.elapsed().as_secs_f64());
                match &written {
                    Ok(()) => drop(metrics.audit_records.inc_by(end.saturating_sub(self.lock().durable))),
                    Err(_) => drop(metrics.audit_failures.inc()),
                }
            }
            match written {
                Ok(()) => {
                    self.lock().durable = end;
                    for one in waiting {
                        // A caller that has gone away no longer wants to know.
                        let _ = one.answer.send(Ok(Durable::danger_vouch(one.number)));
                    }
                    followers.copy(&lines);
                }
                Err(error) => self.fail(waiting, &AuditLogError { what: error.to_string() }),
            }
            lines.clear();
        }
    }

    /// Waits for lines and takes them, with those who wait for them and the number after the last one; `None` when
    /// the log is closed and nothing is left.
    fn take(&self, lines: &mut Vec<u8>, last_group: usize) -> Option<(Vec<Waiting>, u64)> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closing {
            state = if state.lines.is_empty() {
                self.work.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let (mut state, waited) = self.wait(state, OUTCOME_WAIT_MAX);
                if waited {
                    return Some(state.take(lines));
                }
                state
            };
        }
        if state.lines.is_empty() {
            return None;
        }
        if last_group >= GATHER_FROM && state.waiting.len() < last_group && !state.closing {
            state.wake_at = last_group;
            state = self.wait(state, GATHER_MAX).0;
            state.wake_at = 1;
        }
        Some(state.take(lines))
    }

    /// Waits to be woken; tells whether the time ran out first.
    fn wait<'a>(&self, state: MutexGuard<'a, State>, longest: Duration) -> (MutexGuard<'a, State>, bool) {
        let (state, waited) = self.work.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner);
        (state, waited.timed_out())
    }

    /// Refuses those whose lines were not written, and those whose lines have gathered meanwhile, since their numbers
    /// follow on numbers that will be given again.
    fn fail(&self, waiting: Vec<Waiting>, error: &AuditLogError) {
        tracing::error!("{error}");
        let gathered = {
            let mut state = self.lock();
            state.lines.clear();
            state.next = state.durable;
            std::mem::take(&mut state.waiting)
        };
        for one in waiting.into_iter().chain(gathered) {
            // A caller that has gone away no longer wants to know.
            let _ = one.answer.send(Err(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use serde_json::Value;
    use vault_core::id::RequestId;
    use vault_core::time::Timestamp;

    use super::*;

    fn record(what: &str) -> Record {
        Record::of_housekeeping(what, RequestId([0; 16]), Timestamp(0))
    }

    fn numbers(text: &str) -> Vec<u64> {
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap()).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn records_are_on_disk_when_they_are_acknowledged_and_numbered_without_gaps() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let log = Arc::new(AuditLog::open(&path).unwrap());
        let tasks: Vec<_> = (0..200)
            .map(|task| {
                let (log, path) = (Arc::clone(&log), path.clone());
                tokio::spawn(async move {
                    let number = log.append_durable(record(&format!("task-{task}"))).await.unwrap().record_number();
                    let text = std::fs::read_to_string(path).unwrap();
                    let line = text.lines().nth(usize::try_from(number).unwrap()).unwrap();
                    assert!(line.contains(&format!("task-{task}\"")), "{line}");
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        log.append(record("last"));
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(numbers(&text).into_iter().eq(0..201));
        let again = AuditLog::open(&path).unwrap();
        assert_eq!(again.append_durable(record("again")).await.unwrap().record_number(), 201);
    }

    /// A sink that fails while told to.
    struct Failing {
        fails: Arc<AtomicBool>,
        text: Arc<Mutex<Vec<u8>>>,
        restored: Arc<AtomicUsize>,
    }

    impl LogSink for Failing {
        fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
            if self.fails.load(Ordering::SeqCst) {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.text.lock().unwrap().extend_from_slice(lines);
            Ok(())
        }

        fn restore(&mut self) -> std::io::Result<()> {
            self.restored.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_full_disk_refuses_and_service_comes_back_without_a_gap() {
        let (fails, text, restored) = (Arc::new(AtomicBool::new(false)), Arc::default(), Arc::default());
        let sink = Failing { fails: Arc::clone(&fails), text: Arc::clone(&text), restored: Arc::clone(&restored) };
        let log = AuditLog::start(Box::new(sink), 5).unwrap();
        assert_eq!(log.append_durable(record("a")).await.unwrap().record_number(), 5);
        fails.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            assert!(log.append_durable(record("b")).await.is_err());
        }
        fails.store(false, Ordering::SeqCst);
        assert_eq!(log.append_durable(record("c")).await.unwrap().record_number(), 6);
        drop(log);
        let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
        assert_eq!(numbers(&text), [5, 6]);
        assert!(!text.contains("\"b\""), "a refused record does not appear later");
        assert_eq!(restored.load(Ordering::SeqCst), 3, "the file is restored before each new try");
    }
}
