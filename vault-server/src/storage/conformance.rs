//! What every backend must do, in one suite that all of them run.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test suite stops at the first surprise"
)]

use std::sync::Arc;

use vault_core::id::Revision;
use vault_core::store::{Batch, Expect, FolderId, RowKey, RowKind, Write};

use super::{CommitError, PAGE_ROWS_MAX, Storage, StorageError, StoredRow};

/// Runs the suite on an empty store.
///
/// # Panics
/// Panics at the first thing that a backend does wrong.
pub async fn run(storage: Arc<dyn Storage>) {
    rows_come_back(storage.as_ref()).await;
    expectations_hold_or_nothing_happens(storage.as_ref()).await;
    listings_page_in_order(storage.as_ref()).await;
    only_row_is_exact(storage.as_ref()).await;
    one_of_many_wins(Arc::clone(&storage)).await;
    every_acknowledged_commit_is_seen(Arc::clone(&storage)).await;
    dumps_hold_whole_batches(Arc::clone(&storage)).await;
    replacements_are_whole(storage.as_ref()).await;
    dumps_outlive_replacements(storage.as_ref()).await;
}

const fn entry(folder: u8, id: u8) -> RowKey {
    RowKey::new(FolderId([folder; 16]), RowKind::Entry, [id; 16])
}

fn put(key: RowKey, value: &[u8]) -> Write {
    Write::Put { key, label: Arc::from(&key.as_bytes()[..2]), value: value.into() }
}

async fn commit(storage: &dyn Storage, expects: Vec<Expect>, writes: Vec<Write>) -> Result<Revision, CommitError> {
    storage.commit(Batch::danger_assemble(expects, writes)).await.map(|committed| committed.revision())
}

async fn revision(storage: &dyn Storage, key: RowKey) -> Option<Revision> {
    storage.get(&key).await.unwrap().map(|row| row.revision)
}

async fn rows_come_back(storage: &dyn Storage) {
    assert_eq!(storage.revision().await.unwrap(), Revision(0));
    let key = entry(1, 1);
    assert!(storage.get(&key).await.unwrap().is_none());
    let large = vec![0xa5; 300_000];
    let first = commit(storage, vec![], vec![put(key, b"one"), put(entry(1, 2), &large)]).await.unwrap();
    let row = storage.get(&key).await.unwrap().unwrap();
    assert_eq!((row.revision, row.value.as_ref(), row.label.len()), (first, b"one".as_slice(), 2));
    assert_eq!(storage.get(&entry(1, 2)).await.unwrap().unwrap().value.as_ref(), large);
    let second = commit(storage, vec![], vec![put(key, b"")]).await.unwrap();
    assert!(second > first);
    assert_eq!(storage.revision().await.unwrap(), second);
    let row = storage.get(&key).await.unwrap().unwrap();
    assert_eq!((row.revision, row.value.len()), (second, 0));
    commit(storage, vec![], vec![Write::Delete { key }, Write::Delete { key: entry(1, 9) }]).await.unwrap();
    assert!(storage.get(&key).await.unwrap().is_none());
    commit(storage, vec![], vec![put(key, b"a"), Write::Delete { key }, put(key, b"b")]).await.unwrap();
    assert_eq!(storage.get(&key).await.unwrap().unwrap().value.as_ref(), b"b", "writes happen in order");
}

async fn expectations_hold_or_nothing_happens(storage: &dyn Storage) {
    let (key, other) = (entry(2, 1), entry(2, 2));
    let absent = Expect::Unchanged { key, revision: None };
    let first = commit(storage, vec![absent.clone()], vec![put(key, b"x")]).await.unwrap();
    let refused = commit(storage, vec![absent], vec![put(key, b"y"), put(other, b"y")]).await;
    assert!(matches!(refused, Err(CommitError::Conflict { key: named }) if named == key));
    assert!(storage.get(&other).await.unwrap().is_none(), "nothing of a refused batch is done");
    let same = Expect::Unchanged { key, revision: Some(first) };
    commit(storage, vec![same.clone()], vec![put(other, b"z")]).await.unwrap();
    commit(storage, vec![same.clone()], vec![put(key, b"z")]).await.unwrap();
    assert!(commit(storage, vec![same], vec![put(other, b"!")]).await.is_err());
    let gone = Expect::Unchanged { key: entry(2, 7), revision: Some(Revision(1)) };
    assert!(commit(storage, vec![gone], vec![put(other, b"!")]).await.is_err());
    assert_eq!(storage.get(&other).await.unwrap().unwrap().value.as_ref(), b"z");
}

