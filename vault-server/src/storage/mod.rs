//! Where sealed rows are kept. A backend is dumb: it knows nothing of names, keys or retries.
//!
//! How to add one: implement [`Storage`] in a file of its own, let it pass [`conformance`], and add it to
//! [`BACKENDS`].

pub mod cache;
#[doc(hidden)]
pub mod conformance;
pub mod faults;
pub mod memory;
pub(crate) mod metered;
pub mod sqlite;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use vault_core::flow::Committed;
use vault_core::id::Revision;
use vault_core::store::{Batch, FolderId, Listed, Row, RowKey};

/// A future that a backend answers with.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Most rows of one page of a listing.
pub const PAGE_ROWS_MAX: usize = 1_000;

/// What a backend needs to open its store.
pub struct OpenStorage {
    /// Where the store lies, for backends that keep one on disk.
    pub path: PathBuf,
}

/// Opens a store of one backend.
pub type Open = fn(&OpenStorage) -> Result<Arc<dyn Storage>, StorageError>;

/// The backends by the name that settings use.
pub const BACKENDS: &[(&str, Open)] = &[("memory", memory::open), ("sqlite", sqlite::open)];

/// A row without its revision, as a dump gives it and a replacement takes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRow {
    /// The key.
    pub key: RowKey,
    /// The sealed name.
    pub label: Arc<[u8]>,
    /// The sealed value.
    pub value: Arc<[u8]>,
}

/// Rows one after another. Asking for the next one may wait for a disk, so only threads that may block ask.
pub type Rows = Box<dyn Iterator<Item = Result<StoredRow, StorageError>> + Send>;

/// Every row of a store as it was at one instant.
pub struct Dump {
    /// The revision that the rows are of: every batch up to it is wholly in, every later one wholly out.
    pub revision: Revision,
    /// How many rows come.
    pub row_count: u64,
    /// How many bytes the labels and values of all rows have together.
    pub payload_bytes: u64,
    /// The rows in strictly ascending order of their keys. Dropping it early is fine and frees what it holds.
    pub rows: Rows,
}

/// Rows under opaque keys.
///
/// *Durability*: when [`Storage::commit`] answers `Ok`, the batch survives a crash of the process and of the
/// machine. *Atomicity*: a batch is done as a whole or not at all, also over a crash; its expectations are checked
/// in the same instant. *Order*: a read that starts after a commit has answered sees the batch. *Concurrency*: all
/// methods may be called from any number of tasks at once.
pub trait Storage: Send + Sync {
    /// Reads one row.
    fn get<'a>(&'a self, key: &'a RowKey) -> Answer<'a, Result<Option<Row>, StorageError>>;

    /// Lists the rows of a folder in the order of their keys, after `after`, at most `limit` and never more than
    /// [`PAGE_ROWS_MAX`]. A page shorter than the limit is the last one.
    fn list<'a>(
        &'a self,
        folder: FolderId,
        after: Option<RowKey>,
        limit: usize,
    ) -> Answer<'a, Result<Vec<Listed>, StorageError>>;

    /// Tells the revision of the newest commit; zero before the first.
    fn revision(&self) -> Answer<'_, Result<Revision, StorageError>>;

    /// Commits a batch.
    fn commit(&self, batch: Batch) -> Answer<'_, Result<Committed, CommitError>>;

    /// Gives every row as it is at one instant between this call and its answer. Commits and reads go on meanwhile and
    /// are not waited for; what they change is not in the dump. Memory is bounded by a page of rows, or by what the
    /// rows share with the store. A dump that nobody drops may keep the store from giving back space.
    fn dump(&self) -> Answer<'_, Result<Dump, StorageError>>;

    /// Replaces the whole content by `rows`, which come in strictly ascending order of their keys.
    ///
    /// *Atomicity*: a reader, and whoever opens the store after a crash, finds all of the old rows or all of the new.
    /// An error, also one that `rows` gives, leaves the old. *Durability*: when it answers `Ok`, the new rows survive
    /// a crash. *Order*: it is one commit; its revision, which every new row carries, is above all before it, so that
    /// no expectation about a row that was read before holds after. Commits may wait until it is over. *Memory* is
    /// bounded by a piece of rows, for backends that keep theirs on disk. Rows out of order are refused. A call whose
    /// answer nobody waits for may still replace.
    fn replace(&self, rows: Rows) -> Answer<'_, Result<Revision, StorageError>>;
}

/// Passes rows on as long as their keys ascend; backends look at what they replace their content by through this.
fn ascending(rows: Rows) -> impl Iterator<Item = Result<StoredRow, StorageError>> + Send {
    let mut last = None;
    rows.map(move |row| {
        let row = row?;
        if last.is_some_and(|last| row.key <= last) {
            return Err(StorageError::Io { what: "replacing: the rows are not in the order of their keys".to_owned() });
        }
        last = Some(row.key);
        Ok(row)
    })
}

/// Why a store cannot answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// The store holds something that this program does not know.
    #[error("{what}: the store was written by another version of keyturn; restore a backup or use that version")]
    Version {
        /// What was found and what was expected.
        what: String,
    },
    /// Reading or writing failed.
    #[error("the store cannot be used: {what}")]
    Io {
        /// What failed.
        what: String,
    },
    /// Too much is waiting already.
    #[error("the store has too many writes waiting; try again later")]
    Busy,
}

/// Why a batch was not committed; nothing of it was done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// An expectation did not hold.
    #[error("a row was changed in the meantime")]
    Conflict {
        /// The row whose expectation failed.
        key: RowKey,
    },
    /// The store cannot answer.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
