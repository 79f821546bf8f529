//! `keyturn audit check` and `checkpoint`: what somebody has seen of the log, against what it is.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use vault_log::checkpoint::CheckpointKey;
use vault_log::proof::{RECEIPT_LENGTH_BYTES_MAX, Receipt};
use vault_log::witness::WitnessKey;

use super::verify::LogKey;
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{log_watch, output};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A receipt, which is checked offline, or a checkpoint that somebody else has seen, which the log must go on from
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    key: LogKey,
    /// The public key of a witness that must have signed besides; may be given several times
    #[arg(long, value_name = "KEY")]
    witness: Vec<String>,
    /// The log: the record of the receipt is shown from it
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// Prints the newest checkpoint, which the command has just seen to go on from the one before.
pub(super) async fn newest(global: &Global) -> Result<(), Failure> {
    let client = global.stranger().await?;
    let seen = log_watch::seen(&client.address().to_string())?;
    match global.format {
        Format::Json => output::line(&json!({ "checkpoint": seen.checkpoint, "key": seen.key }).to_string()),
        Format::Text => output::line(seen.checkpoint.trim_end()),
    }
}

pub(super) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let key = arguments.key.read()?;
    let length = std::fs::metadata(&arguments.file).with_context(|| arguments.file.display().to_string())?.len();
    if length > RECEIPT_LENGTH_BYTES_MAX as u64 {
        return Err(Failure::usage(format!("{} is no receipt and no checkpoint", arguments.file.display())));
    }
    let text = std::fs::read_to_string(&arguments.file).with_context(|| arguments.file.display().to_string())?;
    // A note ends with a line feed, which an editor or a shell may have taken away.
    let text = format!("{}\n", text.trim_end());
    match Receipt::parse(&text) {
        Ok(receipt) => {
            witnessed(&arguments.witness, receipt.checkpoint())?;
            of_receipt(&receipt, &key, arguments.log.as_deref(), global)
        }
        Err(_) => {
            witnessed(&arguments.witness, &text)?;
            of_checkpoint(&text, &key, global).await
        }
    }
}

/// Demands that each of these witnesses has signed.
fn witnessed(keys: &[String], note: &str) -> Result<(), Failure> {
    for key in keys {
        let key = WitnessKey::parse(key).map_err(|error| Failure::usage(error.to_string()))?;
        let signed = key.verify_in(note);
        signed.map_err(|error| Failure::refused(format!("THE WITNESS HAS NOT SIGNED: {}: {error}", key.name())))?;
    }
    Ok(())
}

fn of_receipt(receipt: &Receipt, key: &CheckpointKey, log: Option<&Path>, global: &Global) -> Result<(), Failure> {
    let does_not_hold = |why: String| Failure::refused(format!("THE RECEIPT DOES NOT HOLD: {why}"));
    let checkpoint = receipt.verify(key).map_err(|error| does_not_hold(error.to_string()))?;
    let record = log.map(|log| line(log, receipt.index)).transpose()?;
    if let Some(record) = &record
        && !receipt.is_for(record.as_bytes())
    {
        return Err(does_not_hold(format!("record {} of the log is another one", receipt.index)));
    }
    let (number, size) = (receipt.index, checkpoint.size);
    if global.format == Format::Json {
        return output::line(&json!({ "record": number, "size": size, "holds": true }).to_string());
    }
    output::line(&format!("Record {number} is in the log, which the vault signed at {size} records."))?;
    record.map_or(Ok(()), |record| output::line(&record))
}

async fn of_checkpoint(note: &str, key: &CheckpointKey, global: &Global) -> Result<(), Failure> {
    let theirs = key.verify(note).map_err(|error| Failure::refused(error.to_string()))?;
    let found = global.stranger().await?.log_checkpoint(theirs.size).await?;
    let now = log_watch::goes_on(key, &theirs, &found).map_err(|error| {
        Failure::refused(format!("THE LOG WAS SHOWN IN TWO WAYS: {error}. Keep both checkpoints; they prove it"))
    })?;
    if global.format == Format::Json {
        return output::line(&json!({ "size": theirs.size, "newest": now.size, "holds": true }).to_string());
    }
    output::line(&format!("The log, now at {} records, goes on from the {} of this checkpoint.", now.size, theirs.size))
}

fn line(log: &Path, number: u64) -> Result<String, Failure> {
    let file = File::open(log).with_context(|| log.display().to_string())?;
    let line = usize::try_from(number).ok().and_then(|number| BufReader::new(file).lines().nth(number));
    let line = line.ok_or_else(|| Failure::refused(format!("{} has no record {number}", log.display())))?;
    Ok(line.with_context(|| log.display().to_string())?)
}
