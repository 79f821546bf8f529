//! Who sits at the keyboard: the keys of a person of the charter.

use std::path::PathBuf;

use clap::Args;
use vault_core::secret::SecretText;
use vault_custody::age_seal::{self, Keys, Prompts};
use vault_custody::files;
use vault_custody::identity::{FILE_LENGTH_BYTES_MAX, Identity};
use vault_custody::signing::{IdentitySigner, Signature, Signer, SshKeygen};

use crate::failure::Failure;
use crate::{input, passphrase};

/// The keys of whoever runs the command.
#[derive(Args)]
pub(crate) struct Myself {
    /// Your identity file, as `keyturn person new` makes it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ssh_key", "age_identity"])]
    identity: Option<PathBuf>,
    /// Read the passphrase of the identity file from a file; '-' is standard input
    #[arg(long, value_name = "FILE", requires = "identity")]
    passphrase_file: Option<PathBuf>,
    /// Your SSH key: the file of the private half, or of the public one if an agent or security key has the other
    #[arg(long, value_name = "FILE")]
    ssh_key: Option<PathBuf>,
    /// What opens shares that are sealed to you, if it is not the SSH key: a file of age identities, also of plugins
    #[arg(long, value_name = "FILE", requires = "ssh_key")]
    age_identity: Option<PathBuf>,
}

impl Myself {
    /// Tells whether the person said who they are.
    pub(crate) const fn is_given(&self) -> bool {
        self.identity.is_some() || self.ssh_key.is_some()
    }

    /// Gives the fingerprint of the signing key; nothing has to be opened for it.
    pub(crate) fn fingerprint(&self) -> Result<String, Failure> {
        match (&self.identity, &self.ssh_key) {
            (Some(file), _) => Ok(passphrase::identity_file(file)?.card().signing_key.fingerprint()),
            (None, Some(file)) => Ok(SshKeygen::new(file).map_err(anyhow::Error::from)?.key().fingerprint()),
            (None, None) => Err(who()),
        }
    }

    /// Signs bytes; asks for the passphrase, or has ssh-keygen ask for it.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Signature, Failure> {
        let signed = match (&self.identity, &self.ssh_key) {
            (Some(_), _) => IdentitySigner::new(&self.open_identity()?).sign(bytes),
            (None, Some(file)) => SshKeygen::new(file).map_err(anyhow::Error::from)?.sign(bytes),
            (None, None) => return Err(who()),
        };
        Ok(signed.map_err(anyhow::Error::from)?)
    }

    /// Opens what was sealed to the person.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<SecretText, Failure> {
        let plain = age_seal::open(&self.keys()?, sealed).map_err(anyhow::Error::from)?;
        let text = std::str::from_utf8(plain.expose());
        let text = text.map_err(|_| Failure::refused("what was sealed to you is no text of a share".to_owned()))?;
        Ok(SecretText::new(text.to_owned()))
    }

    fn keys(&self) -> Result<Keys, Failure> {
        let file = match (&self.identity, &self.age_identity, &self.ssh_key) {
            (Some(_), _, _) => return Ok(Keys::of_identity(&self.open_identity()?)),
            (None, Some(file), _) | (None, None, Some(file)) => file,
            (None, None, None) => return Err(who()),
        };
        let content = files::read(file, FILE_LENGTH_BYTES_MAX).map_err(anyhow::Error::from)?;
        let keys = Keys::from_file(&content, Terminal);
        Ok(keys.map_err(|error| anyhow::Error::from(error).context(file.display().to_string()))?)
    }

    fn open_identity(&self) -> Result<Identity, Failure> {
        let file = self.identity.as_deref().ok_or_else(who)?;
        passphrase::open(&passphrase::identity_file(file)?, self.passphrase_file.as_deref())
    }
}

fn who() -> Failure {
    Failure::usage("say who you are: --identity FILE, or --ssh-key FILE")
}

/// Asks on the terminal what a plugin or an encrypted key wants to know.
struct Terminal;

impl Prompts for Terminal {
    fn show(&self, message: &str) {
        eprintln!("{message}");
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let choices = no.map_or_else(|| yes.to_owned(), |no| format!("{yes}/{no}"));
        let answer = input::line(&format!("{message} [{choices}]"))?;
        Some(answer.eq_ignore_ascii_case(yes))
    }

    fn ask(&self, description: &str) -> Option<String> {
        input::line(description)
    }

    fn ask_secret(&self, description: &str) -> Option<SecretText> {
        let secret = input::secret(description, None).ok()?;
        Some(SecretText::new(secret.expose().to_owned()))
    }
}
