//! `keyturn charter`: looks at charters and verifies their chain. All of it works offline, from files.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;
use vault_core::charter::chain::Chain;
use vault_core::charter::diff::diff;
use vault_core::charter::report::{Report, warnings};
use vault_core::charter::{CHARTER_LENGTH_BYTES_MAX, Charter};
use vault_core::envelope::Envelope;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

/// Largest envelope: a charter in base64, with room for signatures.
const ENVELOPE_BYTES_MAX: u64 = 4 * CHARTER_LENGTH_BYTES_MAX as u64;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check a charter, and warn of what is allowed and unwise
    Check {
        /// The charter, a TOML file
        file: PathBuf,
    },
    /// Show who may do what by a charter
    Show {
        /// The charter, a TOML file
        file: PathBuf,
    },
    /// Show what a charter changes of another
    Diff {
        /// The charter before
        old: PathBuf,
        /// The charter after
        new: PathBuf,
    },
    /// Verify a chain of signed charters, the first one first
    Verify {
        /// The envelopes, JSON files
        #[arg(required = true)]
        envelopes: Vec<PathBuf>,
    },
}

pub(crate) fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Check { file } => {
            let warnings = warnings(&read(&file)?);
            if global.format == Format::Json {
                return json(&warnings);
            }
            for warning in &warnings {
                output::line(&format!("warning: {}", warning.text))?;
            }
            output::line(&format!("{} is a charter that holds together.", file.display()))
        }
        Command::Show { file } => {
            let report = Report::of(&read(&file)?);
            if global.format == Format::Json { json(&report) } else { output::line(report.to_string().trim_end()) }
        }
        Command::Diff { old, new } => {
            let diff = diff(&read(&old)?, &read(&new)?);
            match global.format {
                Format::Json => json(&diff),
                Format::Text if diff.is_empty() => output::line("Nothing changes."),
                Format::Text => output::line(diff.to_string().trim_end()),
            }
        }
        Command::Verify { envelopes } => verify(&envelopes, global),
    }
}

fn verify(files: &[PathBuf], global: &Global) -> Result<(), Failure> {
    let mut read = Vec::new();
    for file in files {
        let envelope = Envelope::parse(&bytes(file, ENVELOPE_BYTES_MAX)?);
        read.push(envelope.with_context(|| file.display().to_string())?);
    }
    let chain = Chain::verify(&read).map_err(anyhow::Error::from)?;
    let last = chain.last().context("no charter was given")?;
    let (epoch, digest) = (last.epoch(), last.digest().to_string());
    if global.format == Format::Json {
        return json(&serde_json::json!({ "epoch": epoch, "digest": digest }));
    }
    output::line(&format!("The chain holds up to epoch {epoch}: {digest}"))
}

fn read(file: &Path) -> Result<Charter, Failure> {
    let content = bytes(file, CHARTER_LENGTH_BYTES_MAX as u64 + 1)?;
    // Editors take the place from `file:line:column`.
    Charter::parse(&content).map_err(|error| Failure::refused(format!("{}:{error}", file.display())))
}

fn bytes(file: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    use std::io::Read;

    let mut content = Vec::new();
    let opened = std::fs::File::open(file).with_context(|| file.display().to_string())?;
    opened.take(most).read_to_end(&mut content)?;
    Ok(content)
}

fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    output::line(&serde_json::to_string(value).map_err(anyhow::Error::from)?)
}
