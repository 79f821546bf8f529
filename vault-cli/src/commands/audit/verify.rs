//! `keyturn audit verify` and `key`: the log, from its lines and the vault's public key alone.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use vault_log::checkpoint::CheckpointKey;
use vault_log::verify::Verifier;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The log: a file as the server writes it
    #[arg(long, value_name = "FILE", required = true)]
    log: PathBuf,
    #[command(flatten)]
    key: LogKey,
    /// A checkpoint that you have seen elsewhere, a signed note in a file: the log must hold all that it vouches for
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

/// The public key that verifies a log.
#[derive(Args)]
pub(super) struct LogKey {
    /// The vault's public key, as `keyturn audit key` printed it while the vault was open
    #[arg(long, value_name = "KEY", required_unless_present = "key_file")]
    key: Option<String>,
    /// A file with that key
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    key_file: Option<PathBuf>,
}

impl LogKey {
    /// Reads the key.
    pub(super) fn read(&self) -> Result<CheckpointKey, Failure> {
        let key = match (&self.key, &self.key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(file)) => std::fs::read_to_string(file).with_context(|| file.display().to_string())?,
            (None, None) => return Err(Failure::usage("give the vault's public key: --key or --key-file")),
        };
        CheckpointKey::parse(key.trim()).map_err(|error| Failure::usage(error.to_string()))
    }
}

/// Prints the public key of the log.
pub(crate) async fn key(global: &Global) -> Result<(), Failure> {
    let custody = global.stranger().await?.custody(None).await?;
    let sealed = || Failure::refused("the vault is sealed, and tells its key while it is open".to_owned());
    output::line(&custody.audit_key.ok_or_else(sealed)?)
}

pub(crate) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let key = arguments.key.read()?;
    let mine = match &arguments.checkpoint {
        None => None,
        Some(file) => {
            let note = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            Some(key.verify(&note).map_err(|error| Failure::refused(format!("{}: {error}", file.display())))?)
        }
    };
    let does_not_hold =
        |why: String| Failure::refused(format!("THE LOG DOES NOT HOLD. {}: {why}", arguments.log.display()));
    let file = File::open(&arguments.log).with_context(|| arguments.log.display().to_string())?;
    let bar = progress(file.metadata().map_or(0, |metadata| metadata.len()), global);
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut verifier, mut line, mut is_found) = (Verifier::new(key), Vec::new(), mine.is_none());
    loop {
        if let Some(mine) = &mine {
            is_found |= verifier.holds(mine).map_err(|error| does_not_hold(error.to_string()))?;
        }
        line.clear();
        if reader.read_until(b'\n', &mut line).with_context(|| arguments.log.display().to_string())? == 0 {
            break;
        }
        bar.inc(line.len() as u64);
        let text = line.strip_suffix(b"\n").and_then(|whole| std::str::from_utf8(whole).ok());
        let text =
            text.ok_or_else(|| does_not_hold(format!("line {} is cut off or no text", verifier.records() + 1)))?;
        verifier.line(text).map_err(|error| does_not_hold(error.to_string()))?;
    }
    bar.finish_and_clear();
    let found = verifier.end();
    if let Some(mine) = mine.filter(|_| !is_found) {
        return Err(does_not_hold(format!("it has {} records, and {} were signed for", found.records, mine.size)));
    }
    if found.signed == 0 {
        return Err(does_not_hold("no checkpoint is in it, so that nothing vouches for it".to_owned()));
    }
    if global.format == Format::Json {
        let (records, checkpoints, signed) = (found.records, found.checkpoints, found.signed);
        return output::line(&json!({ "records": records, "checkpoints": checkpoints, "signed": signed }).to_string());
    }
    output::line(&format!(
        "{} records, {} checkpoints; the first {} records are signed for and are as they were.",
        found.records, found.checkpoints, found.signed
    ))?;
    if found.signed < found.records {
        let rest = found.records - found.signed;
        output::line(&format!(
            "The last {rest} have no checkpoint yet: within ten seconds of an open vault, or when it is sealed, they do."
        ))?;
    }
    Ok(())
}

fn progress(length_bytes: u64, global: &Global) -> ProgressBar {
    if global.format == Format::Json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {eta} left");
    ProgressBar::new(length_bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
