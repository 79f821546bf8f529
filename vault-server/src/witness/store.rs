//! What a witness keeps: its key, and for each log the newest checkpoint that it has signed for, on stable storage before
//! anybody has the signature.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use vault_core::secret::SecretBytes;
use vault_log::checkpoint::{Checkpoint, CheckpointKey};

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

const KEY_FILE: &str = "key";

const SEED_BYTES: usize = 32;

/// The folder of a witness.
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens a folder, and makes it if it is not there.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Gives the seed of the key, which is drawn the first time.
    pub(super) fn seed(&self, rng: &mut impl CryptoRng) -> Result<SecretBytes> {
        let path = self.folder.join(KEY_FILE);
        let damaged = || Error::new(ErrorKind::InvalidData, format!("{} holds no key", path.display()));
        if let Some(text) = self.read(KEY_FILE)? {
            let seed = HEXLOWER.decode(text.expose().trim_ascii()).map(SecretBytes::new).map_err(|_| damaged())?;
            return if seed.expose().len() == SEED_BYTES { Ok(seed) } else { Err(damaged()) };
        }
        let mut seed = vec![0; SEED_BYTES];
        rng.fill_bytes(&mut seed);
        let seed = SecretBytes::new(seed);
        let text = SecretBytes::new(HEXLOWER.encode(seed.expose()).into_bytes());
        self.write(KEY_FILE, text.expose())?;
        Ok(seed)
    }

    /// Gives the newest checkpoint of a log that was signed for.
    pub(super) fn newest(&self, log: &CheckpointKey) -> Result<Option<Checkpoint>> {
        let Some(note) = self.read(&name(log))? else { return Ok(None) };
        let damaged = |why: String| Error::new(ErrorKind::InvalidData, format!("{}: {why}", name(log)));
        let note = std::str::from_utf8(note.expose()).map_err(|error| damaged(error.to_string()))?;
        log.verify(note).map(Some).map_err(|error| damaged(error.to_string()))
    }

    /// Keeps a checkpoint.
    pub(super) fn keep(&self, log: &CheckpointKey, note: &str) -> Result<()> {
        self.write(&name(log), note.as_bytes())
    }

    fn read(&self, name: &str) -> Result<Option<SecretBytes>> {
        let file = match File::open(self.folder.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut content = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut content)?;
        Ok(Some(SecretBytes::new(content)))
    }

    /// Writes a file as a whole or not at all, and returns once it is on stable storage.
    fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let (path, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(&self.folder)?.sync_all()
    }
}

/// Names the file of a log; what the log is called may hold anything.
fn name(log: &CheckpointKey) -> String {
    format!("{}.checkpoint", HEXLOWER.encode(&Sha256::digest(log.origin().as_bytes())))
}
