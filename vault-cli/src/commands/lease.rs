//! `keyturn lease`: tokens by the path that made them.

use clap::Subcommand;
use serde_json::json;

use crate::connect::Global;
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what lies below a prefix, such as auth/userpass/login
    List {
        /// What the names begin with
        prefix: String,
    },
    /// Describe a lease
    Lookup {
        /// Its name
        lease: String,
    },
    /// Renew a lease, if it is one of a secret; tokens are renewed with `keyturn token renew`
    Renew {
        /// Its name
        lease: String,
    },
    /// End a lease and its token
    Revoke {
        /// Its name, or with --prefix what the names begin with
        lease: String,
        /// End all leases that begin so
        #[arg(long)]
        prefix: bool,
        /// End them whatever else fails
        #[arg(long, requires = "prefix")]
        force: bool,
    },
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match command {
        Command::List { prefix } => {
            let reply = client.list(&format!("sys/leases/lookup/{}", prefix.trim_matches('/'))).await?;
            output::reply(global.format, &reply, "No lease begins so.")
        }
        Command::Lookup { lease } => {
            let reply = client.write("sys/leases/lookup", &json!({ "lease_id": lease })).await?;
            output::reply(global.format, &reply, "")
        }
        Command::Renew { lease } => {
            let reply = client.write("sys/leases/renew", &json!({ "lease_id": lease })).await?;
            output::reply(global.format, &reply, "")
        }
        Command::Revoke { lease, prefix: false, .. } => {
            let reply = client.write("sys/leases/revoke", &json!({ "lease_id": lease })).await?;
            output::reply(global.format, &reply, "The lease has ended, and its token with it.")
        }
        Command::Revoke { lease, prefix: true, force } => {
            let endpoint = if force { "revoke-force" } else { "revoke-prefix" };
            let path = format!("sys/leases/{endpoint}/{}", lease.trim_matches('/'));
            let reply = client.write(&path, &json!({})).await?;
            output::reply(global.format, &reply, "All leases that begin so have ended, and their tokens with them.")
        }
    }
}
