//! Writes the archive.

use std::io::{Read, Write};

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use vault_core::id::VaultId;
use vault_core::time::Timestamp;

use super::state::{self, Head};
use super::{FORMAT, META, Meta, SEAL_PREFIX, SEALED_SUMS, STATE, SUMS, SnapshotError, hex, sums};
use crate::storage::{Dump, Rows};

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The vault.
    pub vault: VaultId,
    /// When the snapshot was begun.
    pub created_at: Timestamp,
}

/// Writes a dump as an archive and answers the SHA-256 of its sums in hexadecimal. `seal` makes the keyed hash of the
/// sums, unless the vault was sealed meanwhile. Blocks; memory is bounded by a row.
///
/// # Errors
/// Answers [`SnapshotError`]; what was written by then is no whole archive, and a reader finds its end missing.
pub fn save(
    dump: Dump,
    facts: Facts,
    seal: impl FnOnce(&[u8]) -> Option<[u8; 32]>,
    out: impl Write,
) -> Result<String, SnapshotError> {
    let head = Head { vault: facts.vault, revision: dump.revision, row_count: dump.row_count };
    let state_bytes = state::HEAD_BYTES + dump.row_count * state::ROW_OVERHEAD_BYTES + dump.payload_bytes;
    let meta = Meta {
        format: FORMAT,
        vault: hex(facts.vault),
        revision: dump.revision.0,
        rows: dump.row_count,
        state_bytes,
        created_at: facts.created_at.to_string(),
        version: crate::VERSION.to_owned(),
    };
    let meta = serde_json::to_vec(&meta).map_err(|error| SnapshotError::Io { what: error.to_string() })?;
    // Sealed bytes do not get smaller, so that no time is spent on trying.
    let mut archive = Builder::new(GzBuilder::new().write(out, Compression::none()));
    append(&mut archive, META, meta.len() as u64, facts, meta.as_slice())?;
    let mut state = StateBody { rows: dump.rows, buffer: head.to_bytes(), taken: 0, hash: Sha256::new(), given: 0 };
    append(&mut archive, STATE, state_bytes, facts, &mut state)?;
    if state.given != state_bytes {
        return Err(SnapshotError::Io { what: "the store gave another number of bytes than it counted".to_owned() });
    }
    let sums = sums(&Sha256::digest(&meta).into(), &state.hash.finalize().into());
    append(&mut archive, SUMS, sums.len() as u64, facts, sums.as_bytes())?;
    let sealed = data_encoding::HEXLOWER.encode(&seal(sums.as_bytes()).ok_or(SnapshotError::Sealed)?);
    let sealed = format!("{SEAL_PREFIX}{sealed}\n");
    append(&mut archive, SEALED_SUMS, sealed.len() as u64, facts, sealed.as_bytes())?;
    let finished = archive.into_inner().and_then(flate2::write::GzEncoder::finish).and_then(|mut out| out.flush());
    finished.map_err(|error| writing(&error))?;
    Ok(data_encoding::HEXLOWER.encode(&Sha256::digest(sums.as_bytes())))
}

fn append<W: Write>(
    archive: &mut Builder<W>,
    name: &str,
    size: u64,
    facts: Facts,
    content: impl Read,
) -> Result<(), SnapshotError> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    header.set_mtime(u64::try_from(facts.created_at.unix_seconds()).unwrap_or(0));
    header.set_path(name).map_err(|error| writing(&error))?;
    header.set_cksum();
    archive.append(&header, content).map_err(|error| writing(&error))
}

fn writing(error: &std::io::Error) -> SnapshotError {
    SnapshotError::Io { what: error.to_string() }
}

/// Gives the bytes of `state.bin` as they are asked for, a row at a time.
struct StateBody {
    rows: Rows,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were given.
    taken: usize,
    hash: Sha256,
    /// Bytes given in all.
    given: u64,
}

impl Read for StateBody {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        if self.taken == self.buffer.len() {
            let Some(row) = self.rows.next() else { return Ok(0) };
            self.buffer.clear();
            self.taken = 0;
            let row = row.map_err(std::io::Error::other)?;
            state::write_row(&mut self.buffer, &row).map_err(std::io::Error::other)?;
        }
        let mut rest = self.buffer.get(self.taken..).unwrap_or_default();
        let given = rest.read(target)?;
        self.hash.update(target.get(..given).unwrap_or_default());
        self.taken += given;
        self.given += given as u64;
        Ok(given)
    }
}
