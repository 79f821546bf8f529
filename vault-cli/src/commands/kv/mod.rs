//! `keyturn kv`: secrets in key-value engines of both versions.

mod metadata;

use clap::Subcommand;
use serde_json::{Value, json};
use vault_api::types::MountOutput;
use vault_api::{Call, Client, Operation};

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::fields::{self, InArguments};
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show a secret
    Get {
        /// Its path, such as secret/app/db
        path: String,
        /// Only the value of this field
        #[arg(long)]
        field: Option<String>,
        /// A version other than the newest
        #[arg(long)]
        version: Option<u64>,
    },
    /// Write a secret: name each field; values are asked for, or read with name=@file or from standard input with name=-
    Put {
        /// Its path
        path: String,
        /// Fields: `name`, `name=@file`, `name=-`; or `-` alone for a JSON object on standard input
        #[arg(required = true)]
        fields: Vec<String>,
        /// Write only if the newest version is this one; 0 for none
        #[arg(long)]
        cas: Option<u64>,
        /// Take values from arguments, where every process of the machine can see them
        #[arg(long)]
        danger_values_in_arguments: bool,
    },
    /// Change some fields of a secret (version 2)
    Patch {
        /// Its path
        path: String,
        /// Fields, as for put
        #[arg(required = true)]
        fields: Vec<String>,
        /// Write only if the newest version is this one
        #[arg(long)]
        cas: Option<u64>,
        /// Take values from arguments, where every process of the machine can see them
        #[arg(long)]
        danger_values_in_arguments: bool,
    },
    /// Delete a secret, or some versions of it
    Delete {
        /// Its path
        path: String,
        /// Versions, such as 1,2
        #[arg(long, value_delimiter = ',')]
        versions: Vec<u64>,
    },
    /// Bring deleted versions back (version 2)
    Undelete {
        /// Its path
        path: String,
        /// Versions, such as 1,2
        #[arg(long, value_delimiter = ',', required = true)]
        versions: Vec<u64>,
    },
    /// Remove versions for good (version 2)
    Destroy {
        /// Its path
        path: String,
        /// Versions, such as 1,2
        #[arg(long, value_delimiter = ',', required = true)]
        versions: Vec<u64>,
    },
    /// List secrets and folders
    List {
        /// The folder, such as secret/app
        path: String,
    },
    /// What is known of a secret (version 2)
    #[command(subcommand)]
    Metadata(metadata::Command),
}

/// A path taken apart: the mount, whether it keeps versions, and the path below it.
struct Place {
    mount: String,
    versioned: bool,
    below: String,
}

impl Place {
    /// Asks the server which mount a path lies under.
    async fn find(client: &Client, path: &str) -> Result<Self, Failure> {
        let path = path.trim_matches('/');
        let mount: MountOutput = client.read(&format!("sys/internal/ui/mounts/{path}")).await?.data()?;
        let versioned = mount.kv_version() == 2;
        let mount = mount.path.unwrap_or_default();
        let below = format!("{path}/").strip_prefix(&mount).unwrap_or_default().trim_end_matches('/').to_owned();
        Ok(Self { mount, versioned, below })
    }

    /// Gives the path of an endpoint; in version 1 there is only the secret itself.
    fn at(&self, endpoint: &str) -> String {
        if self.versioned {
            format!("{}{endpoint}/{}", self.mount, self.below)
        } else {
            format!("{}{}", self.mount, self.below)
        }
    }

    fn needs_versions(&self) -> Result<(), Failure> {
        if self.versioned {
            Ok(())
        } else {
            Err(Failure::usage(format!("{} is a kv engine of version 1, which keeps no versions", self.mount)))
        }
    }
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match command {
        Command::Get { path, field, version } => get(&client, global, &path, field.as_deref(), version).await,
        Command::Put { path, fields, cas, danger_values_in_arguments } => {
            let place = Place::find(&client, &path).await?;
            let data = fields::read(&fields, InArguments::insisted(danger_values_in_arguments, InArguments::Nothing))?;
            let options = cas.map(|cas| json!({ "cas": cas })).unwrap_or(json!({}));
            let reply = if place.versioned {
                let body = json!({ "data": data, "options": options });
                client.write(&place.at("data"), &body).await?
            } else {
                client.write(&place.at("data"), &data).await?
            };
            output::reply(global.format, &reply, "Written.")
        }
        Command::Patch { path, fields, cas, danger_values_in_arguments } => {
            let place = Place::find(&client, &path).await?;
            place.needs_versions()?;
            let data = fields::read(&fields, InArguments::insisted(danger_values_in_arguments, InArguments::Nothing))?;
            let options = cas.map(|cas| json!({ "cas": cas })).unwrap_or(json!({}));
            let body = json!({ "data": data, "options": options });
            output::reply(global.format, &client.patch(&place.at("data"), &body).await?, "Written.")
        }
        Command::Delete { path, versions } => {
            let place = Place::find(&client, &path).await?;
            let reply = if versions.is_empty() {
                client.delete(&place.at("data")).await?
            } else {
                place.needs_versions()?;
                client.write(&place.at("delete"), &json!({ "versions": versions })).await?
            };
            output::reply(global.format, &reply, "Deleted.")
        }
        Command::Undelete { path, versions } => change(&client, global, &path, "undelete", &versions).await,
        Command::Destroy { path, versions } => change(&client, global, &path, "destroy", &versions).await,
        Command::List { path } => {
            let place = Place::find(&client, &path).await?;
            let folder = place.at("metadata");
            output::reply(global.format, &client.list(folder.trim_end_matches('/')).await?, "Nothing is there.")
        }
        Command::Metadata(command) => metadata::run(command, &client, global).await,
    }
}

async fn get(
    client: &Client,
    global: &Global,
    path: &str,
    field: Option<&str>,
    version: Option<u64>,
) -> Result<(), Failure> {
    let place = Place::find(client, path).await?;
    let mut call = Call::new(Operation::Read, place.at("data"));
    if let Some(version) = version {
        place.needs_versions()?;
        call = call.parameter("version", version);
    }
    let reply = client.call(call).await?.into_result()?;
    if reply.envelope()?.wrap_info.is_some() {
        return output::reply(global.format, &reply, "");
    }
    if global.format == Format::Json && field.is_none() {
        return output::reply(global.format, &reply, "");
    }
    let data: Value = reply.data()?;
    let secret = if place.versioned { data.get("data").cloned().unwrap_or_default() } else { data };
    match field {
        None => output::value(&secret),
        Some(name) => {
            let value = secret.get(name).ok_or_else(|| Failure::usage(format!("the secret has no field {name:?}")))?;
            output::line(&output::text(value))
        }
    }
}

async fn change(client: &Client, global: &Global, path: &str, act: &str, versions: &[u64]) -> Result<(), Failure> {
    let place = Place::find(client, path).await?;
    place.needs_versions()?;
    let reply = client.write(&place.at(act), &json!({ "versions": versions })).await?;
    output::reply(global.format, &reply, "Done.")
}
