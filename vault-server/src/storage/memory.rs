//! A store in memory, for tests and trials: it forgets everything when the process ends.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use vault_core::flow::Committed;
use vault_core::id::Revision;
use vault_core::store::{Batch, Expect, FolderId, Listed, Row, RowKey, RowKind, Write};

use super::{Answer, CommitError, Dump, OpenStorage, PAGE_ROWS_MAX, Rows, Storage, StorageError, StoredRow, ascending};

/// Rows in a map.
#[derive(Default)]
pub struct MemoryStorage {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<RowKey, Row>,
    revision: u64,
}

/// Opens an empty store.
pub(super) fn open(_: &OpenStorage) -> Result<Arc<dyn Storage>, StorageError> {
    Ok(Arc::new(MemoryStorage::default()))
}

impl MemoryStorage {
    /// Counts the rows, for tests that something was removed.
    #[doc(hidden)]
    pub fn row_count(&self) -> usize {
        self.with(|state| state.rows.len())
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Storage for MemoryStorage {
    fn get<'a>(&'a self, key: &'a RowKey) -> Answer<'a, Result<Option<Row>, StorageError>> {
        Box::pin(async move { Ok(self.with(|state| state.rows.get(key).cloned())) })
    }

    fn list<'a>(
        &'a self,
        folder: FolderId,
        after: Option<RowKey>,
        limit: usize,
    ) -> Answer<'a, Result<Vec<Listed>, StorageError>> {
        Box::pin(async move { Ok(self.with(|state| state.list(folder, after, limit.min(PAGE_ROWS_MAX)))) })
    }

    fn revision(&self) -> Answer<'_, Result<Revision, StorageError>> {
        Box::pin(async move { Ok(Revision(self.with(|state| state.revision))) })
    }

    fn commit(&self, batch: Batch) -> Answer<'_, Result<Committed, CommitError>> {
        Box::pin(async move { self.with(|state| state.commit(batch)) })
    }

    fn dump(&self) -> Answer<'_, Result<Dump, StorageError>> {
        Box::pin(async move { Ok(self.with(|state| state.dump())) })
    }

    fn replace(&self, rows: Rows) -> Answer<'_, Result<Revision, StorageError>> {
        Box::pin(async move {
            // The lock is taken after the last row has come, so that nobody waits for them.
            let collected = tokio::task::spawn_blocking(|| ascending(rows).collect::<Result<Vec<_>, _>>());
            let ended = |error| StorageError::Io { what: format!("replacing: {error}") };
            let rows = collected.await.map_err(ended)??;
            Ok(self.with(|state| state.replace(rows)))
        })
    }
}

impl State {
    fn folder(&self, folder: FolderId, after: Option<RowKey>) -> impl Iterator<Item = (&RowKey, &Row)> {
        let first = RowKey::new(folder, RowKind::Entry, [0; 16]);
        let start = after.map_or(Bound::Included(first), Bound::Excluded);
        self.rows.range((start, Bound::Unbounded)).take_while(move |(key, _)| key.folder() == folder)
    }

    fn list(&self, folder: FolderId, after: Option<RowKey>, limit: usize) -> Vec<Listed> {
        let listed = |(key, row): (&RowKey, &Row)| Listed { key: *key, label: Arc::clone(&row.label) };
        self.folder(folder, after).take(limit).map(listed).collect()
    }

    fn commit(&mut self, batch: Batch) -> Result<Committed, CommitError> {
        let (expects, writes) = batch.into_parts();
        for expect in &expects {
            let (key, holds) = match expect {
                Expect::Unchanged { key, revision } => (key, self.rows.get(key).map(|row| row.revision) == *revision),
                Expect::OnlyRow { key } => (key, self.folder(key.folder(), None).all(|(other, _)| other == key)),
            };
            if !holds {
                return Err(CommitError::Conflict { key: *key });
            }
        }
        self.revision += 1;
        let revision = Revision(self.revision);
        for write in writes {
            match write {
                Write::Put { key, label, value } => drop(self.rows.insert(key, Row { revision, label, value })),
                Write::Delete { key } => drop(self.rows.remove(&key)),
            }
        }
        Ok(Committed::danger_vouch(revision))
    }

    /// Copies the map; labels and values are shared with it.
    fn dump(&self) -> Dump {
        let copy = |(key, row): (&RowKey, &Row)| StoredRow {
            key: *key,
            label: Arc::clone(&row.label),
            value: Arc::clone(&row.value),
        };
        let rows: Vec<StoredRow> = self.rows.iter().map(copy).collect();
        Dump {
            revision: Revision(self.revision),
            row_count: rows.len() as u64,
            payload_bytes: rows.iter().map(|row| (row.label.len() + row.value.len()) as u64).sum(),
            rows: Box::new(rows.into_iter().map(Ok)),
        }
    }

    fn replace(&mut self, rows: Vec<StoredRow>) -> Revision {
        self.revision += 1;
        let revision = Revision(self.revision);
        let with_revision = |StoredRow { key, label, value }: StoredRow| (key, Row { revision, label, value });
        self.rows = rows.into_iter().map(with_revision).collect();
        revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        super::super::conformance::run(Arc::new(MemoryStorage::default())).await;
    }
}
