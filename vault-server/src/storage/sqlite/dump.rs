//! Reads every row of one instant, page by page, on a connection of its own.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};
use vault_core::id::Revision;
use vault_core::store::RowKey;

use super::{io, schema};
use crate::storage::{Dump, StorageError, StoredRow};

/// Most rows of a page.
const PAGE_ROWS_MAX: usize = 1_000;

/// A page with this many bytes takes no further row.
const PAGE_BYTES_ENOUGH: usize = 1 << 20;

/// Begins a read transaction, whose instant is that of the dump.
pub(super) fn begin(path: &Path) -> Result<Dump, StorageError> {
    let connection = schema::open_to_read(path)?;
    let (revision, row_count, payload_bytes) = measure(&connection).map_err(|error| io("reading", &error))?;
    let pages = Pages { connection, after: Vec::new(), page: Vec::new().into_iter(), last: false };
    Ok(Dump { revision: Revision(revision), row_count, payload_bytes, rows: Box::new(pages) })
}

/// Opens the transaction by its first read. In write-ahead mode it holds up neither writers nor readers.
fn measure(connection: &Connection) -> rusqlite::Result<(u64, u64, u64)> {
    connection.execute_batch("BEGIN DEFERRED")?;
    let unsigned = |number: i64| number.unsigned_abs();
    let revision = connection.query_row("SELECT revision FROM state", [], |row| row.get(0).map(unsigned))?;
    // The lengths stand at the head of each row, so that long values are not read for it.
    let query = "SELECT count(*), coalesce(sum(length(label) + length(value)), 0) FROM rows";
    let (rows, bytes) =
        connection.query_row(query, [], |row| Ok((row.get(0).map(unsigned)?, row.get(1).map(unsigned)?)))?;
    Ok((revision, rows, bytes))
}

/// The rows that are still to come; dropping it ends the transaction with its connection.
struct Pages {
    connection: Connection,
    /// The key of the last row that was read; empty before the first.
    after: Vec<u8>,
    page: std::vec::IntoIter<StoredRow>,
    last: bool,
}

impl Pages {
    fn read(&mut self) -> rusqlite::Result<Vec<StoredRow>> {
        let mut statement =
            self.connection.prepare_cached("SELECT key, label, value FROM rows WHERE key > ?1 ORDER BY key")?;
        let mut found = statement.query(params![self.after])?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < PAGE_ROWS_MAX && bytes < PAGE_BYTES_ENOUGH {
            let Some(row) = found.next()? else {
                self.last = true;
                break;
            };
            let key = row.get_ref(0)?.as_blob()?;
            let key = RowKey::from_bytes(key).ok_or(rusqlite::Error::InvalidQuery)?;
            let (label, value): (Arc<[u8]>, Arc<[u8]>) =
                (row.get_ref(1)?.as_blob()?.into(), row.get_ref(2)?.as_blob()?.into());
            bytes += label.len() + value.len();
            page.push(StoredRow { key, label, value });
        }
        if let Some(row) = page.last() {
            self.after = row.key.as_bytes().to_vec();
        }
        Ok(page)
    }
}

impl Iterator for Pages {
    type Item = Result<StoredRow, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.page.next() {
            return Some(Ok(row));
        }
        if self.last {
            return None;
        }
        match self.read() {
            Ok(page) => self.page = page.into_iter(),
            Err(error) => {
                self.last = true;
                return Some(Err(io("reading", &error)));
            }
        }
        self.page.next().map(Ok)
    }
}
