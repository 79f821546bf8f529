//! `keyturn person card`.

use std::path::{Path, PathBuf};

use clap::Args;
use vault_core::ssh_key::{LINE_LENGTH_BYTES_MAX, SshPublicKey};
use vault_custody::age_seal::Recipient;
use vault_custody::card::{Card, PersonName};
use vault_custody::files;

use crate::connect::Global;
use crate::failure::Failure;
use crate::passphrase;

#[derive(Args)]
pub(crate) struct Arguments {
    /// An identity file; no passphrase is needed, and what it says is checked when it is opened
    #[arg(required_unless_present = "ssh_key", conflicts_with_all = ["name", "ssh_key", "recipient"])]
    file: Option<PathBuf>,
    /// What the person is called
    #[arg(long, requires = "ssh_key")]
    name: Option<String>,
    /// The person's SSH public key, of type ssh-ed25519 or sk-ssh-ed25519@openssh.com
    #[arg(long, value_name = "FILE.pub", requires = "name")]
    ssh_key: Option<PathBuf>,
    /// To whom shares are sealed: age1..., also of a plugin [default: the SSH key]
    #[arg(long, requires = "ssh_key")]
    recipient: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    match (&arguments.file, &arguments.name, &arguments.ssh_key) {
        (Some(file), None, None) => super::show(passphrase::identity_file(file)?.card(), global),
        (None, Some(name), Some(key)) => super::show(&of_ssh_key(name, key, arguments.recipient.as_deref())?, global),
        _ => Err(Failure::usage("give either an identity file, or --name and --ssh-key")),
    }
}

fn of_ssh_key(name: &str, file: &Path, recipient: Option<&str>) -> Result<Card, Failure> {
    let name = PersonName::parse(name).map_err(|error| Failure::usage(error.to_string()))?;
    let line = files::read(file, LINE_LENGTH_BYTES_MAX as u64).map_err(anyhow::Error::from)?;
    let wrong = |reason: String| Failure::usage(format!("{}: {reason}", file.display()));
    let line = std::str::from_utf8(line.expose()).map_err(|error| wrong(error.to_string()))?;
    let signing_key = SshPublicKey::parse(line).map_err(|error| wrong(error.to_string()))?;
    let recipient = match recipient {
        Some(text) => Recipient::parse(text).map_err(|error| Failure::usage(error.to_string()))?,
        // A key on a security key only signs.
        None => Recipient::parse(&signing_key.to_string())
            .map_err(|error| wrong(format!("{error}; name another with --recipient age1...")))?,
    };
    Ok(Card { name, signing_key, recipient })
}
