//! A decorator that counts commits and how long they take.

use std::sync::Arc;
use std::time::Instant;

use vault_core::flow::Committed;
use vault_core::id::Revision;
use vault_core::store::{Batch, FolderId, Listed, Row, RowKey};

use super::{Answer, CommitError, Dump, Rows, Storage, StorageError};
use crate::metrics::{CommitOutcome, Metrics};

/// Counts what is committed to another store.
pub(crate) struct MeteredStorage {
    inner: Arc<dyn Storage>,
    metrics: Arc<Metrics>,
}

impl MeteredStorage {
    /// Counts the commits of `inner`.
    pub(crate) fn new(inner: Arc<dyn Storage>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }

    fn tell(&self, revision: Revision) {
        self.metrics.store_revision.set(i64::try_from(revision.0).unwrap_or(i64::MAX));
    }
}

impl Storage for MeteredStorage {
    fn get<'a>(&'a self, key: &'a RowKey) -> Answer<'a, Result<Option<Row>, StorageError>> {
        self.inner.get(key)
    }

    fn list<'a>(
        &'a self,
        folder: FolderId,
        after: Option<RowKey>,
        limit: usize,
    ) -> Answer<'a, Result<Vec<Listed>, StorageError>> {
        self.inner.list(folder, after, limit)
    }

    fn revision(&self) -> Answer<'_, Result<Revision, StorageError>> {
        Box::pin(async move {
            let revision = self.inner.revision().await?;
            self.tell(revision);
            Ok(revision)
        })
    }

    fn commit(&self, batch: Batch) -> Answer<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            let began = Instant::now();
            let result = self.inner.commit(batch).await;
            let outcome = match &result {
                Ok(committed) => {
                    self.tell(committed.revision());
                    CommitOutcome::Committed
                }
                Err(CommitError::Conflict { .. }) => CommitOutcome::Conflict,
                Err(CommitError::Storage(_)) => CommitOutcome::Failed,
            };
            self.metrics.committed(outcome, began);
            result
        })
    }

    fn dump(&self) -> Answer<'_, Result<Dump, StorageError>> {
        self.inner.dump()
    }

    fn replace(&self, rows: Rows) -> Answer<'_, Result<Revision, StorageError>> {
        Box::pin(async move {
            let revision = self.inner.replace(rows).await?;
            self.tell(revision);
            Ok(revision)
        })
    }
}

#[cfg(test)]
mod tests {
    use vault_core::question::MetricsFormat;
    use vault_core::time::Timestamp;

    use super::*;
    use crate::storage::conformance;
    use crate::storage::memory::MemoryStorage;

    #[tokio::test]
    async fn conforms_and_counts() {
        let metrics = Arc::new(Metrics::new(Timestamp(0)));
        let storage = Arc::new(MeteredStorage::new(Arc::new(MemoryStorage::default()), Arc::clone(&metrics)));
        conformance::run(Arc::clone(&storage) as Arc<dyn Storage>).await;
        let text = metrics.write(MetricsFormat::Prometheus, Timestamp(0)).unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse::<u64>().unwrap()
        };
        assert!(value("keyturn_storage_commits_total{outcome=\"committed\"}") > 10);
        assert!(value("keyturn_storage_commits_total{outcome=\"conflict\"}") > 0);
        assert_eq!(value("keyturn_storage_revision"), storage.revision().await.unwrap().0);
    }
}
