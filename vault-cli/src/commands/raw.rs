//! `keyturn read`, `write`, `list` and `delete`: any path of the API.

use clap::Args;
use serde_json::Value;
use vault_api::Call;
use vault_api::client::Operation;

use crate::connect::Global;
use crate::failure::Failure;
use crate::fields::{self, InArguments};
use crate::output;

#[derive(Args)]
pub(crate) struct Path {
    /// The path below /v1/, such as sys/mounts
    path: String,
    /// Query parameters: name=value
    #[arg(value_name = "NAME=VALUE")]
    parameters: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Write {
    /// The path below /v1/, such as auth/userpass/users/anna
    path: String,
    /// Fields: name=value, name=@FILE, name=- or name alone to be asked; none or '-' reads a JSON object
    #[arg(value_name = "FIELD")]
    fields: Vec<String>,
    /// Take values of secret fields from the arguments, where every process of this machine sees them
    #[arg(long)]
    danger_values_in_arguments: bool,
}

pub(crate) async fn read(path: Path, global: &Global) -> Result<(), Failure> {
    let reply = global.caller().await?.call(call(Operation::Read, path)?).await?.into_result()?;
    output::reply(global.format, &reply, "Nothing to show.")
}

pub(crate) async fn write(arguments: Write, global: &Global) -> Result<(), Failure> {
    let Write { path, mut fields, danger_values_in_arguments } = arguments;
    if fields.is_empty() {
        fields.push("-".to_owned());
    }
    let allowed = InArguments::insisted(danger_values_in_arguments, InArguments::WhatIsNoSecret);
    let body: Value = fields::read(&fields, allowed)?;
    output::reply(global.format, &global.caller().await?.write(&path, &body).await?, "Done.")
}

pub(crate) async fn list(path: Path, global: &Global) -> Result<(), Failure> {
    let reply = global.caller().await?.call(call(Operation::List, path)?).await?.into_result()?;
    output::reply(global.format, &reply, "Nothing is there.")
}

pub(crate) async fn delete(path: Path, global: &Global) -> Result<(), Failure> {
    let reply = global.caller().await?.call(call(Operation::Delete, path)?).await?.into_result()?;
    output::reply(global.format, &reply, "Done.")
}

fn call(operation: Operation, path: Path) -> Result<Call, Failure> {
    let mut call = Call::new(operation, path.path);
    for parameter in &path.parameters {
        let (name, value) = parameter
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("{parameter:?} is no parameter: write name=value")))?;
        call = call.parameter(name, value);
    }
    Ok(call)
}
