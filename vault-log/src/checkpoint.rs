//! Checkpoints: how many records there are and the root over them, signed by the vault (C2SP tlog-checkpoint, signed-note).

use std::fmt;

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Checkpoint as Text, Hash};

/// The signature type of Ed25519 in notes.
const ALGORITHM_ED25519: u8 = 1;

/// Signs checkpoints in the name of a vault.
pub struct CheckpointSigner {
    origin: String,
    key: SigningKey,
}

/// The public half: what `keyturn audit key` prints, in the form of C2SP signed-note: `name+hash+key`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointKey(String);

/// A checkpoint whose signature holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Which log: `keyturn/` and the vault's id.
    pub origin: String,
    /// How many records.
    pub size: u64,
    /// The root over them.
    pub root: [u8; 32],
}

/// Says what is wrong with a checkpoint.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// The key is none.
    #[error("this is no public key of a log: {0}")]
    Key(String),
    /// The text is none.
    #[error("this is no checkpoint: {0}")]
    Text(String),
    /// It is not signed by the key, or the signature does not hold.
    #[error("the checkpoint is not signed by this key: {0}")]
    Signature(String),
}

fn public(origin: &str, key: &VerifyingKey) -> (u32, String) {
    let encoded = [&[ALGORITHM_ED25519], key.as_bytes().as_slice()].concat();
    let id = signed_note::key_id(origin, &encoded);
    (id, format!("{origin}+{id:08x}+{}", BASE64.encode(&encoded)))
}

impl CheckpointSigner {
    /// Takes the key for a vault's log.
    pub fn new(vault: [u8; 16], key: SigningKey) -> Self {
        Self { origin: format!("keyturn/{}", data_encoding::HEXLOWER.encode(&vault)), key }
    }

    /// Gives the public half.
    pub fn public(&self) -> CheckpointKey {
        CheckpointKey(public(&self.origin, &self.key.verifying_key()).1)
    }

    /// Signs a checkpoint and gives the note.
    ///
    /// # Errors
    /// Answers [`CheckpointError`] if it cannot be written.
    pub fn sign(&self, size: u64, root: [u8; 32]) -> Result<String, CheckpointError> {
        let text =
            Text::new(&self.origin, size, Hash(root), "").map_err(|error| CheckpointError::Text(error.to_string()))?;
        let text = text.to_bytes();
        let id = public(&self.origin, &self.key.verifying_key()).0;
        let signature = signed_note::Signature::new(self.origin.clone(), id, self.key.sign(&text).to_bytes().to_vec());
        let refused = |error: &dyn fmt::Display| CheckpointError::Text(error.to_string());
        let signature = signature.map_err(|error| refused(&error))?;
        let note = Note::new(&text, &[signature]).map_err(|error| refused(&error))?;
        String::from_utf8(note.to_bytes()).map_err(|error| refused(&error))
    }
}

impl CheckpointKey {
    /// Reads a key.
    ///
    /// # Errors
    /// Answers [`CheckpointError`] for what is none.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        StandardVerifier::new(text).map_err(|error| CheckpointError::Key(error.to_string()))?;
        Ok(Self(text.to_owned()))
    }

    /// Gives which log it is of.
    pub fn origin(&self) -> &str {
        self.0.split('+').next().unwrap_or_default()
    }

    /// Verifies a checkpoint.
    ///
    /// # Errors
    /// Answers [`CheckpointError`] with what does not hold.
    pub fn verify(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let verifier = StandardVerifier::new(&self.0).map_err(|error| CheckpointError::Key(error.to_string()))?;
        let note = Note::from_bytes(note.as_bytes()).map_err(|error| CheckpointError::Text(error.to_string()))?;
        let known = VerifierList::new(vec![Box::new(verifier)]);
        note.verify(&known).map_err(|error| CheckpointError::Signature(error.to_string()))?;
        let checkpoint = Checkpoint::of_text(note.text())?;
        if !self.0.starts_with(&format!("{}+", checkpoint.origin)) {
            return Err(CheckpointError::Signature(format!("it is of another log, {}", checkpoint.origin)));
        }
        Ok(checkpoint)
    }
}

impl Checkpoint {
    /// Reads what a note says, without asking who signed it: only for a note that one wrote oneself.
    ///
    /// # Errors
    /// Answers [`CheckpointError::Text`] for what is none.
    pub fn danger_unverified(note: &str) -> Result<Self, CheckpointError> {
        let note = Note::from_bytes(note.as_bytes()).map_err(|error| CheckpointError::Text(error.to_string()))?;
        Self::of_text(note.text())
    }

    fn of_text(text: &[u8]) -> Result<Self, CheckpointError> {
        let text = Text::from_bytes(text).map_err(|error| CheckpointError::Text(error.to_string()))?;
        Ok(Self { origin: text.origin().to_owned(), size: text.size(), root: text.hash().0 })
    }
}

impl fmt::Display for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signer(seed: u8, vault: u8) -> CheckpointSigner {
        CheckpointSigner::new([vault; 16], SigningKey::from_bytes(&[seed; 32]))
    }

    #[test]
    fn a_checkpoint_is_verified_by_its_own_key_only() {
        let signer_one = signer(1, 1);
        let note = signer_one.sign(7, [9; 32]).unwrap();
        let key = CheckpointKey::parse(&signer_one.public().to_string()).unwrap();
        let found = key.verify(&note).unwrap();
        assert_eq!((found.size, found.root), (7, [9; 32]));
        assert_eq!(note.lines().nth(1), Some("7"));
        for other in [signer(2, 1), signer(1, 2)] {
            assert!(matches!(other.public().verify(&note), Err(CheckpointError::Signature(_))));
        }
        for garbage in ["", "x", "keyturn/00+00000000+AAAA"] {
            assert!(CheckpointKey::parse(garbage).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_altered_byte_is_noticed(position: prop::sample::Index, byte: u8) {
            let signer = signer(1, 1);
            let mut note = signer.sign(70, [9; 32]).unwrap().into_bytes();
            let position = position.index(note.len());
            prop_assume!(note[position] != byte);
            note[position] = byte;
            if let Ok(text) = String::from_utf8(note) {
                prop_assert!(signer.public().verify(&text).is_err());
            }
        }

        #[test]
        fn any_text_is_no_checkpoint(text in "\\PC{0,80}(\n\\PC{0,20}){0,6}") {
            prop_assert!(signer(1, 1).public().verify(&text).is_err());
        }
    }
}
