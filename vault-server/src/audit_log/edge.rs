//! The edge of the tree in a file beside the log, so that a long log opens without being read: it says how the tree was at one
//! place of the log. Should it be gone or damaged, the log is read from its start; nothing is believed because of it.

use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use vault_log::tree::Tree;

/// Longest line that is read; a body at its bound, hashed, with room to spare.
const LINE_BYTES_MAX: u64 = 256 << 20;

const SUM_BYTES: usize = 32;

/// Where the edge is kept.
pub(super) struct Edge {
    path: PathBuf,
}

impl Edge {
    /// Finds the tree over a log whose last line is whole.
    ///
    /// # Errors
    /// Fails when the log cannot be read.
    pub(super) fn open(log: &Path) -> Result<(Self, Tree)> {
        let mut name = log.as_os_str().to_owned();
        name.push(".edge");
        let edge = Self { path: name.into() };
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        let (offset, mut tree) = edge.read().filter(|(offset, _)| *offset <= length).unwrap_or_default();
        file.seek(SeekFrom::Start(offset))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = std::io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok((edge, tree));
            }
            let whole = line.strip_suffix(b"\n");
            tree.append(whole.ok_or_else(|| Error::new(ErrorKind::InvalidData, "a line is longer than any record"))?);
        }
    }

    /// Writes the edge down. A failure costs time when the log is opened the next time, and nothing else.
    pub(super) fn store(&self, tree: &Tree, offset: u64) {
        let mut bytes = offset.to_be_bytes().to_vec();
        bytes.extend(tree.to_bytes());
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.persist(&self.path).map_err(|failed| failed.error)
        });
        if let Err(error) = written {
            tracing::warn!("{}: {error}", self.path.display());
        }
    }

    fn read(&self) -> Option<(u64, Tree)> {
        let bytes = std::fs::read(&self.path).ok()?;
        let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM_BYTES)?)?;
        if Sha256::digest(content).as_slice() != sum {
            return None;
        }
        let (offset, tree) = content.split_first_chunk::<8>()?;
        Some((u64::from_be_bytes(*offset), Tree::from_bytes(tree)?))
    }
}
