//! `state.bin`: the rows of a vault one after another.

use std::io::Read;
use std::sync::Arc;

use vault_core::id::{Revision, VaultId};
use vault_core::store::RowKey;

use super::SnapshotError;
use crate::storage::StoredRow;

/// Longest label; a sealed name has at most a few thousand bytes.
pub const LABEL_BYTES_MAX: usize = 64 << 10;

/// Longest value; far above what the default bound on a request lets in.
pub const VALUE_BYTES_MAX: usize = 256 << 20;

/// Bytes of the head.
pub const HEAD_BYTES: u64 = 41;

/// Bytes of a row beside its label and value.
pub const ROW_OVERHEAD_BYTES: u64 = 41;

const MAGIC: &[u8; 8] = b"KTSNAPSH";
const FORMAT: u8 = 1;

/// What stands before the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The vault that the rows are of.
    pub vault: VaultId,
    /// The revision that they are of.
    pub revision: Revision,
    /// How many there are.
    pub row_count: u64,
}

impl Head {
    /// Writes the head.
    pub fn to_bytes(self) -> Vec<u8> {
        let (revision, rows) = (self.revision.0.to_be_bytes(), self.row_count.to_be_bytes());
        [MAGIC.as_slice(), &[FORMAT], &self.vault.0, &revision, &rows].concat()
    }
}

/// Writes one row behind `bytes`.
///
/// # Errors
/// Answers [`SnapshotError::TooLarge`] for a row that no reader would accept.
pub fn write_row(bytes: &mut Vec<u8>, row: &StoredRow) -> Result<(), SnapshotError> {
    let label = length(&row.label, "the label of a row", LABEL_BYTES_MAX)?;
    let value = length(&row.value, "the value of a row", VALUE_BYTES_MAX)?;
    for part in [row.key.as_bytes().as_slice(), &label.to_be_bytes(), &value.to_be_bytes(), &row.label, &row.value] {
        bytes.extend_from_slice(part);
    }
    Ok(())
}

fn length(part: &[u8], what: &'static str, most: usize) -> Result<u32, SnapshotError> {
    let too_large = SnapshotError::TooLarge { what, bytes_max: most as u64 };
    if part.len() > most {
        return Err(too_large);
    }
    u32::try_from(part.len()).map_err(|_| too_large)
}

/// Reads rows one by one, each within its bounds, and ends for good at the first that is wrong.
pub struct StateReader<R> {
    source: R,
    head: Head,
    rows_left: u64,
    last: Option<RowKey>,
    ended: bool,
}

impl<R: Read> StateReader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// Answers [`SnapshotError`] when it is none.
    pub fn new(mut source: R) -> Result<Self, SnapshotError> {
        let magic: [u8; 8] = array(&mut source)?;
        let [format] = array(&mut source)?;
        if &magic != MAGIC {
            return Err(SnapshotError::shape("state.bin does not begin with its mark"));
        }
        if format != FORMAT {
            let what = format!("state.bin has format {format}, this program reads format {FORMAT}");
            return Err(SnapshotError::Shape { what });
        }
        let vault = VaultId(array(&mut source)?);
        let revision = Revision(u64::from_be_bytes(array(&mut source)?));
        let row_count = u64::from_be_bytes(array(&mut source)?);
        let head = Head { vault, revision, row_count };
        Ok(Self { source, head, rows_left: row_count, last: None, ended: false })
    }

    /// Gives the head.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Gives the source back.
    pub fn into_source(self) -> R {
        self.source
    }

    fn row(&mut self) -> Result<StoredRow, SnapshotError> {
        let key: [u8; RowKey::LENGTH_BYTES] = array(&mut self.source)?;
        let key = RowKey::from_bytes(&key).ok_or_else(|| SnapshotError::shape("a row of state.bin has no key"))?;
        if self.last.is_some_and(|last| key <= last) {
            return Err(SnapshotError::shape("the rows of state.bin are not in order"));
        }
        self.last = Some(key);
        let label_length = u32::from_be_bytes(array(&mut self.source)?);
        let value_length = u32::from_be_bytes(array(&mut self.source)?);
        let label = self.part(label_length, "the label of a row", LABEL_BYTES_MAX)?;
        let value = self.part(value_length, "the value of a row", VALUE_BYTES_MAX)?;
        Ok(StoredRow { key, label, value })
    }

    fn part(&mut self, length: u32, what: &'static str, most: usize) -> Result<Arc<[u8]>, SnapshotError> {
        if u64::from(length) > most as u64 {
            return Err(SnapshotError::TooLarge { what, bytes_max: most as u64 });
        }
        // Memory grows with what comes, not with what was promised.
        let mut part = Vec::new();
        let read = self.source.by_ref().take(length.into()).read_to_end(&mut part).map_err(|error| reading(&error))?;
        if read as u64 == u64::from(length) { Ok(part.into()) } else { Err(short()) }
    }

    fn end(&mut self) -> Result<(), SnapshotError> {
        match self.source.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(SnapshotError::shape("state.bin goes on after its last row")),
            Err(error) => Err(reading(&error)),
        }
    }
}

impl<R: Read> Iterator for StateReader<R> {
    type Item = Result<StoredRow, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.rows_left == 0 {
            self.ended = true;
            return self.end().err().map(Err);
        }
        self.rows_left -= 1;
        let row = self.row();
        self.ended = row.is_err();
        Some(row)
    }
}

fn array<const LENGTH: usize>(source: &mut impl Read) -> Result<[u8; LENGTH], SnapshotError> {
    let mut bytes = [0; LENGTH];
    source.read_exact(&mut bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => short(),
        _ => reading(&error),
    })?;
    Ok(bytes)
}

fn short() -> SnapshotError {
    SnapshotError::shape("state.bin ends early")
}

fn reading(error: &std::io::Error) -> SnapshotError {
    SnapshotError::Shape { what: format!("state.bin cannot be read: {error}") }
}
