//! A decorator that keeps recently read rows in memory, as sealed as they are on disk.
//!
//! A cached row is never older than an acknowledged commit. Keys are spread over stripes. A commit takes its rows out
//! and blocks its stripes before it reaches the store, and unblocks them when it is over; a reader puts a row in only
//! if its stripe was not blocked at any time since before it read the store.

use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use vault_core::flow::Committed;
use vault_core::id::Revision;
use vault_core::store::{Batch, FolderId, Listed, Row, RowKey, Write};

use super::{Answer, CommitError, Dump, Rows, Storage, StorageError};

/// Groups of keys that are blocked together; more mean fewer misses while writes are under way.
const STRIPES: usize = 64;

/// What a row costs beside its bytes: its key, its pointers and the cache's own bookkeeping.
const ROW_OVERHEAD_BYTES: u64 = 200;

/// Size of a typical row, by which the cache plans its tables.
const ROW_TYPICAL_BYTES: u64 = 600;

/// Keeps rows of another store in memory.
pub struct CachedStorage {
    inner: Arc<dyn Storage>,
    rows: Cache<RowKey, Option<Row>, ByBytes>,
    stripes: Vec<Mutex<Stripe>>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<RowKey, Option<Row>> for ByBytes {
    fn weight(&self, _: &RowKey, row: &Option<Row>) -> u64 {
        let bytes = row.as_ref().map_or(0, |row| row.label.len() + row.value.len());
        ROW_OVERHEAD_BYTES + bytes as u64
    }
}

/// The state of a group of keys.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Stripe {
    /// Commits under way. One that is dropped before its end stays here, so that its rows are never cached again.
    commits: u32,
    /// Commits begun so far.
    begun: u64,
}

impl CachedStorage {
    /// Keeps up to `bytes_max` of rows of `inner`.
    pub fn new(inner: Arc<dyn Storage>, bytes_max: u64) -> Self {
        let rows_expected = usize::try_from(bytes_max / ROW_TYPICAL_BYTES).unwrap_or(usize::MAX);
        let rows = Cache::with_weighter(rows_expected, bytes_max, ByBytes);
        let stripes = (0..STRIPES).map(|_| Mutex::new(Stripe::default())).collect();
        Self { inner, rows, stripes }
    }

    fn stripe<T>(&self, key: &RowKey, act: impl FnOnce(&mut Stripe) -> T) -> Option<T> {
        // The last byte of a key is a byte of a keyed hash, so it spreads the keys.
        let position = usize::from(*key.as_bytes().last()?) % STRIPES;
        Some(act(&mut self.stripes.get(position)?.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn block(&self, keys: &[RowKey]) {
        for key in keys {
            self.stripe(key, |stripe| {
                stripe.commits += 1;
                stripe.begun += 1;
                self.rows.remove(key);
            });
        }
    }

    fn unblock(&self, keys: &[RowKey]) {
        for key in keys {
            self.stripe(key, |stripe| stripe.commits -= 1);
        }
    }

    /// Blocks every stripe and forgets every row.
    fn block_all(&self) {
        for stripe in &self.stripes {
            let mut stripe = stripe.lock().unwrap_or_else(PoisonError::into_inner);
            stripe.commits += 1;
            stripe.begun += 1;
        }
        // From here on no reader puts a row in, so that the cache stays empty.
        self.rows.clear();
    }

    fn unblock_all(&self) {
        for stripe in &self.stripes {
            stripe.lock().unwrap_or_else(PoisonError::into_inner).commits -= 1;
        }
    }

    async fn read(&self, key: &RowKey) -> Result<Option<Row>, StorageError> {
        if let Some(row) = self.rows.get(key) {
            return Ok(row);
        }
        let before = self.stripe(key, |stripe| *stripe);
        let row = self.inner.get(key).await?;
        self.stripe(key, |stripe| {
            if stripe.commits == 0 && Some(*stripe) == before {
                self.rows.insert(*key, row.clone());
            }
        });
        Ok(row)
    }
}

impl Storage for CachedStorage {
    fn get<'a>(&'a self, key: &'a RowKey) -> Answer<'a, Result<Option<Row>, StorageError>> {
        Box::pin(self.read(key))
    }

    fn list<'a>(
        &'a self,
        folder: FolderId,
        after: Option<RowKey>,
        limit: usize,
    ) -> Answer<'a, Result<Vec<Listed>, StorageError>> {
        self.inner.list(folder, after, limit)
    }

    fn commit(&self, batch: Batch) -> Answer<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            let (expects, writes) = batch.into_parts();
            let key_of = |write: &Write| match write {
                Write::Put { key, .. } | Write::Delete { key } => *key,
            };
            let keys: Vec<RowKey> = writes.iter().map(key_of).collect();
            self.block(&keys);
            let outcome = self.inner.commit(Batch::danger_assemble(expects, writes)).await;
            self.unblock(&keys);
            outcome
        })
    }

    fn revision(&self) -> Answer<'_, Result<Revision, StorageError>> {
        self.inner.revision()
    }

    fn dump(&self) -> Answer<'_, Result<Dump, StorageError>> {
        self.inner.dump()
    }

    fn replace(&self, rows: Rows) -> Answer<'_, Result<Revision, StorageError>> {
        Box::pin(async move {
            self.block_all();
            let outcome = self.inner.replace(rows).await;
            self.unblock_all();
            outcome
        })
    }
}

