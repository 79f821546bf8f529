//! The one thread that writes.

use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot};
use vault_core::flow::Committed;
use vault_core::id::Revision;
use vault_core::store::{Batch, Expect, RowKey, RowKind, Write};

use super::{io, replace};
use crate::storage::{CommitError, Rows, StorageError};

/// Jobs that may wait; each batch is held in memory, and a caller beyond this is told to come back.
const QUEUE_MAX: usize = 1_024;

/// Batches that share one transaction: more would let the first ones wait long for a slow disk.
const GROUP_MAX: usize = 256;

type Outcome = Result<Committed, CommitError>;

struct Waiting {
    batch: Batch,
    answer: oneshot::Sender<Outcome>,
}

struct Replacement {
    rows: Rows,
    answer: oneshot::Sender<Result<Revision, StorageError>>,
}

enum Job {
    Commit(Waiting),
    Replace(Replacement),
}

/// The way to the writing thread; dropping it ends the thread once everything that waits is written.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection) -> Result<Self, StorageError> {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_all(connection, waiting))
            .map_err(|error| StorageError::Io { what: format!("starting the writer: {error}") })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands a batch to the thread and waits until it is on disk.
    pub(super) async fn commit(&self, batch: Batch) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        self.hand_over(Job::Commit(Waiting { batch, answer }))?;
        outcome.await.map_err(|_| ended())?
    }

    /// Hands a replacement of all rows to the thread and waits until it is on disk.
    pub(super) async fn replace(&self, rows: Rows) -> Result<Revision, StorageError> {
        let (answer, outcome) = oneshot::channel();
        self.hand_over(Job::Replace(Replacement { rows, answer }))?;
        outcome.await.map_err(|_| ended())?
    }

    fn hand_over(&self, job: Job) -> Result<(), StorageError> {
        self.queue.as_ref().ok_or_else(ended)?.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StorageError::Busy,
            mpsc::error::TrySendError::Closed(_) => ended(),
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the store has panicked");
        }
    }
}

fn ended() -> StorageError {
    StorageError::Io { what: "the writer has ended".to_owned() }
}

fn write_all(mut connection: Connection, mut jobs: mpsc::Receiver<Job>) {
    let mut taken = Vec::with_capacity(GROUP_MAX);
    while jobs.blocking_recv_many(&mut taken, GROUP_MAX) > 0 {
        let mut group = Vec::with_capacity(taken.len());
        for job in taken.drain(..) {
            match job {
                Job::Commit(waiting) => group.push(waiting),
                Job::Replace(Replacement { rows, answer }) => {
                    commit_group(&mut connection, std::mem::take(&mut group));
                    let _ = answer.send(replace::replace(&mut connection, rows));
                }
            }
        }
        commit_group(&mut connection, group);
    }
}

fn commit_group(connection: &mut Connection, group: Vec<Waiting>) {
    if group.is_empty() {
        return;
    }
    let (batches, answers): (Vec<_>, Vec<_>) = group.into_iter().map(|one| (one.batch, one.answer)).unzip();
    let outcomes = match write_group(connection, batches) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            let failed = io("writing", &error);
            answers.iter().map(|_| Err(CommitError::Storage(failed.clone()))).collect()
        }
    };
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        // A caller that has gone away no longer wants to know.
        let _ = answer.send(outcome);
    }
}

/// Commits a group as one transaction. Each batch sees those before it; one whose expectations fail is left out.
fn write_group(connection: &mut Connection, batches: Vec<Batch>) -> rusqlite::Result<Vec<Outcome>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last: i64 = transaction.query_row("SELECT revision FROM state", [], |row| row.get(0))?;
    let mut revision = last;
    let mut outcomes = Vec::with_capacity(batches.len());
    for batch in batches {
        let (expects, writes) = batch.into_parts();
        match failed(&transaction, &expects)? {
            Some(key) => outcomes.push(Err(CommitError::Conflict { key })),
            None => {
                revision += 1;
                write(&transaction, revision, writes)?;
                outcomes.push(Ok(Committed::danger_vouch(Revision(revision.cast_unsigned()))));
            }
        }
    }
    if revision != last {
        transaction.prepare_cached("UPDATE state SET revision = ?1")?.execute(params![revision])?;
    }
    transaction.commit()?;
    Ok(outcomes)
}

/// Finds the first expectation that does not hold.
fn failed(connection: &Connection, expects: &[Expect]) -> rusqlite::Result<Option<RowKey>> {
    for expect in expects {
        let (key, holds) = match expect {
            Expect::Unchanged { key, revision } => {
                let mut statement = connection.prepare_cached("SELECT revision FROM rows WHERE key = ?1")?;
                let found: Option<i64> = statement.query_row(params![key.as_bytes()], |row| row.get(0)).optional()?;
                (key, found.map(|found| Revision(found.cast_unsigned())) == *revision)
            }
            Expect::OnlyRow { key } => {
                let mut statement = connection
                    .prepare_cached("SELECT 1 FROM rows WHERE key >= ?1 AND key <= ?2 AND key <> ?3 LIMIT 1")?;
                let first = RowKey::new(key.folder(), RowKind::Entry, [0; 16]);
                let last = RowKey::new(key.folder(), RowKind::Folder, [0xff; 16]);
                (key, !statement.exists(params![first.as_bytes(), last.as_bytes(), key.as_bytes()])?)
            }
        };
        if !holds {
            return Ok(Some(*key));
        }
    }
    Ok(None)
}

fn write(connection: &Connection, revision: i64, writes: Vec<Write>) -> rusqlite::Result<()> {
    for write in writes {
        match write {
            Write::Put { key, label, value } => {
                let mut statement = connection.prepare_cached(
                    "INSERT OR REPLACE INTO rows (key, revision, label, value) VALUES (?1, ?2, ?3, ?4)",
                )?;
                let (label, value): (&[u8], &[u8]) = (&label, &value);
                statement.execute(params![key.as_bytes(), revision, label, value])?;
            }
            Write::Delete { key } => {
                connection.prepare_cached("DELETE FROM rows WHERE key = ?1")?.execute(params![key.as_bytes()])?;
            }
        }
    }
    Ok(())
}
