//! `keyturn charter fetch`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use vault_core::charter::Charter;
use vault_core::envelope::Envelope;
use vault_custody::files;

use super::json as print;
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::myself::Myself;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Which one [default: the one in force]
    #[arg(long)]
    epoch: Option<u32>,
    /// The envelope to write; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    myself: Myself,
}

pub(super) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let fingerprint = arguments.myself.fingerprint()?;
    let fetched = global.stranger().await?.charter(&fingerprint, arguments.epoch).await?;
    let envelope = Envelope::parse(fetched.charter.as_bytes()).context("what the server sent")?;
    let charter = Charter::parse(envelope.payload()).context("what the server sent")?;
    files::write_new_public(&arguments.out, fetched.charter.as_bytes()).map_err(anyhow::Error::from)?;
    let (epoch, digest, file) = (charter.epoch(), charter.digest().to_string(), arguments.out.display().to_string());
    if global.format == Format::Json {
        return print(&json!({ "epoch": epoch, "digest": digest, "file": file }));
    }
    output::line(&format!(
        "The charter of epoch {epoch} is in {file}.\n  {digest}\n\
         Its signatures are not verified yet. Next: keyturn charter verify, with every charter from the first on"
    ))
}
