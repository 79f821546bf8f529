//! `keyturn operator`: what custodians and operators do.

mod generate_root;
mod rekey;
mod snapshot;

use clap::Subcommand;
use serde_json::json;

use crate::connect::Global;
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Replace all shares by new ones
    #[command(subcommand)]
    Rekey(rekey::Command),
    /// Make a root token, with enough shares
    #[command(subcommand)]
    GenerateRoot(generate_root::Command),
    /// Seal what is written from now on with a fresh key; old rows stay readable
    Rotate,
    /// Show which key is in use since when
    KeyStatus,
    /// Save the whole store, sealed as it is, or put it back
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// Move a mount to another path
    Remount {
        /// From where
        from: String,
        /// To where
        to: String,
    },
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Rekey(command) => rekey::run(command, global).await,
        Command::GenerateRoot(command) => generate_root::run(command, global).await,
        Command::Rotate => {
            let reply = global.caller().await?.write("sys/rotate", &json!({})).await?;
            output::reply(global.format, &reply, "A fresh key seals what is written from now on.")
        }
        Command::KeyStatus => output::reply(global.format, &global.caller().await?.read("sys/key-status").await?, ""),
        Command::Snapshot(command) => snapshot::run(command, global).await,
        Command::Remount { from, to } => {
            let reply = global.caller().await?.write("sys/remount", &json!({ "from": from, "to": to })).await?;
            output::reply(global.format, &reply, &format!("{from} is now at {to}."))
        }
    }
}