async fn listings_page_in_order(storage: &dyn Storage) {
    let folder = FolderId([3; 16]);
    let mark = RowKey::new(folder, RowKind::Folder, [0xff; 16]);
    let mut keys: Vec<RowKey> = (0..=255).map(|id| entry(3, id)).chain([mark]).collect();
    let writes = keys.iter().rev().map(|key| put(*key, b"v")).collect();
    commit(storage, vec![], writes).await.unwrap();
    commit(storage, vec![], vec![put(entry(4, 0), b"v")]).await.unwrap();
    keys.sort_unstable();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = storage.list(folder, after, 100).await.unwrap();
        seen.extend(page.iter().map(|listed| listed.key));
        after = page.last().map(|listed| listed.key);
        if page.len() < 100 {
            break;
        }
    }
    assert_eq!(seen, keys);
    assert_eq!(storage.list(folder, None, usize::MAX).await.unwrap().len(), keys.len().min(PAGE_ROWS_MAX));
    assert!(storage.list(FolderId([99; 16]), None, 10).await.unwrap().is_empty());
    assert_eq!(storage.list(folder, None, 1).await.unwrap()[0].label.len(), 2);
}

async fn only_row_is_exact(storage: &dyn Storage) {
    let (key, mark) = (entry(5, 1), RowKey::new(FolderId([5; 16]), RowKind::Folder, [1; 16]));
    let only = Expect::OnlyRow { key };
    commit(storage, vec![only.clone()], vec![put(key, b"v"), put(mark, b"v")]).await.unwrap();
    assert!(commit(storage, vec![only.clone()], vec![Write::Delete { key }]).await.is_err());
    commit(storage, vec![], vec![Write::Delete { key: mark }]).await.unwrap();
    commit(storage, vec![only], vec![Write::Delete { key }]).await.unwrap();
}

async fn one_of_many_wins(storage: Arc<dyn Storage>) {
    let key = entry(6, 1);
    let tries: Vec<_> = (0..50_u8)
        .map(|id| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move {
                let absent = Expect::Unchanged { key, revision: None };
                commit(storage.as_ref(), vec![absent], vec![put(key, &[id]), put(entry(7, id), b"")]).await.is_ok()
            })
        })
        .collect();
    let mut winners = Vec::new();
    for (id, outcome) in (0..).zip(tries) {
        winners.extend(outcome.await.unwrap().then_some(id));
    }
    let [winner] = winners[..] else { panic!("{winners:?} all won") };
    assert_eq!(storage.get(&key).await.unwrap().unwrap().value.as_ref(), [winner]);
    let left: Vec<_> = storage.list(FolderId([7; 16]), None, 100).await.unwrap();
    assert_eq!(left.iter().map(|listed| listed.key).collect::<Vec<_>>(), [entry(7, winner)]);
}

