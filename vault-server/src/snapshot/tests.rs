//! Archives and states against readers that trust nothing.

use std::io::Cursor;
use std::sync::Arc;

use proptest::prelude::*;
use vault_core::id::{Revision, VaultId};
use vault_core::store::{FolderId, RowKey, RowKind};
use vault_core::time::Timestamp;

use super::state::{Head, LABEL_BYTES_MAX, StateReader, write_row};
use super::{Facts, Proof, SnapshotError, save, verify};
use crate::storage::{Dump, StoredRow};

const VAULT: VaultId = VaultId([3; 16]);

fn row(id: u8, label: &[u8], value: &[u8]) -> StoredRow {
    StoredRow {
        key: RowKey::new(FolderId([1; 16]), RowKind::Entry, [id; 16]),
        label: label.into(),
        value: value.into(),
    }
}

fn state(rows: &[StoredRow]) -> Vec<u8> {
    let mut bytes = Head { vault: VAULT, revision: Revision(9), row_count: rows.len() as u64 }.to_bytes();
    rows.iter().for_each(|row| write_row(&mut bytes, row).unwrap());
    bytes
}

fn read(bytes: &[u8]) -> Result<Vec<StoredRow>, SnapshotError> {
    StateReader::new(bytes)?.collect()
}

fn archive(rows: Vec<StoredRow>, row_count: u64) -> Result<Vec<u8>, SnapshotError> {
    let payload_bytes = rows.iter().map(|row| (row.label.len() + row.value.len()) as u64).sum();
    let dump = Dump { revision: Revision(9), row_count, payload_bytes, rows: Box::new(rows.into_iter().map(Ok)) };
    let mut out = Vec::new();
    save(dump, Facts { vault: VAULT, created_at: Timestamp(0) }, |_| Some([7; 32]), &mut out).map(|_| out)
}

#[test]
fn a_row_that_no_reader_takes_is_not_written() {
    let long = row(1, &vec![0; LABEL_BYTES_MAX + 1], b"");
    assert!(matches!(write_row(&mut Vec::new(), &long), Err(SnapshotError::TooLarge { .. })));
    assert!(archive(vec![row(1, b"", b"")], 2).is_err(), "fewer rows than were counted");
}

/// A promise of 4 GiB in a file of a few bytes takes no memory.
#[test]
fn lengths_are_believed_only_as_far_as_bytes_come() {
    let mut bytes = state(&[row(1, b"a", b"b")]);
    let at = bytes.len() - 6;
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(read(&bytes), Err(SnapshotError::TooLarge { .. })));
    bytes[at..at + 4].copy_from_slice(&(200_u32 << 20).to_be_bytes());
    assert!(matches!(read(&bytes), Err(SnapshotError::Shape { .. })));
}

#[test]
fn rows_that_are_no_vault_are_refused_even_by_force() {
    let archive = archive(vec![row(1, b"a", b"b")], 1).unwrap();
    let error = verify(Cursor::new(archive), 1 << 20, &Proof::SumsOnly).unwrap_err();
    assert!(error.to_string().contains("seal is missing"), "{error}");
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(parts in proptest::collection::vec(any::<(Vec<u8>, Vec<u8>)>(), 0..20)) {
        let rows: Vec<_> = (0..).zip(&parts).map(|(id, (label, value))| row(id, label, value)).collect();
        let bytes = state(&rows);
        prop_assert_eq!(read(&bytes).unwrap(), rows);
        for cut in 0..bytes.len() {
            prop_assert!(read(&bytes[..cut]).is_err());
        }
        prop_assert!(read(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn no_state_panics(mut bytes in any::<Vec<u8>>(), flips in any::<Vec<(usize, u8)>>()) {
        let _ = read(&bytes);
        bytes = state(&[row(1, b"abc", b"def"), row(2, b"", b"")]);
        for (at, flip) in flips {
            let at = at % bytes.len();
            bytes[at] ^= flip;
        }
        let _ = read(&bytes);
    }

    #[test]
    fn no_archive_panics_and_none_of_another_kind_passes(
        bytes in any::<Vec<u8>>(),
        flips in proptest::collection::vec(any::<(usize, u8)>(), 0..4),
    ) {
        prop_assert!(verify(Cursor::new(&bytes), 1 << 20, &Proof::SumsOnly).is_err());
        let mut archive = archive(vec![row(1, b"abc", b"def")], 1).unwrap();
        for (at, flip) in flips {
            let at = at % archive.len();
            archive[at] ^= flip;
        }
        prop_assert!(verify(Cursor::new(&archive), 1 << 20, &Proof::SumsOnly).is_err());
        let foreign = Arc::new(|_: &[u8], _: &[u8; 32]| Ok(true));
        prop_assert!(verify(Cursor::new(&archive), 1 << 20, &Proof::OwnSeal(VAULT, foreign.as_ref())).is_err());
    }
}
