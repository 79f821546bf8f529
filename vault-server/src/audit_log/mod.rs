//! The audit log on disk: JSON lines, made durable in groups before any of their effects.
//!
//! Callers put their line into a shared buffer and wait. One thread writes what has gathered, syncs once, and tells
//! all of them. If writing or syncing fails, everybody who waits is refused and the file is cut back to its last durable
//! line; the next record tries again, so service comes back by itself when the disk does.
//!
//! The records are the leaves of a tree (crate `vault-log`). While the vault is open a signed checkpoint over all records
//! before it is appended as a record of its own, after so many records, after some time, and when the vault is sealed.

pub mod devices;
mod file;
mod growth;
mod lag;
mod tree_folder;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use vault_core::audit::{LogPosition, Record};
use vault_core::flow::Durable;
use vault_log::folder::TreeFolder;
use vault_log::proof::Receipt;

use crate::metrics::Metrics;
use devices::Followers;
pub use file::LogFile;
pub use growth::{CheckpointRecord, Checkpointer};
use growth::{Growth, ReceiptWanted};
use tree_folder::Grown;

/// Most bytes that may wait for the disk; a caller beyond it is refused.
const PENDING_BYTES_MAX: usize = 64 << 20;

/// Groups of at least this many callers are waited for: as many are likely to come again, and each sync that they
/// share saves the machine one.
const GATHER_FROM: usize = 4;

/// Longest wait for a group to gather; about what one sync takes.
const GATHER_MAX: Duration = Duration::from_micros(250);

/// Longest time that an outcome waits for a record to share its sync with.
const OUTCOME_WAIT_MAX: Duration = Duration::from_millis(100);

/// After how many records a checkpoint is due.
const CHECKPOINT_RECORDS: u64 = 1_000;

/// After how long a checkpoint is due over records that have none.
const CHECKPOINT_AGE: Duration = Duration::from_secs(10);

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

    /// Tells how long the file is up to its last durable line; zero where nobody goes on with it.
    fn length_bytes(&self) -> u64 {
        0
    }
}

/// Appends records. Dropping it writes what waits and ends its thread.
pub struct AuditLog {
    shared: Arc<Shared>,
    followers: Followers,
    tree: Option<TreeFolder>,
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
    /// Signs checkpoints while the vault is open.
    checkpointer: Option<Checkpointer>,
    /// The number after the last checkpoint, and when that was.
    checkpointed: (u64, Instant),
    /// Whether somebody waits for a checkpoint.
    checkpoint_wanted: bool,
    /// Who waits for the proof that their record is in the log.
    receipts: Vec<ReceiptWanted>,
}

