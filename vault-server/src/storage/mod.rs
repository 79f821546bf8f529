//! Where sealed rows are kept. A backend is dumb: it knows nothing of names, keys or retries.
//!
//! How to add one: implement [`Storage`] in a file of its own, let it pass [`conformance`], and add it to
//! [`BACKENDS`].

pub mod cache;
#[doc(hidden)]
pub mod conformance;
pub mod faults;
pub mod memory;
pub mod sqlite;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use vault_core::flow::Committed;
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

    /// Commits a batch.
    fn commit(&self, batch: Batch) -> Answer<'_, Result<Committed, CommitError>>;
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
