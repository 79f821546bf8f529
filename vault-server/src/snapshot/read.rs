//! Reads the archive: once to verify it whole, and once more for the rows.

use std::io::{BufRead, Read};

use data_encoding::HEXLOWER;
use flate2::bufread::GzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tar::{Archive, Entries, Entry, EntryType};
use vault_core::custody::CUSTODY_ROW;
use vault_core::id::VaultId;
use vault_core::seal::{AtRest, KEYRING_ROW, SEAL_CONFIG_ROW};
use vault_core::store::{Row, RowKey};

use super::state::{Head, StateReader};
use super::{FORMAT, META, Meta, SEAL_PREFIX, SEALED_SUMS, STATE, SUMS, SnapshotError, hex, sums};
use crate::storage::{Rows, StorageError, StoredRow};

const META_BYTES_MAX: u64 = 64 << 10;
const SUMS_BYTES_MAX: u64 = 1 << 10;

/// Most zeros after the last file; `tar` fills an archive up to 10 KiB.
const PADDING_BYTES_MAX: u64 = 64 << 10;

/// Tells whether a keyed hash of sums is one of the vault's.
pub type IsOwn<'a> = dyn Fn(&[u8], &[u8; 32]) -> Result<bool, SnapshotError> + 'a;

/// What a snapshot must show besides its sums.
pub enum Proof<'a> {
    /// The seal of the vault of this id; the function knows its keyed hashes.
    OwnSeal(VaultId, &'a IsOwn<'a>),
    /// Nothing.
    SumsOnly,
}

/// What is known of an archive that was verified to its last byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// What stands before the rows.
    pub head: Head,
    /// The SHA-256 of the sums, in hexadecimal.
    pub sha256: String,
    /// Where `state.bin` begins in the archive, after decompression.
    offset: u64,
    /// The size of `state.bin`.
    state_bytes: u64,
}

/// Verifies an archive whole: its order, sizes, sums, rows, the rows of the seal, and its proof. Blocks; memory is bounded
/// by a row, whatever the archive promises. `state.bin` may have `state_bytes_max`.
///
/// # Errors
/// Answers [`SnapshotError`] with what is wrong first.
pub fn verify(source: impl BufRead, state_bytes_max: u64, proof: &Proof<'_>) -> Result<Verified, SnapshotError> {
    let mut archive = Archive::new(GzDecoder::new(source));
    let mut entries = archive.entries().map_err(|error| unreadable(&error))?.raw(true);
    let meta_bytes = small(next(&mut entries, META, META_BYTES_MAX)?)?;
    let meta = parse_meta(&meta_bytes)?;
    let state = next(&mut entries, STATE, state_bytes_max)?;
    let (offset, state_bytes) = (state.raw_file_position(), state.size());
    let (head, state_digest) = verify_state(state)?;
    if (meta.vault.as_str(), meta.revision, meta.rows, meta.state_bytes)
        != (hex(head.vault).as_str(), head.revision.0, head.row_count, state_bytes)
    {
        return Err(SnapshotError::shape("meta.json and state.bin do not belong together"));
    }
    let given_sums = small(next(&mut entries, SUMS, SUMS_BYTES_MAX)?)?;
    check_sums(&given_sums, &Sha256::digest(&meta_bytes).into(), &state_digest)?;
    let sealed = small(next(&mut entries, SEALED_SUMS, SUMS_BYTES_MAX)?)?;
    if entries.next().is_some() {
        return Err(SnapshotError::shape("there is more after SHA256SUMS.sealed"));
    }
    check_end(archive.into_inner())?;
    if let Proof::OwnSeal(vault, is_own) = proof {
        let seal = parse_seal(&sealed).ok_or(SnapshotError::Foreign)?;
        if head.vault != *vault || !is_own(&given_sums, &seal)? {
            return Err(SnapshotError::Foreign);
        }
    }
    let sha256 = HEXLOWER.encode(&Sha256::digest(&given_sums));
    Ok(Verified { head, sha256, offset, state_bytes })
}

/// Gives the rows of an archive that was verified.
///
/// # Errors
/// Answers [`SnapshotError`] if the source is no longer what it was.
pub fn rows(source: impl BufRead + Send + 'static, verified: &Verified) -> Result<Rows, SnapshotError> {
    let mut inside = GzDecoder::new(source);
    std::io::copy(&mut inside.by_ref().take(verified.offset), &mut std::io::sink())
        .map_err(|error| unreadable(&error))?;
    let rows = StateReader::new(inside.take(verified.state_bytes))?;
    let broken = |error: SnapshotError| StorageError::Io { what: error.to_string() };
    Ok(Box::new(rows.map(move |row| row.map_err(broken))))
}

