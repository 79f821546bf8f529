//! Signing through `ssh-keygen -Y sign`, which speaks to agents and security keys.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use data_encoding::BASE64;

use super::{NAMESPACE, SignError, Signature, Signer};
use crate::files;
use vault_core::ssh_key::{LINE_LENGTH_BYTES_MAX, SshPublicKey, take_string};

const PROGRAM: &str = "ssh-keygen";
const ARMOUR_START: &str = "-----BEGIN SSH SIGNATURE-----";
const ARMOUR_END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;

/// Longest output of ssh-keygen that is read; a signature has about 400 bytes.
const OUTPUT_BYTES_MAX: u64 = 16 << 10;

/// Signs with a key file, or with the agent or security key that a public key file stands for.
pub struct SshKeygen {
    file: PathBuf,
    key: SshPublicKey,
}

impl SshKeygen {
    /// Finds the public half of a key: `file` itself if it holds one, else `file` with `.pub` after it.
    ///
    /// # Errors
    /// Answers [`SignError::Key`] if neither holds a key that is accepted.
    pub fn new(file: &Path) -> Result<Self, SignError> {
        let mut beside = file.as_os_str().to_owned();
        beside.push(".pub");
        let beside = PathBuf::from(beside);
        let public = if beside.exists() { beside.as_path() } else { file };
        let wrong = |reason: String| SignError::Key { file: public.display().to_string(), reason };
        let content = files::read(public, LINE_LENGTH_BYTES_MAX as u64).map_err(|error| wrong(error.to_string()))?;
        let line = std::str::from_utf8(content.expose()).map_err(|error| wrong(error.to_string()))?;
        let key = SshPublicKey::parse(line).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { file: file.to_owned(), key })
    }

    fn file(&self) -> String {
        self.file.display().to_string()
    }

    /// Runs the program; it asks for passphrases and touches by itself.
    fn run(&self, bytes: &[u8]) -> Result<String, SignError> {
        let run = |error| SignError::Run { error };
        // An absolute path, so that a name that begins with a dash is not taken for an option.
        let file = std::path::absolute(&self.file).map_err(run)?;
        let mut child = Command::new(PROGRAM)
            .args(["-Y", "sign", "-n", NAMESPACE, "-f"])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(run)?;
        // The program reads all of its input before it writes, so that neither waits for the other for ever. If it ends
        // early its exit code tells why, better than the broken pipe.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(bytes));
        let mut output = String::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(OUTPUT_BYTES_MAX).read_to_string(&mut output).map_err(run)?;
        }
        if child.wait().map_err(run)?.success() { Ok(output) } else { Err(SignError::Refused { file: self.file() }) }
    }
}

impl Signer for SshKeygen {
    fn key(&self) -> &SshPublicKey {
        &self.key
    }

    fn sign(&self, bytes: &[u8]) -> Result<Signature, SignError> {
        let blob = dearmour(&self.run(bytes)?)
            .and_then(|blob| checked(blob, &self.key))
            .map_err(|reason| SignError::Output { file: self.file(), reason })?;
        Ok(Signature::SshSig(blob))
    }
}

fn dearmour(text: &str) -> Result<Vec<u8>, &'static str> {
    let inner = text
        .trim()
        .strip_prefix(ARMOUR_START)
        .and_then(|text| text.strip_suffix(ARMOUR_END))
        .ok_or("it has not the form of an SSH signature")?;
    let digits: String = inner.split_ascii_whitespace().collect();
    BASE64.decode(digits.as_bytes()).map_err(|_| "it is not base64")
}

/// Checks that a blob is by the key and for us; whether the signature holds is for those who verify it.
fn checked(blob: Vec<u8>, key: &SshPublicKey) -> Result<Vec<u8>, &'static str> {
    let mut rest = blob.strip_prefix(MAGIC).ok_or("it is no SSH signature")?;
    let (version, after) = rest.split_first_chunk::<4>().ok_or("it is cut off")?;
    rest = after;
    if u32::from_be_bytes(*version) != VERSION {
        return Err("its version is unknown");
    }
    if take_string(&mut rest).ok_or("it is cut off")? != key.blob() {
        return Err("it is by another key");
    }
    if take_string(&mut rest).ok_or("it is cut off")? != NAMESPACE.as_bytes() {
        return Err("it is for another purpose");
    }
    Ok(blob)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use vault_core::ssh_key::put_string;

    fn key(seed: u8) -> SshPublicKey {
        SshPublicKey::from_ed25519(&SigningKey::from_bytes(&[seed; 32]).verifying_key())
    }

    fn blob(version: u32, key: &SshPublicKey, namespace: &str) -> Vec<u8> {
        let mut blob = MAGIC.to_vec();
        blob.extend_from_slice(&version.to_be_bytes());
        put_string(&mut blob, key.blob());
        put_string(&mut blob, namespace.as_bytes());
        blob
    }

    #[test]
    fn a_blob_of_another_key_or_purpose_is_refused() {
        assert!(checked(blob(1, &key(1), NAMESPACE), &key(1)).is_ok());
        assert_eq!(checked(blob(2, &key(1), NAMESPACE), &key(1)), Err("its version is unknown"));
        assert_eq!(checked(blob(1, &key(1), NAMESPACE), &key(2)), Err("it is by another key"));
        assert_eq!(checked(blob(1, &key(1), "git"), &key(1)), Err("it is for another purpose"));
        assert_eq!(checked(b"SSHSIG".to_vec(), &key(1)), Err("it is cut off"));
        assert_eq!(checked(Vec::new(), &key(1)), Err("it is no SSH signature"));
    }

    proptest! {
        #[test]
        fn no_output_panics(text in ".{0,80}", content in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = dearmour(&text);
            let _ = dearmour(&format!("{ARMOUR_START}{text}{ARMOUR_END}"));
            let _ = checked([MAGIC, &content].concat(), &key(1));
        }
    }
}
