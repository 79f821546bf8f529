//! `keyturn redeem`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use data_encoding::BASE64;

use crate::connect::Global;
use crate::failure::Failure;
use crate::{output, waiting};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The request
    id: String,
    /// Wait until enough people agree; stopping leaves the request as it is
    #[arg(long)]
    wait: bool,
    /// Keep the receipt in a file: the proof that the release is in the audit log, for keyturn audit check
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

pub(crate) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    // What is released is released once: a file that cannot be written is found before that.
    let receipt = arguments.receipt.as_deref().map(|file| Ok::<_, Failure>((file, create(file)?))).transpose()?;
    let reply = waiting::redeem(&global.caller().await?, &arguments.id, arguments.wait).await?;
    output::reply(global.format, &reply, "Done, with everybody's agreement.")?;
    let Some((file, mut opened)) = receipt else { return Ok(()) };
    let none = || {
        Failure::refused(
            "it is done, but the vault gave no receipt: find it with keyturn audit search, and prove it".to_owned(),
        )
    };
    let text = reply.receipt().and_then(|text| BASE64.decode(text.as_bytes()).ok()).ok_or_else(none)?;
    Ok(opened.write_all(&text).with_context(|| file.display().to_string())?)
}

fn create(file: &Path) -> Result<File, Failure> {
    Ok(File::create(file).with_context(|| file.display().to_string())?)
}
