//! `keyturn person new`.

use std::path::PathBuf;

use clap::Args;
use vault_custody::card::PersonName;
use vault_custody::files::{self, FileError};
use vault_custody::identity::{COST_DEFAULT, Identity};

use crate::connect::Global;
use crate::failure::Failure;
use crate::passphrase;

#[derive(Args)]
pub(crate) struct Arguments {
    /// What the person is called in charters: a-z, 0-9, '-', '.', '_'
    name: String,
    /// The identity file to write; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Read the passphrase from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let name = PersonName::parse(&arguments.name).map_err(|error| Failure::usage(error.to_string()))?;
    let out = arguments.out.as_path();
    // Told before a passphrase is thought up; writing checks again.
    if out.exists() {
        return Err(anyhow::Error::from(FileError::Exists { path: out.to_owned() }).into());
    }
    let passphrase = passphrase::new(arguments.passphrase_file.as_deref())?;
    let mut rng = rand::rng();
    let identity = Identity::random(name, &mut rng);
    let file = identity.seal(&passphrase, COST_DEFAULT, &mut rng).map_err(anyhow::Error::from)?;
    files::write_new(out, file.as_bytes()).map_err(anyhow::Error::from)?;
    let card = identity.card();
    super::show(&card, global)?;
    super::tell(
        global,
        &format!(
            "\nThe keys are in {}. Keep a copy of it, and the passphrase in your head: without either of them nothing that is\n\
             sealed to you opens. The card above is public. Let whoever writes the charter compare the fingerprint with you:\n  {}",
            out.display(),
            card.signing_key.fingerprint()
        ),
    );
    Ok(())
}
