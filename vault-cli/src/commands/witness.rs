//! `keyturn witness`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use vault_server::config::WitnessServerSettings;
use vault_server::witness;

use super::server::start_log;
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Sign for logs that go on from what was signed for before, until told to stop
    Run(Settings),
    /// Print the public key of the witness, for the settings of the vaults; it is drawn the first time
    Key(Settings),
}

#[derive(Args)]
pub(crate) struct Settings {
    /// The settings of the witness; see docs/audit-log.md
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Key(Settings { config }) => output::line(&witness::public_key(&read(&config)?)?.to_string()),
        Command::Run(Settings { config }) => {
            let settings = read(&config)?;
            start_log(&settings.log);
            let announce = |address: &str, key: &vault_log::witness::WitnessKey| {
                // Whoever started the witness reads these lines; if nobody does, it signs all the same.
                let _ = output::line(&format!("keyturn: the key of this witness is {key}"));
                let _ = output::line(&format!("keyturn: listening on {address}"));
            };
            Ok(witness::run(settings, announce).await?)
        }
    }
}

fn read(file: &Path) -> Result<WitnessServerSettings, Failure> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let wrong = |reason: String| Failure::usage(format!("settings {}: {reason}", file.display()));
    WitnessServerSettings::parse(&text, folder).map_err(wrong)
}
