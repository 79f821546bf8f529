//! The embedded store: one SQLite file in write-ahead mode with full synchronisation.
//!
//! One thread writes: it takes every batch that waits, commits them as one transaction, and so shares one sync of the
//! disk among them. Reads run on the calling thread over a few read-only connections. See docs/decisions/0008.
//! Schema: docs/formats.md, "SQLite".

mod dump;
mod replace;
mod schema;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use vault_core::flow::Committed;
use vault_core::id::Revision;
use vault_core::store::{Batch, FolderId, Listed, Row, RowKey, RowKind};

use super::{Answer, CommitError, Dump, OpenStorage, PAGE_ROWS_MAX, Rows, Storage, StorageError};
use writer::Writer;

/// Connections that read side by side; a point read takes microseconds, so more would only take memory.
const READERS: usize = 4;

/// A store in one SQLite file.
pub struct SqliteStorage {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    writer: Writer,
}

/// Opens the store in the file that the settings name, making it if there is none.
pub(super) fn open(settings: &OpenStorage) -> Result<Arc<dyn Storage>, StorageError> {
    Ok(Arc::new(SqliteStorage::open(&settings.path)?))
}

impl SqliteStorage {
    /// Opens or makes the file at `path`; its folder must exist.
    ///
    /// # Errors
    /// Answers [`StorageError::Version`] for a file of another program or version, [`StorageError::Io`] for one that
    /// cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let writer = Writer::start(schema::open_to_write(path)?)?;
        let readers = (0..READERS).map(|_| schema::open_to_read(path)).collect::<Result<_, _>>()?;
        Ok(Self { path: path.to_owned(), readers: Mutex::new(readers), writer })
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StorageError> {
        let pooled = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => schema::open_to_read(&self.path)?,
        };
        let result = query(&connection).map_err(|error| io("reading", &error));
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(connection);
        }
        result
    }
}

impl Storage for SqliteStorage {
    fn get<'a>(&'a self, key: &'a RowKey) -> Answer<'a, Result<Option<Row>, StorageError>> {
        Box::pin(async move {
            self.read(|connection| {
                let mut statement =
                    connection.prepare_cached("SELECT revision, label, value FROM rows WHERE key = ?1")?;
                statement
                    .query_row(params![key.as_bytes()], |row| {
                        Ok(Row {
                            revision: Revision(row.get_ref(0)?.as_i64()?.cast_unsigned()),
                            label: row.get_ref(1)?.as_blob()?.into(),
                            value: row.get_ref(2)?.as_blob()?.into(),
                        })
                    })
                    .optional()
            })
        })
    }

    fn list<'a>(
        &'a self,
        folder: FolderId,
        after: Option<RowKey>,
        limit: usize,
    ) -> Answer<'a, Result<Vec<Listed>, StorageError>> {
        Box::pin(async move {
            let last = RowKey::new(folder, RowKind::Folder, [0xff; 16]);
            let start = after.map_or_else(|| folder.0.to_vec(), |key| key.as_bytes().to_vec());
            let limit = i64::try_from(limit.min(PAGE_ROWS_MAX)).unwrap_or(i64::MAX);
            self.read(|connection| {
                let mut statement = connection
                    .prepare_cached("SELECT key, label FROM rows WHERE key > ?1 AND key <= ?2 ORDER BY key LIMIT ?3")?;
                let mut found = statement.query(params![start, last.as_bytes(), limit])?;
                let mut page = Vec::new();
                while let Some(row) = found.next()? {
                    if let Some(key) = RowKey::from_bytes(row.get_ref(0)?.as_blob()?) {
                        page.push(Listed { key, label: row.get_ref(1)?.as_blob()?.into() });
                    }
                }
                Ok(page)
            })
        })
    }

    fn revision(&self) -> Answer<'_, Result<Revision, StorageError>> {
        Box::pin(async move {
            self.read(|connection| {
                let revision = connection.query_row("SELECT revision FROM state", [], |row| row.get::<_, i64>(0))?;
                Ok(Revision(revision.cast_unsigned()))
            })
        })
    }

    fn commit(&self, batch: Batch) -> Answer<'_, Result<Committed, CommitError>> {
        Box::pin(self.writer.commit(batch))
    }

    fn dump(&self) -> Answer<'_, Result<Dump, StorageError>> {
        let path = self.path.clone();
        Box::pin(async move {
            // Counting the rows walks the whole tree, which is too long for a thread that serves requests.
            let begun = tokio::task::spawn_blocking(move || dump::begin(&path)).await;
            begun.map_err(|error| StorageError::Io { what: format!("reading: {error}") })?
        })
    }

    fn replace(&self, rows: Rows) -> Answer<'_, Result<Revision, StorageError>> {
        Box::pin(self.writer.replace(rows))
    }
}

fn io(doing: &str, error: &rusqlite::Error) -> StorageError {
    StorageError::Io { what: format!("{doing}: {error}") }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use vault_core::store::Write;

    use super::*;

    fn entry(id: u8) -> RowKey {
        RowKey::new(FolderId([1; 16]), RowKind::Entry, [id; 16])
    }

    fn put(id: u8, value: &[u8]) -> Batch {
        let label: Arc<[u8]> = Arc::from([id].as_slice());
        Batch::danger_assemble(Vec::new(), vec![Write::Put { key: entry(id), label, value: value.into() }])
    }

    #[tokio::test]
    async fn conforms() {
        let directory = tempfile::tempdir().unwrap();
        let storage = SqliteStorage::open(&directory.path().join("a.db")).unwrap();
        super::super::conformance::run(Arc::new(storage)).await;
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let first = {
            let storage = SqliteStorage::open(&path).unwrap();
            storage.commit(put(1, b"one")).await.unwrap();
            storage.commit(put(2, &[7; 100_000])).await.unwrap().revision()
        };
        let storage = SqliteStorage::open(&path).unwrap();
        assert_eq!(storage.get(&entry(1)).await.unwrap().unwrap().value.as_ref(), b"one");
        assert_eq!(storage.get(&entry(2)).await.unwrap().unwrap().value.len(), 100_000);
        assert!(storage.commit(put(3, b"")).await.unwrap().revision() > first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn files_of_other_programs_and_versions_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let foreign = directory.path().join("foreign.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(SqliteStorage::open(&foreign), Err(StorageError::Version { .. })));
        let newer = directory.path().join("newer.db");
        drop(SqliteStorage::open(&newer).unwrap());
        Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(SqliteStorage::open(&newer), Err(StorageError::Version { .. })));
        let text = directory.path().join("text.db");
        std::fs::write(&text, "this is no database at all, just a text of some length").unwrap();
        assert!(SqliteStorage::open(&text).is_err());
        assert!(SqliteStorage::open(directory.path()).is_err());
        assert!(SqliteStorage::open(&directory.path().join("absent/a.db")).is_err());
    }

    #[test]
    fn a_link_in_place_of_the_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link.db");
        std::os::unix::fs::symlink(directory.path().join("elsewhere.db"), &link).unwrap();
        assert!(SqliteStorage::open(&link).is_err());
    }
}
