//! Verifies a log from its lines and the vault's public key alone.

use serde::Deserialize;

use crate::checkpoint::{Checkpoint, CheckpointKey};
use crate::tree::Tree;

/// What every checkpoint record begins with, behind its number.
const CHECKPOINT_KIND: &str = "\"format\":1,\"kind\":\"checkpoint\",";

/// Walks along a log.
pub struct Verifier {
    key: CheckpointKey,
    tree: Tree,
    signed_size: u64,
    checkpoints: u64,
}

/// What was verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// How many records the log has.
    pub records: u64,
    /// How many checkpoints in it hold.
    pub checkpoints: u64,
    /// How many records, from the first, a checkpoint vouches for.
    pub signed: u64,
}

/// Says where a log does not hold.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LogError {
    /// A line is missing, there twice, or in another place.
    #[error("line {line} does not have the number {expected}: a record is missing, inserted or moved")]
    Number {
        /// The line, from 1.
        line: u64,
        /// The number that is due.
        expected: u64,
    },
    /// A checkpoint does not hold.
    #[error("record {record}: {why}")]
    Checkpoint {
        /// Its number.
        record: u64,
        /// Why.
        why: String,
    },
    /// A record before a checkpoint is not what was signed.
    #[error("the checkpoint in record {record} was signed over other records: one before it was altered")]
    Root {
        /// The checkpoint's number.
        record: u64,
    },
    /// The log is shorter than what was signed.
    #[error("the log has {found} records, but {size} were signed for: its end was cut off")]
    Short {
        /// How many it has.
        found: u64,
        /// How many were signed for.
        size: u64,
    },
    /// A checkpoint from elsewhere is over other records.
    #[error("the checkpoint over {size} records that you have was signed over other ones: the log was rewritten")]
    Fork {
        /// Its size.
        size: u64,
    },
}

#[derive(Deserialize)]
struct Noted {
    note: String,
}

/// Gives the note that a record holds, if it is a checkpoint; whether that is signed is not asked here.
pub fn note_of(line: &str) -> Option<String> {
    let (_, rest) = line.strip_prefix("{\"number\":")?.split_once(',')?;
    let noted: Noted = rest.starts_with(CHECKPOINT_KIND).then(|| serde_json::from_str(line).ok())??;
    Some(noted.note)
}

impl Verifier {
    /// Begins at the first record.
    pub fn new(key: CheckpointKey) -> Self {
        Self { key, tree: Tree::default(), signed_size: 0, checkpoints: 0 }
    }

    /// Takes the next line, without its line feed.
    ///
    /// # Errors
    /// Answers [`LogError`] with the place where the log does not hold.
    pub fn line(&mut self, line: &str) -> Result<(), LogError> {
        let number = self.tree.size();
        let rest = line.strip_prefix("{\"number\":").and_then(|rest| rest.strip_prefix(&number.to_string()));
        let rest = rest.and_then(|rest| rest.strip_prefix(','));
        let rest = rest.ok_or(LogError::Number { line: number + 1, expected: number })?;
        if rest.starts_with(CHECKPOINT_KIND) {
            self.checkpoint(line, number)?;
        }
        self.tree.append(line.as_bytes());
        Ok(())
    }

    fn checkpoint(&mut self, line: &str, record: u64) -> Result<(), LogError> {
        let wrong = |why: String| LogError::Checkpoint { record, why };
        let noted: Noted = serde_json::from_str(line).map_err(|_| wrong("it holds no note".to_owned()))?;
        let signed = self.key.verify(&noted.note).map_err(|error| wrong(error.to_string()))?;
        if signed.size != record {
            return Err(wrong(format!("it is over {} records and stands behind {record}", signed.size)));
        }
        if signed.root != self.tree.root() {
            return Err(LogError::Root { record });
        }
        self.signed_size = record + 1;
        self.checkpoints += 1;
        Ok(())
    }

