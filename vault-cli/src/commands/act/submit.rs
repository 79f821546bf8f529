//! `keyturn act submit`.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::read;
use crate::connect::Global;
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The envelope with the request and its signatures
    envelope: PathBuf,
}

pub(super) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let (envelope, act) = read(&arguments.envelope)?;
    let body: Value = serde_json::from_str(&envelope.to_json()).map_err(anyhow::Error::from)?;
    let reply = global.stranger().await?.write("sys/custody/act", &body).await?;
    output::reply(global.format, &reply, &format!("Done: {} {}", act.operation, act.path))
}
