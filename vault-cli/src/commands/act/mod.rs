//! `keyturn act`: one request that stewards make together, once a vault is in service.

mod propose;
mod sign;
mod submit;

use std::path::Path;

use clap::Subcommand;
use vault_core::custody::Act;
use vault_core::envelope::Envelope;
use vault_core::time::Timestamp;

use super::charter_envelope;
use crate::connect::Global;
use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a request down, for stewards to sign
    Propose(propose::Arguments),
    /// Sign a request, after a look at it
    Sign(sign::Arguments),
    /// Have a request carried out that enough stewards have signed
    Submit(submit::Arguments),
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Propose(arguments) => propose::run(&arguments, global).await,
        Command::Sign(arguments) => sign::run(&arguments, global).await,
        Command::Submit(arguments) => submit::run(&arguments, global).await,
    }
}

fn read(file: &Path) -> Result<(Envelope, Act), Failure> {
    let envelope = charter_envelope(file)?;
    let act = Act::parse(&envelope).map_err(|error| Failure::refused(format!("{}: {error}", file.display())))?;
    Ok((envelope, act))
}

/// Shows everything that a signature stands for.
fn describe(act: &Act) -> String {
    let mut text = format!("{} {}\n", act.operation, act.path);
    for (name, value) in &act.parameters {
        text.push_str(&format!("  ?{name}={value}\n"));
    }
    if let Some(body) = &act.body {
        text.push_str(&format!("{:#}\n", serde_json::Value::Object(body.clone())));
    }
    let ends = Timestamp(act.expires_at_seconds.saturating_mul(1_000_000_000));
    text + &format!("reason   {}\nends     {ends}\nvault    {}\ncharter  {}", act.reason, act.vault, act.charter)
}
