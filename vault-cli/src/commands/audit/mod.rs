//! `keyturn audit`: the log, what is shown by it, and devices that follow it.

mod check;
mod explain;
mod prove;
mod search;
mod verify;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::connect::Global;
use crate::failure::Failure;
use crate::{input, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the devices
    List,
    /// Enable a device: file, socket or syslog
    Enable {
        /// The kind
        kind: String,
        /// Its name; the kind if left out
        #[arg(long)]
        path: Option<String>,
        /// Options: file_path=audit.log, address=…, socket_type=…
        #[arg(value_name = "NAME=VALUE")]
        options: Vec<String>,
    },
    /// Disable a device
    Disable {
        /// Its name
        path: String,
    },
    /// Verify a log offline: no record of it was changed, left out or moved since it was signed for
    Verify(verify::Arguments),
    /// Print the public key that verifies the log; keep it where nobody who keeps the log can change it
    Key,
    /// Print the newest checkpoint of the log, for somebody else to check theirs against
    Checkpoint,
    /// Print the proof that a record is in the log
    Prove(prove::Arguments),
    /// Check a receipt offline, or a checkpoint that somebody else has seen against the log as it is now
    Check(check::Arguments),
    /// Print the last records, and those that come
    Tail(search::Tail),
    /// Find records by path, person, request and time
    Search(search::Search),
    /// Tell from the log alone who asked for something, who agreed with which key, and what was released
    Explain(explain::Arguments),
    /// Give the keyed hash that stands for a value in the log, to search for it
    Hash {
        /// The device's name
        path: String,
    },
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = || global.caller();
    match command {
        Command::Verify(arguments) => verify::run(&arguments, global),
        Command::Key => verify::key(global).await,
        Command::Checkpoint => check::newest(global).await,
        Command::Prove(arguments) => prove::run(&arguments, global).await,
        Command::Check(arguments) => check::run(&arguments, global).await,
        Command::Tail(arguments) => search::tail(&arguments, global).await,
        Command::Search(arguments) => search::search(&arguments, global),
        Command::Explain(arguments) => explain::run(&arguments, global),
        Command::List => output::reply(global.format, &client().await?.read("sys/audit").await?, "There is no device."),
        Command::Enable { kind, path, options } => {
            let path = path.unwrap_or_else(|| kind.clone());
            let mut given = Map::new();
            for option in &options {
                let (name, value) = option
                    .split_once('=')
                    .ok_or_else(|| Failure::usage(format!("{option:?} is no option: write name=value")))?;
                given.insert(name.to_owned(), Value::from(value));
            }
            let body = json!({ "type": kind, "options": given });
            let reply = client().await?.write(&format!("sys/audit/{path}"), &body).await?;
            output::reply(global.format, &reply, &format!("{path} follows the log from now on."))
        }
        Command::Disable { path } => {
            let reply = client().await?.delete(&format!("sys/audit/{path}")).await?;
            output::reply(global.format, &reply, &format!("{path} no longer follows the log."))
        }
        Command::Hash { path } => {
            let value = input::secret("the value", None)?;
            let reply =
                client().await?.write(&format!("sys/audit-hash/{path}"), &json!({ "input": value.expose() })).await?;
            output::reply(global.format, &reply, "")
        }
    }
}
