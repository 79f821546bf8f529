//! What lies beside the log: the tree over it in tiles, its last checkpoint, and the place in the log up to which both are.
//!
//! All of it follows from the log, is written behind it, and is believed only as far as it leads to what was signed. Should it be
//! gone or damaged, the log is read from its start and everything is made anew. Format: docs/formats.md, "Tree of the log".

use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use vault_log::checkpoint::Checkpoint;
use vault_log::folder::TreeFolder;
use vault_log::tiles::{Tile, Tiles, WIDTH};
use vault_log::tree::{Tree, leaf_of};
use vault_log::verify;

/// Longest line that is read; a body at its bound, hashed, with room to spare.
const LINE_BYTES_MAX: u64 = 256 << 20;

const SUM_BYTES: usize = 32;

/// The tree over a log, with what of it is on disk.
pub(super) struct Grown {
    pub(super) tree: Tree,
    tiles: Tiles,
    /// Nobody reads the tree of a log that is no file.
    folder: Option<Writer>,
    /// Full tiles that could not be written yet.
    unwritten: Vec<Tile>,
}

/// Writes the folder beside a log.
struct Writer(TreeFolder);

impl Writer {
    fn write_tile(&self, tile: &Tile) -> Result<()> {
        self.put(&tile.id.path(tile.width()), &tile.hashes)?;
        if tile.width() < WIDTH {
            return Ok(());
        }
        match std::fs::remove_dir_all(self.0.path().join(format!("{}.p", tile.id.path(WIDTH)))) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes a file as a whole or not at all.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.0.path().join(name);
        let folder = path.parent().unwrap_or(self.0.path());
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(&path).map(drop).map_err(|failed| failed.error)
    }

    fn store_edge(&self, tree: &Tree, offset: u64) -> Result<()> {
        let mut bytes = offset.to_be_bytes().to_vec();
        bytes.extend(tree.to_bytes());
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        self.put("edge", &bytes)
    }

    fn read_edge(&self) -> Option<(u64, Tree, Tiles)> {
        let bytes = std::fs::read(self.0.path().join("edge")).ok()?;
        let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM_BYTES)?)?;
        if Sha256::digest(content).as_slice() != sum {
            return None;
        }
        let (offset, tree) = content.split_first_chunk::<8>()?;
        let tree = Tree::from_bytes(tree)?;
        let tiles = Tiles::read(tree.size(), &self.0).ok()?;
        (tiles.root() == tree.root()).then(|| (u64::from_be_bytes(*offset), tree, tiles))
    }
}

/// How everything was when a checkpoint was signed.
struct AtCheckpoint {
    note: String,
    tree: Tree,
    tiles: Tiles,
    offset: u64,
}

/// Gives the note of a record that is a checkpoint over all records before it.
fn note_in(line: &[u8], before: &Tree) -> Option<String> {
    let note = verify::note_of(std::str::from_utf8(line).ok()?)?;
    let checkpoint = Checkpoint::danger_unverified(&note).ok()?;
    (checkpoint.size == before.size() && checkpoint.root == before.root()).then_some(note)
}

impl Grown {
    /// Finds the tree over a log whose last line is whole.
    ///
    /// # Errors
    /// Fails when the log cannot be read or its folder cannot be made.
    pub(super) fn open(log: &Path) -> Result<Self> {
        let folder = Writer(TreeFolder::beside(log));
        std::fs::create_dir_all(folder.0.path())?;
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        let (offset, tree, tiles) = folder.read_edge().filter(|(offset, _, _)| *offset <= length).unwrap_or_default();
        let mut grown = Self { tree, tiles, folder: Some(folder), unwritten: Vec::new() };
        file.seek(SeekFrom::Start(offset))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let (mut line, mut offset, mut last) = (Vec::new(), offset, None);
        loop {
            line.clear();
            if Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
                // The files are not synced: what the log holds of a checkpoint is what counts.
                if let Some(AtCheckpoint { note, tree, tiles, offset }) = last {
                    let (tree, tiles) =
                        (std::mem::replace(&mut grown.tree, tree), std::mem::replace(&mut grown.tiles, tiles));
                    grown.checkpoint(&note, offset);
                    (grown.tree, grown.tiles) = (tree, tiles);
                }
                return Ok(grown);
            }
            let whole = line.strip_suffix(b"\n");
            let whole = whole.ok_or_else(|| Error::new(ErrorKind::InvalidData, "a line is longer than any record"))?;
            if let Some(note) = note_in(whole, &grown.tree) {
                last = Some(AtCheckpoint { note, tree: grown.tree.clone(), tiles: grown.tiles.clone(), offset });
            }
            offset += line.len() as u64;
            let leaf = leaf_of(whole);
            grown.tree.append_leaf(leaf);
            grown.append([leaf]);
        }
    }

    /// Is the tree over a log that nobody reads.
    pub(super) fn nowhere() -> Self {
        Self { tree: Tree::default(), tiles: Tiles::default(), folder: None, unwritten: Vec::new() }
    }

    /// Gives what reads the tree.
    pub(super) fn folder(&self) -> Option<&TreeFolder> {
        self.folder.as_ref().map(|writer| &writer.0)
    }

    /// Adds durable records. A tile that cannot be written is tried again with the next ones.
    pub(super) fn append(&mut self, leaves: impl IntoIterator<Item = [u8; 32]>) {
        let Some(folder) = &self.folder else { return };
        for leaf in leaves {
            self.unwritten.extend(self.tiles.append(leaf));
        }
        while let Some(tile) = self.unwritten.first() {
            if let Err(error) = folder.write_tile(tile) {
                tracing::warn!("a tile of the log: {}: {error}", folder.0.path().display());
                return;
            }
            self.unwritten.remove(0);
        }
    }

    /// Keeps a checkpoint over all records so far; `offset` is how long the log is without it. A failure costs time when the
    /// log is opened the next time.
    pub(super) fn checkpoint(&self, note: &str, offset: u64) {
        let Some(folder) = self.folder.as_ref().filter(|_| self.unwritten.is_empty()) else { return };
        let stored = self.tiles.partial().try_for_each(|tile| folder.write_tile(&tile));
        let stored = stored.and_then(|()| folder.store_edge(&self.tree, offset));
        if let Err(error) = stored.and_then(|()| folder.put("checkpoint", note.as_bytes())) {
            tracing::warn!("the tree of the log: {}: {error}", folder.0.path().display());
        }
    }
}
