//! `keyturn secrets`.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde_json::json;
use vault_api::types::MountOutput;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what is mounted where
    List,
    /// Mount a secrets engine
    Enable {
        /// The engine, such as kv
        kind: String,
        /// Where; the engine's name if left out
        #[arg(long)]
        path: Option<String>,
        /// The version of a kv engine: 1 or 2
        #[arg(long)]
        version: Option<String>,
        /// What people should know of it
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Take a mount away, with everything in it
    Disable {
        /// Where it is mounted
        path: String,
    },
    /// Change the settings of a mount
    Tune {
        /// Where it is mounted
        path: String,
        /// What people should know of it
        #[arg(long)]
        description: Option<String>,
        /// How long values may be kept, such as 1h
        #[arg(long)]
        default_lease_ttl: Option<String>,
        /// The longest that anything may live, such as 24h
        #[arg(long)]
        max_lease_ttl: Option<String>,
    },
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match command {
        Command::List => {
            let reply = client.read("sys/mounts").await?;
            if global.format == Format::Json {
                return output::reply(global.format, &reply, "");
            }
            let mounts: BTreeMap<String, MountOutput> = reply.data()?;
            let width = mounts.keys().map(String::len).max().unwrap_or(0);
            mounts.iter().try_for_each(|(path, mount)| {
                let version =
                    if mount.kind == "kv" { format!(" version {}", mount.kv_version()) } else { String::new() };
                output::line(&format!("{path:width$}  {}{version}  {}", mount.kind, mount.description))
            })
        }
        Command::Enable { kind, path, version, description } => {
            let path = path.unwrap_or_else(|| kind.clone());
            let options = version.map(|version| json!({ "version": version }));
            let body = json!({ "type": kind, "description": description, "options": options.unwrap_or(json!({})) });
            let reply = client.write(&format!("sys/mounts/{path}"), &body).await?;
            output::reply(global.format, &reply, &format!("{kind} is mounted at {path}/."))
        }
        Command::Disable { path } => {
            let reply = client.delete(&format!("sys/mounts/{path}")).await?;
            output::reply(global.format, &reply, &format!("{path} is gone, with everything in it."))
        }
        Command::Tune { path, description, default_lease_ttl, max_lease_ttl } => {
            let mut body = serde_json::Map::new();
            let fields = [
                ("description", description),
                ("default_lease_ttl", default_lease_ttl),
                ("max_lease_ttl", max_lease_ttl),
            ];
            for (name, value) in fields {
                body.extend(value.map(|value| (name.to_owned(), value.into())));
            }
            let reply = client.write(&format!("sys/mounts/{path}/tune"), &body).await?;
            output::reply(global.format, &reply, &format!("{path} is tuned."))
        }
    }
}
