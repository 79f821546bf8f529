//! `keyturn read`, `write`, `list` and `delete`: any path of the API.

use clap::Args;
use serde_json::value::RawValue;

use crate::connect::Global;
use crate::failure::Failure;
use crate::{input, output};

#[derive(Args)]
pub(crate) struct Path {
    /// The path below /v1/, such as sys/mounts
    path: String,
}

pub(crate) async fn read(path: Path, global: &Global) -> Result<(), Failure> {
    output::reply(global.format, &global.caller()?.read(&path.path).await?, "Nothing to show.")
}

pub(crate) async fn write(path: Path, global: &Global) -> Result<(), Failure> {
    let body = input::secret("a JSON object", None)?;
    let body: &RawValue =
        serde_json::from_str(body.expose()).map_err(|_| Failure::usage("standard input is no JSON object"))?;
    output::reply(global.format, &global.caller()?.write(&path.path, body).await?, "Done.")
}

pub(crate) async fn list(path: Path, global: &Global) -> Result<(), Failure> {
    output::reply(global.format, &global.caller()?.list(&path.path).await?, "Nothing is there.")
}

pub(crate) async fn delete(path: Path, global: &Global) -> Result<(), Failure> {
    output::reply(global.format, &global.caller()?.delete(&path.path).await?, "Done.")
}
