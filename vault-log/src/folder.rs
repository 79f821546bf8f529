//! Reads what a server keeps beside a log: the tree in tiles, and the newest checkpoint.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

use crate::checkpoint::Checkpoint;
use crate::proof::SignedCheckpoint;
use crate::tiles::{TileId, TileSource, WIDTH};

/// Longest checkpoint that is read, in bytes.
const CHECKPOINT_BYTES_MAX: u64 = 16 << 10;

const HASH_BYTES: usize = 32;

/// The folder beside a log, whose name is that of the log and `.tree`.
#[derive(Clone, Debug)]
pub struct TreeFolder {
    path: PathBuf,
}

impl TreeFolder {
    /// Names the folder beside a log, whether it is there or not.
    pub fn beside(log: &Path) -> Self {
        let mut name = log.as_os_str().to_owned();
        name.push(".tree");
        Self { path: name.into() }
    }

    /// Gives where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the newest checkpoint; none if nothing was signed yet. Who signed it is not asked here.
    ///
    /// # Errors
    /// Fails when it cannot be read or is none.
    pub fn last_checkpoint(&self) -> Result<Option<SignedCheckpoint>> {
        let file = match File::open(self.path.join("checkpoint")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut note = String::new();
        file.take(CHECKPOINT_BYTES_MAX).read_to_string(&mut note)?;
        let damaged = |_| Error::new(ErrorKind::InvalidData, "the file of the last checkpoint holds none");
        let checkpoint = Checkpoint::danger_unverified(&note).map_err(damaged)?;
        Ok(Some(SignedCheckpoint { checkpoint, note }))
    }
}

impl TileSource for TreeFolder {
    fn tile(&self, id: TileId, width: usize) -> Result<Vec<u8>> {
        let full = || File::open(self.path.join(id.path(WIDTH)));
        // A partial tile goes away once the full one is there.
        let opened = full().or_else(|_| File::open(self.path.join(id.path(width)))).or_else(|_| full());
        let mut hashes = vec![0; width * HASH_BYTES];
        opened?.read_exact(&mut hashes)?;
        Ok(hashes)
    }
}