#[cfg(test)]
mod tests {
    use vault_core::store::{Expect, RowKind};

    use super::*;
    use crate::storage::conformance;
    use crate::storage::memory::MemoryStorage;
    use crate::storage::sqlite::SqliteStorage;

    #[tokio::test]
    async fn conforms_over_memory_and_when_it_keeps_nothing() {
        conformance::run(Arc::new(CachedStorage::new(Arc::new(MemoryStorage::default()), 1 << 20))).await;
        conformance::run(Arc::new(CachedStorage::new(Arc::new(MemoryStorage::default()), 1))).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn conforms_over_sqlite_in_parallel() {
        let directory = tempfile::tempdir().unwrap();
        let storage = SqliteStorage::open(&directory.path().join("a.db")).unwrap();
        conformance::run(Arc::new(CachedStorage::new(Arc::new(storage), 1 << 20))).await;
    }

    #[tokio::test]
    async fn is_empty_after_a_replacement_and_fills_again() {
        let storage = CachedStorage::new(Arc::new(MemoryStorage::default()), 1 << 20);
        let key = RowKey::new(FolderId([1; 16]), RowKind::Entry, [1; 16]);
        let write = Write::Put { key, label: Arc::from([]), value: Arc::from([7]) };
        storage.commit(Batch::danger_assemble(Vec::new(), vec![write])).await.unwrap();
        assert!(storage.get(&key).await.unwrap().is_some());
        assert_eq!(storage.rows.len(), 1);
        storage.replace(Box::new(std::iter::empty())).await.unwrap();
        assert_eq!(storage.rows.len(), 0);
        assert!(storage.get(&key).await.unwrap().is_none());
        assert_eq!(storage.rows.len(), 1, "that nothing is there is remembered again");
    }

    /// A reader that has read the old row may put it in only before the commit begins: here readers and one writer
    /// race for the same key, and no reader may see a row older than the last one acknowledged before it began.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_never_sees_a_row_older_than_an_acknowledged_commit() {
        let storage = Arc::new(CachedStorage::new(Arc::new(MemoryStorage::default()), 1 << 20));
        let key = RowKey::new(FolderId([1; 16]), RowKind::Entry, [1; 16]);
        let acknowledged = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (storage, acknowledged) = (Arc::clone(&storage), Arc::clone(&acknowledged));
                tokio::spawn(async move {
                    for _ in 0..3_000 {
                        let least = acknowledged.load(std::sync::atomic::Ordering::SeqCst);
                        let seen = storage.get(&key).await.unwrap().map_or(0, |row| row.revision.0);
                        assert!(seen >= least, "saw {seen} after {least} was acknowledged");
                    }
                })
            })
            .collect();
        for _ in 0..1_000 {
            let write = Write::Put { key, label: Arc::from([]), value: Arc::from([]) };
            let done = storage.commit(Batch::danger_assemble(Vec::<Expect>::new(), vec![write])).await.unwrap();
            acknowledged.store(done.revision().0, std::sync::atomic::Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
        for reader in readers {
            reader.await.unwrap();
        }
    }
}
