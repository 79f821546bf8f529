//! `keyturn charter`: writes, signs and verifies charters. All but `fetch` works offline,
//! from files; `check` asks the vault for check-ups if it is told who asks.

mod check;
mod fetch;
mod propose;
mod sign;
mod verify;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;
use vault_api::Client;
use vault_core::charter::diff::diff;
use vault_core::charter::report::Report;
use vault_core::charter::{CHARTER_LENGTH_BYTES_MAX, Charter, CharterError};
use vault_core::envelope::{ENVELOPE_LENGTH_BYTES_MAX, Envelope};

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check a charter, and warn of what is allowed and unwise
    Check(check::Arguments),
    /// Show who may do what by a charter
    Show {
        /// The charter: a TOML file, or an envelope
        file: PathBuf,
    },
    /// Show what a charter changes of another
    Diff {
        /// The charter before
        old: PathBuf,
        /// The charter after
        new: PathBuf,
    },
    /// Put a charter into an envelope that people can sign
    Propose(propose::Arguments),
    /// Sign a proposed charter, after a look at what it changes
    Sign(sign::Arguments),
    /// Verify a chain of signed charters, the first one first
    Verify(verify::Arguments),
    /// Fetch a charter from the vault that it governs
    Fetch(fetch::Arguments),
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Check(arguments) => check::run(&arguments, global).await,
        Command::Show { file } => {
            let report = Report::of(&charter(&file)?);
            if global.format == Format::Json { json(&report) } else { output::line(report.to_string().trim_end()) }
        }
        Command::Diff { old, new } => {
            let diff = diff(&charter(&old)?, &charter(&new)?);
            match global.format {
                Format::Json => json(&diff),
                Format::Text if diff.is_empty() => output::line("Nothing changes."),
                Format::Text => output::line(diff.to_string().trim_end()),
            }
        }
        Command::Propose(arguments) => propose::run(&arguments, global),
        Command::Sign(arguments) => sign::run(&arguments, global),
        Command::Verify(arguments) => verify::run(&arguments, global),
        Command::Fetch(arguments) => fetch::run(&arguments, global).await,
    }
}

/// Reads a charter, from its text or out of an envelope; signatures are not looked at.
pub(crate) fn charter(file: &Path) -> Result<Charter, Failure> {
    let content = bytes(file, ENVELOPE_LENGTH_BYTES_MAX)?;
    if content.trim_ascii_start().starts_with(b"{") {
        let envelope = Envelope::parse(&content).with_context(|| file.display().to_string())?;
        return Charter::parse(envelope.payload()).map_err(|error| unsound(file, &error));
    }
    Charter::parse(&content).map_err(|error| unsound(file, &error))
}

/// Asks the vault for the charter in force, in the name of one of its people.
pub(crate) async fn in_force(client: &Client, fingerprint: &str) -> Result<Charter, Failure> {
    let fetched = client.charter(fingerprint, None).await?;
    let envelope = Envelope::parse(fetched.charter.as_bytes()).context("the charter that the server sent")?;
    Ok(Charter::parse(envelope.payload()).context("the charter that the server sent")?)
}

/// Tells what is wrong with a charter, and what to do about it.
fn unsound(file: &Path, error: &CharterError) -> Failure {
    // Editors take the place from `file:line:column`.
    let place = format!("{}:{error}", file.display());
    Failure::refused(match error.problem.next_step() {
        Some(next) => format!("{place}\n{next}"),
        None => place,
    })
}

pub(crate) fn envelope(file: &Path) -> Result<Envelope, Failure> {
    let content = bytes(file, ENVELOPE_LENGTH_BYTES_MAX)?;
    if !content.trim_ascii_start().starts_with(b"{") {
        return Err(Failure::usage(format!(
            "{} is no envelope. If it is the text of a charter: keyturn charter propose {}",
            file.display(),
            file.display()
        )));
    }
    Ok(Envelope::parse(&content).with_context(|| file.display().to_string())?)
}

fn bytes(file: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    use std::io::Read;

    let mut content = Vec::new();
    let opened = std::fs::File::open(file).with_context(|| file.display().to_string())?;
    opened.take(most as u64 + 1).read_to_end(&mut content)?;
    if content.len() > most.max(CHARTER_LENGTH_BYTES_MAX) {
        return Err(Failure::usage(format!("{} is far longer than any charter", file.display())));
    }
    Ok(content)
}

fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    output::line(&serde_json::to_string(value).map_err(anyhow::Error::from)?)
}
