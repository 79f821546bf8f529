//! `keyturn canary`: secrets that nobody has a reason to read.

use clap::Subcommand;
use serde_json::json;

use crate::connect::Global;
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List canaries
    List,
    /// Mark a secret: whoever reads it is answered as ever, and people are told
    Mark {
        /// The path as a reader names it, such as secret/data/app/root or kv/root
        path: String,
    },
    /// Make a canary a secret like any other
    Unmark {
        /// The path as a reader names it
        path: String,
    },
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match command {
        Command::List => output::reply(global.format, &client.list("sys/canaries").await?, ""),
        Command::Mark { path } => {
            let reply = client.write(&format!("sys/canaries/{path}"), &json!({})).await?;
            output::reply(global.format, &reply, &format!("Whoever reads {path} is told of from now on."))
        }
        Command::Unmark { path } => {
            let reply = client.delete(&format!("sys/canaries/{path}")).await?;
            output::reply(global.format, &reply, &format!("{path} is a secret like any other."))
        }
    }
}
