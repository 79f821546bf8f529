//! `keyturn token`.

use clap::Subcommand;
use serde_json::json;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{input, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token
    Create {
        /// A policy of the token; may be given several times
        #[arg(long = "policy")]
        policies: Vec<String>,
        /// How long it lives, such as 1h
        #[arg(long, default_value = "")]
        ttl: String,
        /// Each renewal reaches this far, for as long as it is renewed
        #[arg(long, default_value = "")]
        period: String,
        /// How often it may be used
        #[arg(long, default_value_t = 0)]
        uses: u64,
        /// What people see of it
        #[arg(long, default_value = "")]
        display_name: String,
        /// Let it outlive the token that makes it
        #[arg(long)]
        orphan: bool,
        /// Leave the policy 'default' out
        #[arg(long)]
        no_default_policy: bool,
    },
    /// Show a token: your own, or the one that an accessor names
    Lookup {
        /// The accessor
        #[arg(long)]
        accessor: Option<String>,
    },
    /// Renew a token: your own, or the one that an accessor names
    Renew {
        /// The accessor
        #[arg(long)]
        accessor: Option<String>,
        /// By how much, such as 1h
        #[arg(long, default_value = "")]
        increment: String,
    },
    /// Revoke a token with all that descend from it: your own, the one an accessor names, or one that is asked for
    Revoke {
        /// The accessor
        #[arg(long, conflicts_with = "own")]
        accessor: Option<String>,
        /// Your own token
        #[arg(long = "self")]
        own: bool,
    },
    /// Show what your token may do at some paths
    Capabilities {
        /// The paths
        #[arg(required = true)]
        paths: Vec<String>,
    },
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match command {
        Command::Create { policies, ttl, period, uses, display_name, orphan, no_default_policy } => {
            let body = json!({
                "policies": policies, "ttl": ttl, "period": period, "num_uses": uses,
                "display_name": display_name, "no_default_policy": no_default_policy,
            });
            let path = if orphan { "auth/token/create-orphan" } else { "auth/token/create" };
            output::reply(global.format, &client.write(path, &body).await?, "")
        }
        Command::Lookup { accessor: None } => {
            let reply = client.read("auth/token/lookup-self").await?;
            if global.format == Format::Json {
                return output::reply(global.format, &reply, "");
            }
            let found: vault_api::types::TokenLookup = reply.data()?;
            output::value(&serde_json::to_value(found).map_err(anyhow::Error::from)?)
        }
        Command::Lookup { accessor: Some(accessor) } => {
            let reply = client.write("auth/token/lookup-accessor", &json!({ "accessor": accessor })).await?;
            output::reply(global.format, &reply, "")
        }
        Command::Renew { accessor, increment } => {
            let (path, body) = match accessor {
                None => ("auth/token/renew-self", json!({ "increment": increment })),
                Some(accessor) => {
                    ("auth/token/renew-accessor", json!({ "accessor": accessor, "increment": increment }))
                }
            };
            output::reply(global.format, &client.write(path, &body).await?, "")
        }
        Command::Revoke { accessor, own } => {
            let (path, body) = match accessor {
                Some(accessor) => ("auth/token/revoke-accessor", json!({ "accessor": accessor })),
                None if own => ("auth/token/revoke-self", json!({})),
                None => ("auth/token/revoke", json!({ "token": input::secret("the token to revoke", None)?.expose() })),
            };
            let done = "The token is revoked, and every token that descends from it.";
            output::reply(global.format, &client.write(path, &body).await?, done)
        }
        Command::Capabilities { paths } => {
            let reply = client.write("sys/capabilities-self", &json!({ "paths": paths })).await?;
            output::reply(global.format, &reply, "")
        }
    }
}
