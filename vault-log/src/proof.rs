//! Proofs about a log for who has a checkpoint and not the log: that a record is in it, and that it only grew.

use std::fmt;

use data_encoding::BASE64;
use tlog_tiles::{Hash, check_record, check_tree, prove_record, prove_tree};

use crate::checkpoint::{Checkpoint, CheckpointError, CheckpointKey};
use crate::tiles::{TileHashes, TileSource};

/// Largest tree that is reckoned with: more records than any log will hold, and small enough for every sum.
pub const SIZE_MAX: u64 = 1 << 48;

/// Most hashes of a proof: twice the height of the largest tree.
const HASHES_MAX: usize = 96;

/// Longest text of a receipt, in bytes.
pub const RECEIPT_LENGTH_BYTES_MAX: usize = 16 << 10;

const RECEIPT_HEAD: &str = "c2sp.org/tlog-proof@v1";

/// Says why a proof shows nothing.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProofError {
    /// It cannot be made.
    #[error("the proof cannot be made: {0}")]
    Make(String),
    /// It is none.
    #[error("this is no {what}: {why}")]
    Text {
        /// What it should be.
        what: &'static str,
        /// Why it is none.
        why: &'static str,
    },
    /// Its checkpoint does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It does not lead to the root that was signed.
    #[error("the proof does not lead to the root that the vault signed: record {index} is not the one of the receipt")]
    Record {
        /// The record's number.
        index: u64,
    },
    /// The log became shorter.
    #[error("the log has {found} records, and had {known} before: it was put back or cut off")]
    Shorter {
        /// How many it had.
        known: u64,
        /// How many it has.
        found: u64,
    },
    /// The log is another one.
    #[error("the first {known} records are not those that were signed before: the log was rewritten")]
    Rewritten {
        /// How many records the log had before.
        known: u64,
    },
}

/// Shows that a record is in the log (C2SP tlog-proof): its number and hash, the way to the root, and the signed checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The record's number, from 0.
    pub index: u64,
    /// The record's hash.
    pub leaf: [u8; 32],
    path: Vec<[u8; 32]>,
    checkpoint: String,
}

impl Receipt {
    /// Proves that a record is among those that a checkpoint is signed over.
    ///
    /// # Errors
    /// Answers [`ProofError::Make`] if it is not, or if what lies in the tiles does not lead to the checkpoint.
    pub fn prove(index: u64, signed: &SignedCheckpoint, source: &dyn TileSource) -> Result<Self, ProofError> {
        let made = |error: &dyn fmt::Display| ProofError::Make(error.to_string());
        let size = signed.checkpoint.size;
        if index >= size || size > SIZE_MAX {
            return Err(ProofError::Make(format!("no checkpoint vouches for record {index} yet")));
        }
        let hashes = TileHashes { size, source };
        let leaf = hashes.leaf(index).map_err(|error| made(&error))?;
        let path = prove_record(size, index, &hashes).map_err(|error| made(&error))?;
        let path = path.into_iter().map(|hash| hash.0).collect();
        let receipt = Self { index, leaf, path, checkpoint: signed.note.clone() };
        receipt.leads_to(&signed.checkpoint).map_err(|_| made(&"the tiles do not fit the log"))?;
        Ok(receipt)
    }

    /// Verifies the receipt by the vault's public key, and gives the checkpoint.
    ///
    /// # Errors
    /// Answers [`ProofError`] with what does not hold.
    pub fn verify(&self, key: &CheckpointKey) -> Result<Checkpoint, ProofError> {
        let checkpoint = key.verify(&self.checkpoint)?;
        self.leads_to(&checkpoint)?;
        Ok(checkpoint)
    }

    /// Gives the note of the checkpoint, with the lines of witnesses in it.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// Tells whether the receipt is for this record: a line of the log without its line feed.
    pub fn is_for(&self, record: &[u8]) -> bool {
        crate::tree::leaf_of(record) == self.leaf
    }

    fn leads_to(&self, checkpoint: &Checkpoint) -> Result<(), ProofError> {
        let wrong = || ProofError::Record { index: self.index };
        if self.index >= checkpoint.size || checkpoint.size > SIZE_MAX {
            return Err(wrong());
        }
        let path = self.path.iter().map(|hash| Hash(*hash)).collect();
        check_record(&path, checkpoint.size, Hash(checkpoint.root), self.index, Hash(self.leaf)).map_err(|_| wrong())
    }

