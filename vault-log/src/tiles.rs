//! The hashes of the tree in tiles (C2SP tlog-tiles), from which proofs are made without reading the log.
//!
//! Tile `number` of level `level` holds up to 256 hashes, the roots of full subtrees of 256^level records each. Full tiles never
//! change; the last one of each level is partial and named with its width.

use std::io::{Error, ErrorKind, Result};

use tlog_tiles::{Hash, HashReader, node_hash, split_stored_hash_index};

/// How many hashes a full tile holds.
pub const WIDTH: usize = 256;

const WIDTH_BITS: u32 = 8;

const HASH_BYTES: usize = 32;

/// Which tile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TileId {
    /// Over 256^level records is each of its hashes.
    pub level: u8,
    /// Its place in the level, from 0.
    pub number: u64,
}

/// A tile with its hashes, 1 to 256 of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tile {
    /// Which one.
    pub id: TileId,
    /// Its hashes one after another, 32 bytes each.
    pub hashes: Vec<u8>,
}

impl TileId {
    /// Gives the path of the tile below its log: `tile/<level>/<number>`, with `.p/<width>` where it is partial.
    pub fn path(self, width: usize) -> String {
        const BASE: u64 = 1000;
        let mut rest = self.number;
        let mut path = format!("{:03}", rest % BASE);
        while rest >= BASE {
            rest /= BASE;
            path = format!("x{:03}/{path}", rest % BASE);
        }
        let partial = if width == WIDTH { String::new() } else { format!(".p/{width}") };
        format!("tile/{}/{path}{partial}", self.level)
    }
}

impl Tile {
    /// Counts its hashes.
    pub fn width(&self) -> usize {
        self.hashes.len() / HASH_BYTES
    }
}

/// Lists what the last tile of each level is in a tree of so many records, with its width: those that are not full.
pub fn partial_tiles(size: u64) -> impl Iterator<Item = (TileId, usize)> {
    let levels = (0_u8..8).map(move |level| (level, size >> (WIDTH_BITS * u32::from(level))));
    levels.filter_map(|(level, hashes)| {
        let width = usize::try_from(hashes % WIDTH as u64).ok()?;
        (width > 0).then_some((TileId { level, number: hashes >> WIDTH_BITS }, width))
    })
}

/// The last tiles of a growing tree.
#[derive(Clone, Default, Debug)]
pub struct Tiles {
    size: u64,
    /// The hashes of each level that are in no full tile yet.
    levels: Vec<Vec<Hash>>,
}

impl Tiles {
    /// Adds a record by its hash and gives the tiles that are full with it.
    pub fn append(&mut self, leaf: [u8; 32]) -> Vec<Tile> {
        let mut full = Vec::new();
        let mut hash = Hash(leaf);
        self.size += 1;
        for level in 0_u8.. {
            let at = usize::from(level);
            if self.levels.len() == at {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(at) else { break };
            hashes.push(hash);
            if hashes.len() < WIDTH {
                break;
            }
            let number = (self.size >> (WIDTH_BITS * (u32::from(level) + 1))) - 1;
            full.push(Tile { id: TileId { level, number }, hashes: flat(hashes) });
            hash = root_of(hashes);
            hashes.clear();
        }
        full
    }

    /// Counts the records.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Gives the tiles that are not full.
    pub fn partial(&self) -> impl Iterator<Item = Tile> {
        partial_tiles(self.size).filter_map(|(id, _)| {
            let hashes = self.levels.get(usize::from(id.level))?;
            Some(Tile { id, hashes: flat(hashes) })
        })
    }

    /// Goes on with a tree of so many records, whose partial tiles are read.
    ///
    /// # Errors
    /// Fails when one of them cannot be read.
    pub fn read(size: u64, source: &dyn TileSource) -> Result<Self> {
        let mut levels = Vec::new();
        for (id, width) in partial_tiles(size) {
            let hashes = source.tile(id, width)?;
            levels.resize(usize::from(id.level) + 1, Vec::new());
            if let Some(level) = levels.last_mut() {
                *level = split(&hashes, width)?;
            }
        }
        Ok(Self { size, levels })
    }

    /// Gives the root.
    pub fn root(&self) -> [u8; 32] {
        let hashes = |level: u32| self.levels.get(level as usize).map(Vec::as_slice).unwrap_or_default();
        let mut tree = crate::tree::Tree::default();
        for level in (0..8_u32).rev() {
            hashes(level).iter().for_each(|hash| tree.append_subtree(level * WIDTH_BITS, hash.0));
        }
        tree.root()
    }
}

/// Where tiles are read from.
pub trait TileSource {
    /// Gives the first `width` hashes of a tile, 32 bytes each.
    ///
    /// # Errors
    /// Fails when there is no such tile, or one of fewer hashes.
    fn tile(&self, id: TileId, width: usize) -> Result<Vec<u8>>;
}

/// Answers what proofs ask of a tree of `size` records.
pub(crate) struct TileHashes<'a> {
    pub(crate) size: u64,
    pub(crate) source: &'a dyn TileSource,
}

impl TileHashes<'_> {
    pub(crate) fn leaf(&self, index: u64) -> Result<[u8; 32]> {
        Ok(self.hash(tlog_tiles::stored_hash_index(0, index))?.0)
    }

    fn hash(&self, index: u64) -> Result<Hash> {
        let (height, number) = split_stored_hash_index(index);
        let (level, inside) = (height / 8, u32::from(height % 8));
        let first = number << inside;
        let id = TileId { level, number: first >> WIDTH_BITS };
        let in_level = self.size >> (WIDTH_BITS * u32::from(level));
        let width = in_level.saturating_sub(id.number << WIDTH_BITS).min(WIDTH as u64);
        let width = usize::try_from(width).unwrap_or_default();
        let hashes = split(&self.source.tile(id, width)?, width)?;
        let at = usize::try_from(first % WIDTH as u64).unwrap_or_default();
        let subtree = hashes.get(at..at + (1 << inside)).ok_or_else(damaged)?;
        Ok(root_of(subtree))
    }
}

impl HashReader for TileHashes<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> std::result::Result<Vec<Hash>, tlog_tiles::Error> {
        let read = |index: &u64| self.hash(*index).map_err(|error| tlog_tiles::Error::InvalidInput(error.to_string()));
        indexes.iter().map(read).collect()
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::InvalidData, "a tile does not hold as many hashes as it should")
}

fn flat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

fn split(hashes: &[u8], width: usize) -> Result<Vec<Hash>> {
    let (hashes, rest) = hashes.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() || hashes.len() != width {
        return Err(damaged());
    }
    Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
}

/// Gives the root over a full subtree: a power of two of hashes.
fn root_of(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => tlog_tiles::EMPTY_HASH,
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(root_of(left), root_of(right))
        }
    }
}
