//! Witnesses: others who sign that a log only grew as far as they were shown it (C2SP tlog-witness, tlog-cosignature).
//!
//! A log that shows two people two different things, or is put back to an older state, finds no witness that signs both.

use std::fmt;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use signed_note::Note;

use crate::checkpoint::{Checkpoint, CheckpointError, CheckpointKey};
use crate::proof::{Growth, ProofError};

/// The signature type of cosignatures in notes.
const ALGORITHM_COSIGNATURE: u8 = 4;

const HEAD: &str = "cosignature/v1";

/// Longest name of a witness, in bytes.
const NAME_LENGTH_BYTES_MAX: usize = 128;

/// Longest question to a witness, in bytes.
pub const QUESTION_LENGTH_BYTES_MAX: usize = 64 << 10;

/// The time of a cosignature before its signature, in bytes.
const TIME_BYTES: usize = 8;

/// Signs for what a witness has seen.
pub struct WitnessSigner {
    name: String,
    key: SigningKey,
}

/// The public half: `name+hash+key`, as signed-note writes keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WitnessKey {
    name: String,
    key: VerifyingKey,
}

/// What a log asks a witness: to sign for a checkpoint, which goes on from one that the witness has signed for before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// How many records the witness has signed for, as the log remembers it.
    pub old: u64,
    /// That the log goes on from them.
    pub growth: Growth,
    /// The checkpoint, a note that the log has signed.
    pub checkpoint: String,
}