    /// Reads a receipt.
    ///
    /// # Errors
    /// Answers [`ProofError::Text`] for what is none.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let no = |why| ProofError::Text { what: "receipt", why };
        if text.len() > RECEIPT_LENGTH_BYTES_MAX {
            return Err(no("it is too long"));
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(|| no("it has no checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(RECEIPT_HEAD) {
            return Err(no("it does not begin as one"));
        }
        let leaf = lines.next().and_then(|line| line.strip_prefix("extra ")).ok_or_else(|| no("it names no record"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or_else(|| no("it has no number"))?;
        let number = index.parse().map_err(|_| no("its number is none"))?;
        if index != format!("{number}") {
            return Err(no("its number is none"));
        }
        let leaf = hash_of(leaf).ok_or_else(|| no("the record's hash is none"))?;
        let path = hashes_of(lines).ok_or_else(|| no("one of its hashes is none"))?;
        Ok(Self { index: number, leaf, path, checkpoint: checkpoint.to_owned() })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{RECEIPT_HEAD}\nextra {}\nindex {}\n", BASE64.encode(&self.leaf), self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// A checkpoint with the note that it was signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The note.
    pub note: String,
}

/// Shows that a log goes on from what it was (RFC 6962 section 2.1.2).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Growth(Vec<[u8; 32]>);

impl Growth {
    /// Proves that a log of `new` records goes on from its first `old` ones.
    ///
    /// # Errors
    /// Answers [`ProofError::Make`] if the tiles cannot be read.
    pub fn prove(old: u64, new: u64, source: &dyn TileSource) -> Result<Self, ProofError> {
        if old == 0 || old == new {
            return Ok(Self::default());
        }
        if old > new || new > SIZE_MAX {
            return Err(ProofError::Shorter { known: old, found: new });
        }
        let proof = prove_tree(new, old, &TileHashes { size: new, source });
        let proof = proof.map_err(|error| ProofError::Make(error.to_string()))?;
        Ok(Self(proof.into_iter().map(|hash| hash.0).collect()))
    }

    /// Verifies that the log of one checkpoint goes on from that of another, which was seen before.
    ///
    /// # Errors
    /// Answers [`ProofError`] with what happened to the log.
    pub fn verify(&self, old: &Checkpoint, new: &Checkpoint) -> Result<(), ProofError> {
        let rewritten = || ProofError::Rewritten { known: old.size };
        if new.size < old.size {
            return Err(ProofError::Shorter { known: old.size, found: new.size });
        }
        if new.size > SIZE_MAX || old.origin != new.origin {
            return Err(rewritten());
        }
        if old.size == new.size {
            return if old.root == new.root { Ok(()) } else { Err(rewritten()) };
        }
        if old.size == 0 {
            return Ok(());
        }
        let proof = self.0.iter().map(|hash| Hash(*hash)).collect();
        check_tree(&proof, new.size, Hash(new.root), old.size, Hash(old.root)).map_err(|_| rewritten())
    }

    /// Reads the hashes, each in Base64.
    ///
    /// # Errors
    /// Answers [`ProofError::Text`] for what is none.
    pub fn parse<'a>(hashes: impl IntoIterator<Item = &'a str>) -> Result<Self, ProofError> {
        let no = || ProofError::Text { what: "proof that a log grew", why: "one of its hashes is none" };
        hashes_of(hashes).map(Self).ok_or_else(no)
    }

    /// Writes the hashes, each in Base64.
    pub fn to_texts(&self) -> Vec<String> {
        self.0.iter().map(|hash| BASE64.encode(hash)).collect()
    }
}

fn hash_of(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn hashes_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Vec<[u8; 32]>> {
    let hashes: Option<Vec<_>> = texts.into_iter().take(HASHES_MAX + 1).map(hash_of).collect();
    hashes.filter(|hashes| hashes.len() <= HASHES_MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Error, ErrorKind};

    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::CheckpointSigner;
    use crate::tiles::{TileId, Tiles};
    use crate::tree::{Tree, leaf_of};

    /// A log in memory: its full tiles, and the growing ones.
    #[derive(Default)]
    struct Log {
        full: BTreeMap<TileId, Vec<u8>>,
        tiles: Tiles,
    }

    impl Log {
        fn of(records: u64, seed: u64) -> Self {
            let mut log = Self::default();
            for number in 0..records {
                for tile in log.tiles.append(leaf_of(format!("{seed}/{number}").as_bytes())) {
                    assert!(log.full.insert(tile.id, tile.hashes).is_none(), "a tile is written once");
                }
            }
            log
        }

        fn signed(&self) -> SignedCheckpoint {
            let note = signer().sign(self.tiles.size(), self.tiles.root()).unwrap();
            SignedCheckpoint { checkpoint: signer().public().verify(&note).unwrap(), note }
        }
    }

    impl TileSource for Log {
        fn tile(&self, id: TileId, width: usize) -> std::io::Result<Vec<u8>> {
            let partial = || self.tiles.partial().find(|tile| tile.id == id).map(|tile| tile.hashes);
            let hashes = self.full.get(&id).cloned().or_else(partial).ok_or(ErrorKind::NotFound)?;
            hashes.get(..width * 32).map(<[u8]>::to_vec).ok_or_else(|| Error::from(ErrorKind::InvalidData))
        }
    }

    fn signer() -> CheckpointSigner {
        CheckpointSigner::new([1; 16], SigningKey::from_bytes(&[1; 32]))
    }

    #[test]
    fn tiles_are_those_of_the_specification() {
        let path = |level, number, width| TileId { level, number }.path(width);
        assert_eq!(path(0, 0, 256), "tile/0/000");
        assert_eq!(path(1, 1_234_067, 256), "tile/1/x001/x234/067");
        assert_eq!(path(2, 1_234_067, 8), "tile/2/x001/x234/067.p/8");
        let log = Log::of(70_000, 0);
        let full: Vec<String> = log.full.keys().map(|id| id.path(256)).collect();
        assert_eq!(full.len(), 273 + 1, "273 tiles of records, and one over the first 256 of them");
        assert_eq!(full.last().unwrap(), "tile/1/000");
        let partial: Vec<String> = log.tiles.partial().map(|tile| tile.id.path(tile.width())).collect();
        assert_eq!(partial, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    }

    #[test]
    fn the_root_is_that_of_the_tree_and_a_tree_is_gone_on_with() {
        let mut tree = Tree::default();
        let mut log = Log::default();
        for number in 0..66_000_u64 {
            let leaf = leaf_of(format!("0/{number}").as_bytes());
            tree.append_leaf(leaf);
            log.tiles.append(leaf).into_iter().for_each(|tile| drop(log.full.insert(tile.id, tile.hashes)));
            if number % 251 == 0 || number > 65_500 {
                assert_eq!(log.tiles.root(), tree.root(), "{number}");
                let again = Tiles::read(number + 1, &log).unwrap();
                assert_eq!((again.size(), again.root()), (number + 1, tree.root()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_record_and_every_growth_is_proven(size in 1_u64..3_000, index: prop::sample::Index, old: prop::sample::Index) {
            let (log, index) = (Log::of(size, 0), index.index(size as usize) as u64);
            let signed = log.signed();
            let receipt = Receipt::prove(index, &signed, &log).unwrap();
            let again = Receipt::parse(&receipt.to_string()).unwrap();
            prop_assert_eq!(&again, &receipt);
            prop_assert_eq!(again.verify(&signer().public()).unwrap().size, size);
            let record = format!("0/{index}");
            prop_assert!(again.is_for(record.as_bytes()) && !again.is_for(b"0/x"));

            let old_size = old.index(size as usize + 1) as u64;
            let old = Log::of(old_size, 0).signed().checkpoint;
            let growth = Growth::prove(old_size, size, &log).unwrap();
            let texts = growth.to_texts();
            let growth = Growth::parse(texts.iter().map(String::as_str)).unwrap();
            growth.verify(&old, &signed.checkpoint).unwrap();
            if old_size > 0 {
                let fork = Log::of(old_size, 1).signed().checkpoint;
                prop_assert_eq!(growth.verify(&fork, &signed.checkpoint), Err(ProofError::Rewritten { known: old_size }));
            }
        }

        #[test]
        fn an_altered_receipt_shows_nothing(size in 1_u64..600, at: prop::sample::Index, index: prop::sample::Index, byte: u8) {
            let log = Log::of(size, 0);
            let receipt = Receipt::prove(index.index(size as usize) as u64, &log.signed(), &log).unwrap().to_string();
            let mut altered = receipt.clone().into_bytes();
            let at = at.index(altered.len());
            altered[at] = byte;
            prop_assume!(altered != receipt.as_bytes());
            if let Ok(text) = String::from_utf8(altered) {
                prop_assert!(Receipt::parse(&text).is_err() || Receipt::parse(&text).unwrap().verify(&signer().public()).is_err());
            }
        }

        #[test]
        fn any_text_is_no_receipt(text in "\\PC{0,80}(\n\\PC{0,40}){0,6}") {
            prop_assert!(Receipt::parse(&text).is_err());
        }

        #[test]
        fn any_hashes_show_nothing(hashes: Vec<[u8; 32]>, old in 1_u64.., new in 1_u64.., index: u64) {
            let checkpoint = |size, root| Checkpoint { origin: String::new(), size, root };
            prop_assume!(old != new);
            prop_assert!(Growth(hashes.clone()).verify(&checkpoint(old, [1; 32]), &checkpoint(new, [2; 32])).is_err());
            let receipt = Receipt { index, leaf: [0; 32], path: hashes, checkpoint: String::new() };
            prop_assert!(receipt.leads_to(&checkpoint(new, [2; 32])).is_err());
        }
    }

    #[test]
    fn a_log_that_became_shorter_or_another_is_named() {
        let (short, long) = (Log::of(5, 0).signed().checkpoint, Log::of(9, 0).signed().checkpoint);
        assert_eq!(Growth::default().verify(&long, &short), Err(ProofError::Shorter { known: 9, found: 5 }));
        let fork = Log::of(9, 1).signed().checkpoint;
        assert_eq!(Growth::default().verify(&long, &fork), Err(ProofError::Rewritten { known: 9 }));
        assert!(Receipt::prove(9, &Log::of(9, 0).signed(), &Log::of(9, 0)).is_err(), "not yet signed for");
    }
}
