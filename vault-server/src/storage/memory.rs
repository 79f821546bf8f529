//! A store in memory, for tests and trials: it forgets everything when the process ends.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use vault_core::flow::Committed;
use vault_core::id::Revision;
use vault_core::store::{Batch, Expect, FolderId, Listed, Row, RowKey, RowKind, Write};

use super::{Answer, CommitError, OpenStorage, PAGE_ROWS_MAX, Storage, StorageError};

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

    fn commit(&self, batch: Batch) -> Answer<'_, Result<Committed, CommitError>> {
        Box::pin(async move { self.with(|state| state.commit(batch)) })
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        super::super::conformance::run(Arc::new(MemoryStorage::default())).await;
    }
}