/// What is to be written together.
struct Group {
    waiting: Vec<Waiting>,
    receipts: Vec<ReceiptWanted>,
    /// The number after the last line.
    end: u64,
    /// Signs a checkpoint behind the lines, with the number before `end`.
    checkpointer: Option<Checkpointer>,
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
        let broken = |error: std::io::Error| AuditLogError { what: format!("{}: {error}", path.display()) };
        let (file, next) = LogFile::open(path).map_err(broken)?;
        let grown = Grown::open(path).map_err(broken)?;
        let lines = grown.tree.size();
        if lines != next {
            let what = format!("{}: it has {lines} lines, the last with the number before {next}", path.display());
            return Err(AuditLogError { what });
        }
        let end = LogPosition { number: next, offset_bytes: file.length_bytes() };
        Self::run(Box::new(file), next, grown, Followers::of(Some(path), end))
    }

    /// Starts a log whose next record has the number `next`.
    ///
    /// # Errors
    /// Answers [`AuditLogError`] when the thread cannot be started.
    pub fn start(sink: Box<dyn LogSink>, next: u64) -> Result<Self, AuditLogError> {
        // Without the lines before there is no tree; checkpoints over it vouch for nothing, and so nobody signs any here.
        let end = LogPosition { number: next, offset_bytes: 0 };
        Self::run(sink, next, Grown::nowhere(), Followers::of(None, end))
    }

    fn run(sink: Box<dyn LogSink>, next: u64, grown: Grown, followers: Followers) -> Result<Self, AuditLogError> {
        let state = State {
            lines: Vec::new(),
            waiting: Vec::new(),
            wake_at: 1,
            next,
            durable: next,
            closing: false,
            checkpointer: None,
            checkpointed: (next, Instant::now()),
            checkpoint_wanted: false,
            receipts: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), metrics: OnceLock::new() });
        let (own, told, tree) = (Arc::clone(&shared), followers.clone(), grown.folder().cloned());
        let thread = std::thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || own.write_all(sink, &told, grown))
            .map_err(|error| AuditLogError { what: format!("its thread cannot be started: {error}") })?;
        Ok(Self { shared, followers, tree, thread: Some(thread) })
    }

    /// Gives what reads the tree over the log; a log that is no file has none.
    pub(crate) const fn tree(&self) -> Option<&TreeFolder> {
        self.tree.as_ref()
    }

    /// Counts writes from now on.
    pub(crate) fn measure_with(&self, metrics: Arc<Metrics>) {
        self.followers.measure_with(Arc::clone(&metrics));
        // A second vault over the same log goes on counting where the first did.
        let _ = self.shared.metrics.set(metrics);
    }

    /// Gives the devices that copy the log.
    pub(crate) const fn followers(&self) -> &Followers {
        &self.followers
    }

    /// Has checkpoints signed from now on.
    pub(crate) fn sign_with(&self, checkpointer: Checkpointer) {
        let mut state = self.shared.lock();
        state.checkpointer = Some(checkpointer);
        drop(state);
        self.shared.work.notify_one();
    }

    /// Signs a last checkpoint, and none from then on. Waits until it is on stable storage or cannot be written.
    pub(crate) async fn stop_signing(&self) {
        let answered = {
            let mut state = self.shared.lock();
            if state.checkpointer.is_none() || state.checkpointed.0 == state.next {
                state.checkpointer = None;
                return;
            }
            state.checkpoint_wanted = true;
            let (answer, answered) = oneshot::channel();
            let number = state.next;
            state.waiting.push(Waiting { number, answer });
            answered
        };
        self.shared.work.notify_one();
        // What cannot be written is told in the server's log.
        drop(answered.await);
        self.shared.lock().checkpointer = None;
    }

    /// Appends a record and answers once it is on stable storage.
    ///
    /// # Errors
    /// Answers [`AuditLogError`] when it cannot be written; then nothing of the request may happen.
    pub async fn append_durable(&self, record: Record) -> Result<Durable, AuditLogError> {
        self.append_for(record, None).await
    }

    async fn append_for(
        &self,
        record: Record,
        receipt: Option<oneshot::Sender<Receipt>>,
    ) -> Result<Durable, AuditLogError> {
        let (answer, outcome) = oneshot::channel();
        let wake = {
            let mut state = self.shared.lock();
            let number = state.put(&record)?;
            state.waiting.push(Waiting { number, answer });
            if let Some(answer) = receipt {
                state.checkpoint_wanted = true;
                state.receipts.push(ReceiptWanted { number, answer });
            }
            state.waiting.len() == state.wake_at
        };
        if wake {
            self.shared.work.notify_one();
        }
        outcome.await.map_err(|_| AuditLogError { what: "its thread has ended".to_owned() })?
    }

    /// Appends a record and answers once it is on stable storage, with a checkpoint signed over it in the same sync, and the
    /// proof that it is in the log. There is none where nobody signs or the tree cannot be written.
    ///
    /// # Errors
    /// Answers [`AuditLogError`] when it cannot be written; then nothing of the request may happen.
    pub async fn append_signed(&self, record: Record) -> Result<(Durable, Option<Receipt>), AuditLogError> {
        let (answer, receipt) = oneshot::channel();
        let durable = self.append_for(record, Some(answer)).await?;
        Ok((durable, receipt.await.ok()))
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
    fn take(&mut self, lines: &mut Vec<u8>) -> Group {
        std::mem::swap(lines, &mut self.lines);
        let waiting = std::mem::take(&mut self.waiting);
        let is_due = self.checkpoint_wanted || self.checkpoint_in().is_some_and(|left| left.is_zero());
        let checkpointer = self.checkpointer.clone().filter(|_| is_due && self.next > self.checkpointed.0);
        self.checkpoint_wanted = false;
        if checkpointer.is_some() {
            self.next += 1;
            self.checkpointed = (self.next, Instant::now());
        }
        Group { waiting, receipts: std::mem::take(&mut self.receipts), end: self.next, checkpointer }
    }

    /// Tells after how long a checkpoint is due; none if nobody signs, or all records have one.
    fn checkpoint_in(&self) -> Option<Duration> {
        let (number, at) = self.checkpointed;
        let without = self.next.saturating_sub(number);
        match &self.checkpointer {
            Some(_) if without >= CHECKPOINT_RECORDS => Some(Duration::ZERO),
            Some(_) if without > 0 => Some(CHECKPOINT_AGE.saturating_sub(at.elapsed())),
            _ => None,
        }
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

    fn write_all(&self, mut sink: Box<dyn LogSink>, followers: &Followers, mut grown: Grown) {
        let mut lines = Vec::new();
        let mut broken = false;
        let mut last_group = 0;
        while let Some(group) = self.take(&mut lines, last_group) {
            last_group = group.waiting.len();
            let began = Instant::now();
            let growth = Growth::of(&grown.tree, &mut lines, group.checkpointer.as_ref());
            let written = if broken { sink.restore() } else { Ok(()) }.and_then(|()| sink.append(&lines));
            broken = written.is_err();
            if let Some(metrics) = self.metrics.get() {
                metrics.audit_seconds.observe(began.elapsed().as_secs_f64());
                match &written {
                    Ok(()) => drop(metrics.audit_records.inc_by(group.end.saturating_sub(self.lock().durable))),
                    Err(_) => drop(metrics.audit_failures.inc()),
                }
            }
            match written {
                Ok(()) => {
                    self.lock().durable = group.end;
                    followers.advance(group.end, sink.length_bytes());
                    // Whoever is answered finds the checkpoint and the tree as they are now.
                    growth.keep(&mut grown, sink.length_bytes(), group.receipts);
                    for one in group.waiting {
                        // A caller that has gone away no longer wants to know.
                        let _ = one.answer.send(Ok(Durable::danger_vouch(one.number)));
                    }
                }
                Err(error) => self.fail(group.waiting, &AuditLogError { what: error.to_string() }),
            }
            lines.clear();
        }
    }

    /// Waits for lines, or until a checkpoint is due, and takes what is there; `None` when the log is closed and nothing is
    /// left.
    fn take(&self, lines: &mut Vec<u8>, last_group: usize) -> Option<Group> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closing {
            let until = match (state.lines.is_empty(), state.checkpoint_in()) {
                (true, None) => None,
                (true, due) => due,
                (false, due) => Some(due.unwrap_or(OUTCOME_WAIT_MAX).min(OUTCOME_WAIT_MAX)),
            };
            let Some(until) = until else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (again, waited) = self.wait(state, until);
            state = again;
            if waited {
                return Some(state.take(lines));
            }
        }
        if state.lines.is_empty() && state.waiting.is_empty() {
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
            state.checkpointed.0 = state.checkpointed.0.min(state.durable);
            state.receipts.clear();
            std::mem::take(&mut state.waiting)
        };
        for one in waiting.into_iter().chain(gathered) {
            // A caller that has gone away no longer wants to know.
            let _ = one.answer.send(Err(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