/// Takes the next file, which must be the one of that name, within its bound and of a plain kind. Extension headers are
/// entries of their own here and so are refused, before the library gathers their content in memory.
fn next<'a, R: Read>(
    entries: &mut Entries<'a, R>,
    name: &'static str,
    bytes_max: u64,
) -> Result<Entry<'a, R>, SnapshotError> {
    let missing = || SnapshotError::Shape { what: format!("{name} is not where it should be") };
    let entry = entries.next().ok_or_else(missing)?.map_err(|error| unreadable(&error))?;
    if entry.header().entry_type() != EntryType::Regular || entry.header().path_bytes().as_ref() != name.as_bytes() {
        return Err(missing());
    }
    if entry.size() > bytes_max {
        return Err(SnapshotError::TooLarge { what: name, bytes_max });
    }
    Ok(entry)
}

fn small(mut entry: Entry<'_, impl Read>) -> Result<Vec<u8>, SnapshotError> {
    let mut content = Vec::new();
    let read = entry.read_to_end(&mut content).map_err(|error| unreadable(&error))?;
    if read as u64 == entry.size() { Ok(content) } else { Err(SnapshotError::shape("it ends early")) }
}

fn parse_meta(bytes: &[u8]) -> Result<Meta, SnapshotError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let unreadable = |error: serde_json::Error| SnapshotError::Shape { what: format!("meta.json: {error}") };
    let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if format != FORMAT {
        let what = format!("meta.json names format {format}, this program reads format {FORMAT}");
        return Err(SnapshotError::Shape { what });
    }
    serde_json::from_slice(bytes).map_err(unreadable)
}

/// Reads every row, and sees to it that what comes out is a vault that can be unsealed.
fn verify_state(source: impl Read) -> Result<(Head, [u8; 32]), SnapshotError> {
    let mut rows = StateReader::new(Hashing { source, hash: Sha256::new() })?;
    let head = rows.head();
    let (mut config, mut keyring, mut custody) = (None, None, None);
    for row in rows.by_ref() {
        let row = row?;
        keep(&mut config, &SEAL_CONFIG_ROW, &row, head);
        keep(&mut keyring, &KEYRING_ROW, &row, head);
        keep(&mut custody, &CUSTODY_ROW, &row, head);
    }
    let unusable = |what: String| SnapshotError::Shape { what: format!("the rows are not those of a vault: {what}") };
    match AtRest::read(config.as_ref(), keyring.as_ref(), custody.as_ref()) {
        Ok(AtRest::Sealed(sealed)) if sealed.config().vault() == head.vault => {}
        Ok(AtRest::Sealed(_)) => return Err(unusable("the seal is that of another".to_owned())),
        Ok(AtRest::Uninitialised) => return Err(unusable("the seal is missing".to_owned())),
        Err(error) => return Err(unusable(error.to_string())),
    }
    Ok((head, rows.into_source().hash.finalize().into()))
}

fn keep(place: &mut Option<Row>, key: &RowKey, row: &StoredRow, head: Head) {
    if row.key == *key {
        let (label, value) = (row.label.clone(), row.value.clone());
        *place = Some(Row { revision: head.revision, label, value });
    }
}

fn check_sums(given: &[u8], meta: &[u8; 32], state: &[u8; 32]) -> Result<(), SnapshotError> {
    let expected = sums(meta, state);
    if given == expected.as_bytes() {
        return Ok(());
    }
    let lines = |text: &[u8], position: usize| text.split(|byte| *byte == b'\n').nth(position).map(<[u8]>::to_vec);
    let file = if lines(given, 0) == lines(expected.as_bytes(), 0) { STATE } else { META };
    Err(SnapshotError::Altered { file })
}

fn parse_seal(sealed: &[u8]) -> Option<[u8; 32]> {
    let digits = std::str::from_utf8(sealed).ok()?.strip_prefix(SEAL_PREFIX)?.strip_suffix('\n')?;
    HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()
}

/// Sees to it that nothing but the zeros that end an archive follows, and that the checksum of the stream fits.
fn check_end(mut inside: GzDecoder<impl BufRead>) -> Result<(), SnapshotError> {
    let more = || SnapshotError::shape("there is more after the end of the archive");
    let mut padding = Vec::new();
    let read = inside.by_ref().take(PADDING_BYTES_MAX + 1).read_to_end(&mut padding);
    if read.map_err(|error| unreadable(&error))? as u64 > PADDING_BYTES_MAX || padding.iter().any(|byte| *byte != 0) {
        return Err(more());
    }
    match inside.into_inner().fill_buf() {
        Ok([]) => Ok(()),
        Ok(_) => Err(more()),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &std::io::Error) -> SnapshotError {
    SnapshotError::Shape { what: format!("the archive cannot be read: {error}") }
}

/// Hashes what passes.
struct Hashing<R> {
    source: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(target)?;
        self.hash.update(target.get(..read).unwrap_or_default());
        Ok(read)
    }
}