/// Why a witness does not sign.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// The question is none.
    #[error("this is no question to a witness: {0}")]
    Malformed(&'static str),
    /// The checkpoint is of no log that the witness knows, or not signed by it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The witness has signed for more, or for less, than the log remembers.
    #[error("the witness has signed for {signed} records, not for {asked}")]
    Conflict {
        /// How many it has signed for.
        signed: u64,
        /// How many the log remembers.
        asked: u64,
    },
    /// The log does not go on from what the witness has seen.
    #[error(transparent)]
    Log(#[from] ProofError),
}

fn encoded(key: &VerifyingKey) -> Vec<u8> {
    [&[ALGORITHM_COSIGNATURE], key.as_bytes().as_slice()].concat()
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_LENGTH_BYTES_MAX && signed_note::is_key_name_valid(name) && name.is_ascii()
}

/// What is signed: the time and the note's text.
fn signed_bytes(time: u64, text: &[u8]) -> Vec<u8> {
    [format!("{HEAD}\ntime {time}\n").as_bytes(), text].concat()
}

impl WitnessSigner {
    /// Takes the seed of a witness's key; `None` if the name is none.
    pub fn new(name: &str, seed: &[u8; 32]) -> Option<Self> {
        is_name(name).then(|| Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// Gives the public half.
    pub fn public(&self) -> WitnessKey {
        WitnessKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// Signs for a checkpoint at a time, in seconds since 1970, and gives the line for its note.
    ///
    /// # Errors
    /// Answers [`CheckpointError::Text`] for what is no note.
    pub fn cosign(&self, checkpoint: &str, time: u64) -> Result<String, CheckpointError> {
        let wrong = |error: &dyn fmt::Display| CheckpointError::Text(error.to_string());
        let note = Note::from_bytes(checkpoint.as_bytes()).map_err(|error| wrong(&error))?;
        let signature = self.key.sign(&signed_bytes(time, note.text())).to_bytes();
        let bytes = [time.to_be_bytes().as_slice(), &signature].concat();
        let line = signed_note::Signature::new(self.name.clone(), self.public().id(), bytes);
        String::from_utf8(line.map_err(|error| wrong(&error))?.to_bytes()).map_err(|error| wrong(&error))
    }

    /// Judges a question by what the witness has signed for before, and signs.
    ///
    /// Gives the checkpoint, which must be kept on stable storage before the line is given away, and the line.
    ///
    /// # Errors
    /// Answers [`Refused`] with the reason.
    pub fn judge(
        &self,
        question: &Question,
        log: &CheckpointKey,
        before: Option<&Checkpoint>,
        time: u64,
    ) -> Result<(Checkpoint, String), Refused> {
        let shown = log.verify(&question.checkpoint)?;
        let signed = before.map_or(0, |before| before.size);
        if signed != question.old {
            return Err(Refused::Conflict { signed, asked: question.old });
        }
        if let Some(before) = before {
            question.growth.verify(before, &shown)?;
        }
        let line = self.cosign(&question.checkpoint, time)?;
        Ok((shown, line))
    }
}

impl WitnessKey {
    /// Reads a key.
    ///
    /// # Errors
    /// Answers [`CheckpointError::Key`] for what is none.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let wrong = || CheckpointError::Key("write name+hash+key, as `keyturn witness key` prints it".to_owned());
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| wrong())?;
        let (&[ALGORITHM_COSIGNATURE], key) = bytes.split_first_chunk::<1>().ok_or_else(wrong)? else {
            return Err(CheckpointError::Key("it is no key of a witness".to_owned()));
        };
        let key = key.try_into().map_err(|_| wrong())?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| wrong())?;
        let read = Self { name: name.to_owned(), key };
        if !is_name(name) || id != format!("{:08x}", read.id()) { Err(wrong()) } else { Ok(read) }
    }

    /// Gives the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> u32 {
        signed_note::key_id(&self.name, &encoded(&self.key))
    }

    /// Verifies the line that a witness gave for a checkpoint, and tells when it signed, in seconds since 1970.
    ///
    /// # Errors
    /// Answers [`CheckpointError`] with what does not hold.
    pub fn verify(&self, checkpoint: &str, line: &str) -> Result<u64, CheckpointError> {
        let wrong = |why: &dyn fmt::Display| CheckpointError::Signature(why.to_string());
        let note = Note::from_bytes(checkpoint.as_bytes()).map_err(|error| wrong(&error))?;
        let line = signed_note::Signature::from_bytes(line.trim_end_matches('\n').as_bytes());
        let line = line.map_err(|error| wrong(&error))?;
        if line.name() != self.name || line.id() != self.id() {
            return Err(wrong(&format!("it is by {}", line.name())));
        }
        let (time, signature) =
            line.signature().split_first_chunk::<TIME_BYTES>().ok_or_else(|| wrong(&"it is too short"))?;
        let time = u64::from_be_bytes(*time);
        let signature = Signature::from_slice(signature).map_err(|error| wrong(&error))?;
        let signed = signed_bytes(time, note.text());
        self.key.verify_strict(&signed, &signature).map_err(|_| wrong(&"it does not hold"))?;
        Ok(time)
    }

    /// Finds the line of this witness in a note, and verifies it.
    ///
    /// # Errors
    /// Answers [`CheckpointError`] if there is none, or with what does not hold.
    pub fn verify_in(&self, checkpoint: &str) -> Result<u64, CheckpointError> {
        let start = format!("— {} ", self.name);
        let none = || CheckpointError::Signature(format!("{} has not signed", self.name));
        let line = checkpoint.lines().rev().find(|line| line.starts_with(&start)).ok_or_else(none)?;
        self.verify(checkpoint, line)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.id(), BASE64.encode(&encoded(&self.key)))
    }
}

