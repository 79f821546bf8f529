//! Replaces every row: pieces go into a table of their own, which then takes the place of the old one.

use rusqlite::{Connection, TransactionBehavior, params};
use vault_core::id::Revision;

use super::{io, schema};
use crate::storage::{Rows, StorageError, StoredRow, ascending};

/// Rows that are loaded in one transaction.
const PIECE_ROWS_MAX: usize = 1_000;

/// A piece with this many bytes takes no further row; it bounds the write-ahead file.
const PIECE_BYTES_ENOUGH: usize = 4 << 20;

/// Replaces all rows. An error leaves the old ones as they were.
pub(super) fn replace(connection: &mut Connection, rows: Rows) -> Result<Revision, StorageError> {
    let outcome = load(connection, rows);
    if outcome.is_err()
        && let Err(error) = schema::drop_staging(connection)
    {
        // It is out of the way all the same: the next replacement, and the next opening, drop it.
        tracing::warn!("what an unfinished restore loaded is still in the store: {error}");
    }
    outcome
}

fn load(connection: &mut Connection, rows: Rows) -> Result<Revision, StorageError> {
    let failed = |error: rusqlite::Error| io("replacing", &error);
    schema::make_staging(connection).map_err(failed)?;
    let last: i64 = connection.query_row("SELECT revision FROM state", [], |row| row.get(0)).map_err(failed)?;
    // Nobody else writes until this is over, so that the revision stays free.
    let revision = last + 1;
    let mut rows = ascending(rows).peekable();
    while rows.peek().is_some() {
        let (mut piece, mut bytes) = (Vec::new(), 0);
        while piece.len() < PIECE_ROWS_MAX && bytes < PIECE_BYTES_ENOUGH {
            let Some(row) = rows.next().transpose()? else { break };
            bytes += row.label.len() + row.value.len();
            piece.push(row);
        }
        load_piece(connection, revision, &piece).map_err(failed)?;
    }
    swap(connection, revision).map_err(failed)?;
    Ok(Revision(revision.cast_unsigned()))
}

fn load_piece(connection: &mut Connection, revision: i64, piece: &[StoredRow]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert =
            transaction.prepare("INSERT INTO staging (key, revision, label, value) VALUES (?1, ?2, ?3, ?4)")?;
        for row in piece {
            let (label, value): (&[u8], &[u8]) = (&row.label, &row.value);
            insert.execute(params![row.key.as_bytes(), revision, label, value])?;
        }
    }
    transaction.commit()
}

/// Takes the one step that a crash cannot cut in half.
fn swap(connection: &mut Connection, revision: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch("DROP TABLE rows; ALTER TABLE staging RENAME TO rows")?;
    transaction.execute("UPDATE state SET revision = ?1", params![revision])?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vault_core::store::{Batch, FolderId, RowKey, RowKind, Write};

    use crate::storage::sqlite::{SqliteStorage, schema};
    use crate::storage::{Storage, StorageError, StoredRow};

    fn row(id: u8, value: &[u8]) -> StoredRow {
        let key = RowKey::new(FolderId([1; 16]), RowKind::Entry, [id; 16]);
        StoredRow { key, label: Arc::from([id].as_slice()), value: value.into() }
    }

    fn put(row: &StoredRow) -> Batch {
        let StoredRow { key, label, value } = row.clone();
        Batch::danger_assemble(Vec::new(), vec![Write::Put { key, label, value }])
    }

    /// What a crash in the middle of loading leaves must not be found in the way, nor on the disk, afterwards.
    #[tokio::test]
    async fn what_a_crash_left_of_a_replacement_is_dropped_on_opening() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let old = row(1, b"old");
        {
            let storage = SqliteStorage::open(&path).unwrap();
            storage.commit(put(&old)).await.unwrap();
        }
        {
            let mut connection = schema::open_to_write(&path).unwrap();
            schema::make_staging(&connection).unwrap();
            super::load_piece(&mut connection, 2, &[row(7, b"half")]).unwrap();
        }
        let storage = SqliteStorage::open(&path).unwrap();
        let rows: Vec<_> = storage.dump().await.unwrap().rows.collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, [old]);
        let tables = schema::open_to_read(&path).unwrap();
        let found: i64 = tables
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'staging'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(found, 0);
    }

    #[tokio::test]
    async fn a_replacement_survives_reopening_and_a_failed_one_leaves_no_trace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let new: Vec<_> = (0..=255).map(|id| row(id, &[id; 40_000])).collect();
        let revision = {
            let storage = SqliteStorage::open(&path).unwrap();
            storage.commit(put(&row(1, b"old"))).await.unwrap();
            let broken = [Ok(row(2, b"x")), Err(StorageError::Busy)];
            assert!(storage.replace(Box::new(broken.into_iter())).await.is_err());
            storage.replace(Box::new(new.clone().into_iter().map(Ok))).await.unwrap()
        };
        let storage = SqliteStorage::open(&path).unwrap();
        let dump = storage.dump().await.unwrap();
        assert_eq!((dump.revision, dump.row_count, dump.payload_bytes), (revision, 256, 256 * 40_001));
        assert_eq!(dump.rows.collect::<Result<Vec<_>, _>>().unwrap(), new);
    }
}