async fn every_acknowledged_commit_is_seen(storage: Arc<dyn Storage>) {
    let writers: Vec<_> = (0..16_u8)
        .map(|writer| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move {
                let key = entry(8, writer);
                for round in 0..20_u8 {
                    let before = revision(storage.as_ref(), key).await;
                    let unchanged = Expect::Unchanged { key, revision: before };
                    let now = commit(storage.as_ref(), vec![unchanged], vec![put(key, &[round])]).await.unwrap();
                    let row = storage.get(&key).await.unwrap().unwrap();
                    assert_eq!((row.revision, row.value.as_ref()), (now, [round].as_slice()));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn dump(storage: &dyn Storage) -> (Revision, Vec<StoredRow>) {
    let dump = storage.dump().await.unwrap();
    let (row_count, payload_bytes) = (dump.row_count, dump.payload_bytes);
    let rows: Vec<StoredRow> = dump.rows.collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len() as u64, row_count);
    assert_eq!(rows.iter().map(|row| (row.label.len() + row.value.len()) as u64).sum::<u64>(), payload_bytes);
    assert!(rows.is_sorted_by(|row, next| row.key < next.key));
    (dump.revision, rows)
}

fn rows_of(rows: Vec<StoredRow>) -> super::Rows {
    Box::new(rows.into_iter().map(Ok))
}

/// Each writer keeps two rows at the same number, far apart in the order of keys: no dump may see them differ, and none
/// may be older than the last commit that was acknowledged before it began.
async fn dumps_hold_whole_batches(storage: Arc<dyn Storage>) {
    const ROUNDS: u8 = 100;
    // What lies between the two is more than a page of any backend, so that they are read at different times.
    let between = vec![0; 2 << 20];
    commit(storage.as_ref(), vec![], vec![put(entry(100, 0), &between)]).await.unwrap();
    let writers: Vec<_> = (0..8_u8)
        .map(|writer| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move {
                for round in 0..=ROUNDS {
                    let both = vec![put(entry(10, writer), &[round]), put(entry(200, writer), &[round])];
                    commit(storage.as_ref(), vec![], both).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let before = commit(storage.as_ref(), vec![], vec![put(entry(11, 0), b"before")]).await.unwrap();
        let (revision, rows) = dump(storage.as_ref()).await;
        assert!(revision >= before, "{revision:?} is older than {before:?}");
        let value = |key: RowKey| rows.iter().find(|row| row.key == key).map(|row| Arc::clone(&row.value));
        for writer in 0..8 {
            assert_eq!(value(entry(10, writer)), value(entry(200, writer)), "writer {writer} is half in");
        }
        // A store in memory never waits, so that on one thread the writers would not get their turn.
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn replacements_are_whole(storage: &dyn Storage) {
    let (before, old) = dump(storage).await;
    let read_before = revision(storage, entry(10, 0)).await;
    assert!(read_before.is_some());
    let stored = |key: RowKey, value: &[u8]| StoredRow { key, label: Arc::from([1]), value: value.into() };
    let new: Vec<_> = (0..=255).map(|id| stored(entry(20, id), &vec![id; usize::from(id) * 100])).collect();
    for broken in [
        vec![Ok(stored(entry(20, 1), b"a")), Err(StorageError::Busy)],
        vec![Ok(stored(entry(20, 2), b"a")), Ok(stored(entry(20, 1), b"b"))],
        vec![Ok(stored(entry(20, 1), b"a")), Ok(stored(entry(20, 1), b"b"))],
    ] {
        assert!(storage.replace(Box::new(broken.into_iter())).await.is_err());
        assert_eq!(dump(storage).await, (before, old.clone()), "a failed replacement changes nothing");
    }
    let replaced = storage.replace(rows_of(new.clone())).await.unwrap();
    assert!(replaced > before);
    assert_eq!(dump(storage).await, (replaced, new));
    assert!(storage.get(&entry(10, 0)).await.unwrap().is_none(), "an old row is gone");
    assert_eq!(revision(storage, entry(20, 3)).await, Some(replaced));
    assert_eq!(storage.list(FolderId([20; 16]), None, 300).await.unwrap().len(), 256);
    let stale = Expect::Unchanged { key: entry(10, 0), revision: read_before };
    assert!(commit(storage, vec![stale], vec![put(entry(10, 0), b"x")]).await.is_err());
    let after = commit(storage, vec![], vec![put(entry(20, 0), b"x")]).await.unwrap();
    assert!(after > replaced, "the revision keeps rising");
    // The same rows once more: what was read of them before is stale nevertheless.
    let (_, rows) = dump(storage).await;
    storage.replace(rows_of(rows)).await.unwrap();
    let stale = Expect::Unchanged { key: entry(20, 0), revision: Some(after) };
    assert!(commit(storage, vec![stale], vec![put(entry(20, 0), b"y")]).await.is_err());
}

async fn dumps_outlive_replacements(storage: &dyn Storage) {
    let (_, rows) = dump(storage).await;
    let begun = storage.dump().await.unwrap();
    storage.replace(rows_of(Vec::new())).await.unwrap();
    assert!(dump(storage).await.1.is_empty());
    assert_eq!(begun.rows.collect::<Result<Vec<_>, _>>().unwrap(), rows, "a dump is of the instant it began");
    storage.replace(rows_of(rows)).await.unwrap();
}
