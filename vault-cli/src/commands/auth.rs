//! `keyturn auth`: the methods by which people and applications log in.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde_json::{Map, Value, json};
use vault_api::types::MountOutput;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the enabled methods
    List,
    /// Enable a method: userpass, approle, cert, jwt, oidc or kubernetes
    Enable {
        /// The method
        kind: String,
        /// Where, below auth/; the method's name if left out
        #[arg(long)]
        path: Option<String>,
        /// What people should know of it
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Disable a method: every token that it made ends
    Disable {
        /// Where it is enabled, below auth/
        path: String,
    },
    /// Change the settings of a method
    Tune {
        /// Where it is enabled, below auth/
        path: String,
        /// What people should know of it
        #[arg(long)]
        description: Option<String>,
        /// How long its tokens live, such as 1h
        #[arg(long)]
        default_lease_ttl: Option<String>,
        /// The longest that its tokens may live, such as 24h
        #[arg(long)]
        max_lease_ttl: Option<String>,
    },
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match command {
        Command::List => {
            let reply = client.read("sys/auth").await?;
            if global.format == Format::Json {
                return output::reply(global.format, &reply, "");
            }
            let methods: BTreeMap<String, MountOutput> = reply.data()?;
            let width = methods.keys().map(String::len).max().unwrap_or(0);
            methods.iter().try_for_each(|(path, method)| {
                output::line(&format!("{path:width$}  {}  {}  {}", method.kind, method.accessor, method.description))
            })
        }
        Command::Enable { kind, path, description } => {
            let path = path.unwrap_or_else(|| kind.clone());
            let body = json!({ "type": kind, "description": description });
            let reply = client.write(&format!("sys/auth/{path}"), &body).await?;
            output::reply(global.format, &reply, &format!("{kind} is enabled at auth/{path}/."))
        }
        Command::Disable { path } => {
            let reply = client.delete(&format!("sys/auth/{path}")).await?;
            output::reply(
                global.format,
                &reply,
                &format!("auth/{path}/ is gone, and every token that it made has ended."),
            )
        }
        Command::Tune { path, description, default_lease_ttl, max_lease_ttl } => {
            let fields = [
                ("description", description),
                ("default_lease_ttl", default_lease_ttl),
                ("max_lease_ttl", max_lease_ttl),
            ];
            let body: Map<String, Value> =
                fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
            let reply = client.write(&format!("sys/auth/{path}/tune"), &body).await?;
            output::reply(global.format, &reply, &format!("auth/{path}/ is tuned."))
        }
    }
}
