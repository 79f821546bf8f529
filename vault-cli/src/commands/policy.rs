//! `keyturn policy`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{input, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the policies
    List,
    /// Show a policy
    Read {
        /// Its name
        name: String,
    },
    /// Write a policy from a file; '-' is standard input
    Write {
        /// Its name
        name: String,
        /// The file, in HCL or JSON
        file: PathBuf,
    },
    /// Delete a policy
    Delete {
        /// Its name
        name: String,
    },
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    let path = |name: &str| format!("sys/policies/acl/{name}");
    match command {
        Command::List => output::reply(global.format, &client.list("sys/policies/acl").await?, ""),
        Command::Read { name } => {
            let reply = client.read(&path(&name)).await?;
            if global.format == Format::Json {
                return output::reply(global.format, &reply, "");
            }
            let data: Value = reply.data()?;
            output::line(data.get("policy").and_then(Value::as_str).unwrap_or_default())
        }
        Command::Write { name, file } => {
            let text = input::secret("the policy", Some(&file))?;
            let reply = client.write(&path(&name), &json!({ "policy": text.expose() })).await?;
            output::reply(global.format, &reply, &format!("Policy {name} is written and in force."))
        }
        Command::Delete { name } => {
            let reply = client.delete(&path(&name)).await?;
            output::reply(global.format, &reply, &format!("Policy {name} is deleted; its tokens lost what it gave."))
        }
    }
}
