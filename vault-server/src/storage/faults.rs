//! A decorator that fails on command, to show what the driver does when a disk does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use vault_core::flow::Committed;
use vault_core::id::Revision;
use vault_core::store::{Batch, FolderId, Listed, Row, RowKey};

use super::{Answer, CommitError, Dump, Rows, Storage, StorageError};

/// Passes calls on to another store, except those that the plan lets fail.
pub struct FaultyStorage {
    inner: Arc<dyn Storage>,
    plan: Arc<Faults>,
}

/// What fails. Shared with the test, which changes it as it goes.
#[derive(Default)]
pub struct Faults {
    /// While set, every read fails.
    pub reads_fail: AtomicBool,
    /// While set, every commit and every replacement fails and does nothing.
    pub commits_fail: AtomicBool,
    /// Commits still to be done whose answer is then lost: the caller is told that they failed.
    pub answers_to_lose: AtomicU64,
    /// While set, the loss of an answer makes every read from then on fail.
    pub losing_blinds: AtomicBool,
    /// Commits asked for so far.
    pub commits: AtomicU64,
}

impl FaultyStorage {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn Storage>, plan: Arc<Faults>) -> Self {
        Self { inner, plan }
    }

    fn check_read(&self) -> Result<(), StorageError> {
        if self.plan.reads_fail.load(Ordering::SeqCst) { Err(broken("reading")) } else { Ok(()) }
    }
}

fn broken(doing: &str) -> StorageError {
    StorageError::Io { what: format!("{doing}: injected fault") }
}

impl Storage for FaultyStorage {
    fn get<'a>(&'a self, key: &'a RowKey) -> Answer<'a, Result<Option<Row>, StorageError>> {
        Box::pin(async move {
            self.check_read()?;
            self.inner.get(key).await
        })
    }

    fn list<'a>(
        &'a self,
        folder: FolderId,
        after: Option<RowKey>,
        limit: usize,
    ) -> Answer<'a, Result<Vec<Listed>, StorageError>> {
        Box::pin(async move {
            self.check_read()?;
            self.inner.list(folder, after, limit).await
        })
    }

    fn commit(&self, batch: Batch) -> Answer<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            self.plan.commits.fetch_add(1, Ordering::SeqCst);
            if self.plan.commits_fail.load(Ordering::SeqCst) {
                return Err(broken("writing").into());
            }
            let committed = self.inner.commit(batch).await?;
            let one_less = |left: u64| left.checked_sub(1);
            match self.plan.answers_to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
                Ok(_) => {
                    let blind = self.plan.losing_blinds.load(Ordering::SeqCst);
                    self.plan.reads_fail.fetch_or(blind, Ordering::SeqCst);
                    Err(broken("answering").into())
                }
                Err(_) => Ok(committed),
            }
        })
    }

    fn revision(&self) -> Answer<'_, Result<Revision, StorageError>> {
        Box::pin(async move {
            self.check_read()?;
            self.inner.revision().await
        })
    }

    fn dump(&self) -> Answer<'_, Result<Dump, StorageError>> {
        Box::pin(async move {
            self.check_read()?;
            let mut dump = self.inner.dump().await?;
            // A disk may also fail in the middle of it.
            let plan = Arc::clone(&self.plan);
            let fails = move || plan.reads_fail.load(Ordering::SeqCst);
            dump.rows = Box::new(dump.rows.map(move |row| if fails() { Err(broken("reading")) } else { row }));
            Ok(dump)
        })
    }

    fn replace(&self, rows: Rows) -> Answer<'_, Result<Revision, StorageError>> {
        Box::pin(async move {
            if self.plan.commits_fail.load(Ordering::SeqCst) {
                return Err(broken("replacing"));
            }
            self.inner.replace(rows).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::conformance;
    use crate::storage::memory::MemoryStorage;

    #[tokio::test]
    async fn conforms_while_nothing_fails() {
        let plan = Arc::new(Faults::default());
        conformance::run(Arc::new(FaultyStorage::new(Arc::new(MemoryStorage::default()), plan))).await;
    }

    #[tokio::test]
    async fn fails_as_planned() {
        let plan = Arc::new(Faults::default());
        let storage = FaultyStorage::new(Arc::new(MemoryStorage::default()), Arc::clone(&plan));
        let nothing = || Batch::danger_assemble(Vec::new(), Vec::new());
        plan.answers_to_lose.store(1, Ordering::SeqCst);
        assert!(storage.commit(nothing()).await.is_err());
        assert_eq!(storage.commit(nothing()).await.unwrap().revision().0, 2, "the lost one was done");
        plan.commits_fail.store(true, Ordering::SeqCst);
        assert!(storage.commit(nothing()).await.is_err());
        assert_eq!(plan.commits.load(Ordering::SeqCst), 3);
        assert!(storage.replace(Box::new(std::iter::empty())).await.is_err());
        assert!(storage.dump().await.is_ok());
        plan.reads_fail.store(true, Ordering::SeqCst);
        assert!(storage.dump().await.is_err());
    }
}