impl Question {
    /// Reads the body of `add-checkpoint`.
    ///
    /// # Errors
    /// Answers [`Refused::Malformed`] for what is none.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        if text.len() > QUESTION_LENGTH_BYTES_MAX {
            return Err(Refused::Malformed("it is too long"));
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(Refused::Malformed("it has no checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let number = old.and_then(|old| old.parse().ok()).filter(|number: &u64| old == Some(&number.to_string()));
        let old = number.ok_or(Refused::Malformed("it does not begin with `old` and a number"))?;
        let growth = Growth::parse(lines).map_err(|_| Refused::Malformed("one of its hashes is none"))?;
        Ok(Self { old, growth, checkpoint: checkpoint.to_owned() })
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.growth.to_texts().iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::CheckpointSigner;

    fn witness(seed: u8) -> WitnessSigner {
        WitnessSigner::new("witness.example.org", &[seed; 32]).unwrap()
    }

    fn log(seed: u8) -> CheckpointSigner {
        CheckpointSigner::new([1; 16], SigningKey::from_bytes(&[seed; 32]))
    }

    fn asked(old: u64, size: u64, root: [u8; 32]) -> Question {
        Question { old, growth: Growth::default(), checkpoint: log(1).sign(size, root).unwrap() }
    }

    #[test]
    fn a_cosignature_holds_for_its_checkpoint_its_witness_and_its_time() {
        let note = log(1).sign(7, [9; 32]).unwrap();
        let line = witness(2).cosign(&note, 1_800_000_000).unwrap();
        let key = WitnessKey::parse(&witness(2).public().to_string()).unwrap();
        assert_eq!(key.verify(&note, &line), Ok(1_800_000_000));
        assert_eq!(key.verify_in(&format!("{note}{line}")), Ok(1_800_000_000));
        assert!(key.verify_in(&note).is_err(), "it has not signed");
        // Word for word what C2SP tlog-cosignature has a witness sign.
        let text = note.split_once("\n\n").unwrap().0;
        let signed = format!("cosignature/v1\ntime 1800000000\n{text}\n");
        assert_eq!(signed_bytes(1_800_000_000, format!("{text}\n").as_bytes()), signed.as_bytes());
        assert!(key.verify(&log(1).sign(8, [9; 32]).unwrap(), &line).is_err());
        assert!(witness(3).public().verify(&note, &line).is_err());
        // The vault's own signature is verified as before, whoever else has signed.
        assert!(log(1).public().verify(&format!("{note}{line}")).is_ok());
        for bad in ["", "a", "a+b+c", "w+00000000+BAAA", &log(1).public().to_string()] {
            assert!(WitnessKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_goes_on_is_signed_for() {
        let key = log(1).public();
        let (first, _) = witness(2).judge(&asked(0, 5, [5; 32]), &key, None, 1).unwrap();
        let judge =
            |question: &Question| witness(2).judge(question, &key, Some(&first), 2).map(|(shown, _)| shown.size);
        assert_eq!(judge(&asked(5, 5, [5; 32])), Ok(5), "the same again");
        assert_eq!(judge(&asked(5, 5, [6; 32])), Err(ProofError::Rewritten { known: 5 }.into()));
        assert_eq!(judge(&asked(5, 4, [4; 32])), Err(ProofError::Shorter { known: 5, found: 4 }.into()));
        assert_eq!(judge(&asked(5, 9, [9; 32])), Err(ProofError::Rewritten { known: 5 }.into()), "no proof");
        assert_eq!(judge(&asked(4, 9, [9; 32])), Err(Refused::Conflict { signed: 5, asked: 4 }));
        let foreign = Question { checkpoint: log(8).sign(9, [9; 32]).unwrap(), ..asked(5, 9, [9; 32]) };
        assert!(matches!(judge(&foreign), Err(Refused::Checkpoint(_))));
    }

    proptest! {
        #[test]
        fn a_question_is_read_as_it_is_written(old: u64, hashes in prop::collection::vec(any::<[u8; 32]>(), 0..20)) {
            let texts: Vec<String> = hashes.iter().map(|hash| BASE64.encode(hash)).collect();
            let growth = Growth::parse(texts.iter().map(String::as_str)).unwrap();
            let question = Question { old, growth, checkpoint: log(1).sign(7, [9; 32]).unwrap() };
            prop_assert_eq!(Question::parse(&question.to_string()), Ok(question));
        }

        #[test]
        fn any_text_is_no_key_and_no_cosignature(text in "\\PC{0,200}") {
            prop_assert!(WitnessKey::parse(&text).is_err());
            prop_assert!(witness(2).public().verify(&log(1).sign(7, [9; 32]).unwrap(), &text).is_err());
            let _ = Question::parse(&text);
        }
    }
}