    /// Tells whether a checkpoint from elsewhere is about the records so far: to be asked when as many have been walked.
    ///
    /// # Errors
    /// Answers [`LogError::Fork`] if it is over other ones.
    pub fn holds(&self, checkpoint: &Checkpoint) -> Result<bool, LogError> {
        if checkpoint.size != self.tree.size() {
            return Ok(false);
        }
        if checkpoint.root == self.tree.root() { Ok(true) } else { Err(LogError::Fork { size: checkpoint.size }) }
    }

    /// Counts the records so far.
    pub const fn records(&self) -> u64 {
        self.tree.size()
    }

    /// Ends.
    pub fn end(self) -> Verified {
        Verified { records: self.tree.size(), checkpoints: self.checkpoints, signed: self.signed_size }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::checkpoint::CheckpointSigner;

    fn signer() -> CheckpointSigner {
        CheckpointSigner::new([1; 16], SigningKey::from_bytes(&[1; 32]))
    }

    /// Ten records, with a checkpoint after every third and at the end.
    fn log() -> Vec<String> {
        let mut tree = Tree::default();
        let mut lines: Vec<String> = Vec::new();
        for event in 0..10 {
            let number = lines.len();
            lines.push(format!("{{\"number\":{number},\"format\":1,\"kind\":\"request\",\"event\":\"{event}\"}}"));
            tree.append(lines[number].as_bytes());
            if event % 3 == 2 || event == 9 {
                let number = lines.len();
                let note = serde_json::to_string(&signer().sign(tree.size(), tree.root()).unwrap()).unwrap();
                lines.push(format!("{{\"number\":{number},\"format\":1,\"kind\":\"checkpoint\",\"note\":{note}}}"));
                tree.append(lines[number].as_bytes());
            }
        }
        lines
    }

    fn verify<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Verified, LogError> {
        let mut verifier = Verifier::new(signer().public());
        for line in lines {
            verifier.line(line)?;
        }
        Ok(verifier.end())
    }

    fn is_whole(text: &[u8], records: u64) -> bool {
        let Ok(text) = std::str::from_utf8(text) else { return false };
        let Some(text) = text.strip_suffix('\n') else { return false };
        verify(text.split('\n')).is_ok_and(|found| found.signed == records && found.records == records)
    }

    #[test]
    fn every_change_of_every_byte_is_found() {
        let lines = log();
        let (text, records) = (lines.join("\n") + "\n", lines.len() as u64);
        let found = verify(lines.iter().map(String::as_str)).unwrap();
        assert_eq!(found, Verified { records, checkpoints: 4, signed: records });
        assert!(is_whole(text.as_bytes(), records));
        let bytes = text.as_bytes();
        for at in 0..bytes.len() {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1;
            assert!(!is_whole(&flipped, records), "flipped at {at}");
            let mut deleted = bytes.to_vec();
            deleted.remove(at);
            assert!(!is_whole(&deleted, records), "deleted at {at}");
            let mut inserted = bytes.to_vec();
            inserted.insert(at, b'x');
            assert!(!is_whole(&inserted, records), "inserted at {at}");
            assert!(!is_whole(&bytes[..at], records), "cut at {at}");
        }
        for at in 0..lines.len() - 1 {
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            assert!(verify(swapped.iter().map(String::as_str)).is_err(), "swapped at {at}");
        }
    }

    #[test]
    fn a_cut_or_a_fork_is_found_by_who_has_a_later_checkpoint() {
        let lines = log();
        let mut whole = Tree::default();
        lines.iter().for_each(|line| whole.append(line.as_bytes()));
        let mine = Checkpoint { origin: String::new(), size: whole.size(), root: whole.root() };
        let mut verifier = Verifier::new(signer().public());
        for line in lines.iter().take(4) {
            verifier.line(line).unwrap();
            assert_eq!(verifier.holds(&mine), Ok(false), "not there yet");
        }
        let mut forked = Tree::default();
        lines.iter().take(4).for_each(|line| forked.append(line.replace("\"1\"", "\"x\"").as_bytes()));
        let theirs = Checkpoint { origin: String::new(), size: 4, root: forked.root() };
        assert_eq!(verifier.holds(&theirs), Err(LogError::Fork { size: 4 }));
    }
}
