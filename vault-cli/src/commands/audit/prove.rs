//! `keyturn audit prove`: the proof that a record is in the log, from the server or from the tree beside the log.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use vault_log::folder::TreeFolder;
use vault_log::proof::Receipt;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The number of the record
    record: u64,
    /// The log, beside which the server keeps its tree; the server is asked if left out
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let receipt = match &arguments.log {
        None => global.stranger().await?.log_receipt(arguments.record).await?.receipt,
        Some(log) => {
            let tree = TreeFolder::beside(log);
            let none = || Failure::usage(format!("{}: nothing of the log is signed yet", tree.path().display()));
            let signed = tree.last_checkpoint().with_context(|| tree.path().display().to_string())?.ok_or_else(none)?;
            let receipt = Receipt::prove(arguments.record, &signed, &tree);
            receipt.map_err(|error| Failure::refused(error.to_string()))?.to_string()
        }
    };
    match global.format {
        Format::Json => output::line(&json!({ "receipt": receipt }).to_string()),
        Format::Text => output::line(receipt.trim_end()),
    }
}
