//! `keyturn request`: any path of the API, by people who expect to need others' agreement.

use clap::{Args, ValueEnum};
use serde_json::Value;
use vault_api::{Call, Operation};

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::fields::{self, InArguments};
use crate::{output, waiting};

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to do
    #[arg(value_enum)]
    verb: Verb,
    /// The path below /v1/, such as secret/data/prod/root
    path: String,
    /// Fields to write: name=@FILE, name=- or name alone to be asked; '-' reads a JSON object
    #[arg(value_name = "FIELD")]
    fields: Vec<String>,
    /// Take values of secret fields from the arguments, where every process of this machine sees them
    #[arg(long)]
    danger_values_in_arguments: bool,
    /// Wait until enough people agree, then do it; stopping leaves the request as it is
    #[arg(long)]
    wait: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Verb {
    Read,
    List,
    Write,
    Delete,
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    let call = match arguments.verb {
        Verb::Read => Call::new(Operation::Read, arguments.path),
        Verb::List => Call::new(Operation::List, arguments.path),
        Verb::Delete => Call::new(Operation::Delete, arguments.path),
        Verb::Write => {
            let otherwise = InArguments::WhatIsNoSecret;
            let allowed = InArguments::insisted(arguments.danger_values_in_arguments, otherwise);
            let body: Value = fields::read(&arguments.fields, allowed)?;
            Call::new(Operation::Write, arguments.path).body(&body)?
        }
    };
    let reply = client.call(call).await?.into_result()?;
    let held = match reply.is_empty() {
        true => None,
        false => reply.envelope()?.wrap_info.filter(|wrapped| wrapped.held),
    };
    match held {
        Some(held) if arguments.wait => {
            if global.format == Format::Text {
                eprintln!("Others must agree: request {}", held.accessor);
            }
            let reply = waiting::redeem(&client, &held.accessor, true).await?;
            output::reply(global.format, &reply, "Done, with everybody's agreement.")
        }
        _ => output::reply(global.format, &reply, "Done; nobody else had to agree."),
    }
}
