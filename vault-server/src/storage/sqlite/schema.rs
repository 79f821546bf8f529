//! Opens connections and keeps the schema.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::io;
use crate::storage::StorageError;

/// Tells our files from those of other programs: "KTRN".
const APPLICATION_ID: i64 = 0x4b54_524e;

/// The version of the schema.
const SCHEMA_VERSION: i64 = 1;

/// Memory for pages of each connection, in KiB; the operating system caches the rest.
const PAGE_CACHE_KIB: i64 = 1024;

/// Prepared statements that each connection keeps.
const STATEMENTS: usize = 8;

/// `WITHOUT ROWID` keeps each row in the tree of its key: a point read walks one tree, and a folder's rows lie side
/// by side. Long values spill into pages of their own, which a listing never touches.
const SCHEMA_ROWS: &str = "
    CREATE TABLE rows (
        key BLOB PRIMARY KEY,
        revision INTEGER NOT NULL,
        label BLOB NOT NULL,
        value BLOB NOT NULL
    ) WITHOUT ROWID;
";

const SCHEMA_STATE: &str = "
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        revision INTEGER NOT NULL
    );
    INSERT INTO state VALUES (1, 0);
";

/// Opens the connection of the writer, making the file if there is none.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, StorageError> {
    create(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = open(path, flags)?;
    prepare(&connection).map_err(|error| io("preparing the file", &error))?;
    check_version(&connection)?;
    drop_staging(&connection).map_err(|error| io("removing what an unfinished restore left", &error))?;
    Ok(connection)
}

/// Makes an empty table that takes the rows of a replacement until it becomes the table of rows.
pub(super) fn make_staging(connection: &Connection) -> rusqlite::Result<()> {
    drop_staging(connection)?;
    connection.execute_batch(&SCHEMA_ROWS.replace("TABLE rows", "TABLE staging"))
}

/// Removes the table of an unfinished replacement, if there is one.
pub(super) fn drop_staging(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("DROP TABLE IF EXISTS staging")
}

/// Opens a connection that only reads.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    open(path, flags)
}

/// Makes the file so that nobody but its owner can read it; one that is there already is left alone.
fn create(path: &Path) -> Result<(), StorageError> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StorageError::Io { what: format!("making {}: {error}", path.display()) }),
    }
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StorageError> {
    let opening = |error: rusqlite::Error| StorageError::Io { what: format!("opening {}: {error}", path.display()) };
    let connection = Connection::open_with_flags(path, flags).map_err(opening)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB).map_err(opening)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let owner: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if tables == 0 && owner == 0 {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.execute_batch(SCHEMA_ROWS)?;
        connection.execute_batch(SCHEMA_STATE)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        connection.execute_batch("COMMIT")?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Pages of deleted rows are overwritten: what is given up shall not be found in the file, sealed or not.
    connection.pragma_update(None, "secure_delete", "FAST")
}

fn check_version(connection: &Connection) -> Result<(), StorageError> {
    let read = |pragma: &str| -> Result<i64, StorageError> {
        connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(|error| io("reading the version", &error))
    };
    let (owner, version) = (read("application_id")?, read("user_version")?);
    if owner != APPLICATION_ID {
        return Err(StorageError::Version { what: "the file is a database of another program".to_owned() });
    }
    if version != SCHEMA_VERSION {
        let what = format!("the file has schema {version}, this program knows schema {SCHEMA_VERSION}");
        return Err(StorageError::Version { what });
    }
    Ok(())
}
