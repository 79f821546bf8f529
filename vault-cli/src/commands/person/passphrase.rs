//! `keyturn person passphrase`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_custody::files;
use vault_custody::identity::COST_DEFAULT;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{output, passphrase};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The identity file
    file: PathBuf,
    /// Read the present passphrase from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Read the new passphrase from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let file = passphrase::identity_file(&arguments.file)?;
    let identity = passphrase::open(&file, arguments.passphrase_file.as_deref())?;
    let new = passphrase::new(arguments.new_passphrase_file.as_deref())?;
    let sealed = identity.seal(&new, COST_DEFAULT, &mut rand::rng()).map_err(anyhow::Error::from)?;
    files::replace(&arguments.file, sealed.as_bytes()).map_err(anyhow::Error::from)?;
    let path = arguments.file.display().to_string();
    if global.format == Format::Json {
        return output::line(&json!({ "file": path }).to_string());
    }
    output::line(&format!(
        "{path} opens with the new passphrase. Copies made before still open with the old one: replace them."
    ))
}
