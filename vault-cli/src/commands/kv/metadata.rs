//! `keyturn kv metadata`.

use clap::Subcommand;
use serde_json::Map;
use vault_api::Client;

use super::Place;
use crate::connect::Global;
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show it
    Get {
        /// The secret's path
        path: String,
    },
    /// Change it
    Put {
        /// The secret's path
        path: String,
        /// How many versions to keep
        #[arg(long)]
        max_versions: Option<u64>,
        /// Whether writers must name the version they replace
        #[arg(long)]
        cas_required: Option<bool>,
        /// How long new versions live, such as 30d
        #[arg(long)]
        delete_version_after: Option<String>,
        /// A fact about the secret, name=value; may be given several times
        #[arg(long = "custom", value_name = "NAME=VALUE")]
        custom: Vec<String>,
    },
    /// Remove the secret with all its versions
    Delete {
        /// The secret's path
        path: String,
    },
}

pub(super) async fn run(command: Command, client: &Client, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Get { path } => {
            let place = versioned(client, &path).await?;
            output::reply(global.format, &client.read(&place.at("metadata")).await?, "")
        }
        Command::Put { path, max_versions, cas_required, delete_version_after, custom } => {
            let place = versioned(client, &path).await?;
            let mut body = Map::new();
            body.extend(max_versions.map(|number| ("max_versions".to_owned(), number.into())));
            body.extend(cas_required.map(|required| ("cas_required".to_owned(), required.into())));
            body.extend(delete_version_after.map(|span| ("delete_version_after".to_owned(), span.into())));
            if !custom.is_empty() {
                let pairs = custom.iter().map(|pair| match pair.split_once('=') {
                    Some((name, value)) => Ok((name.to_owned(), value.into())),
                    None => Err(Failure::usage(format!("--custom {pair:?}: write NAME=VALUE"))),
                });
                let pairs: Map<_, _> = pairs.collect::<Result<_, _>>()?;
                body.insert("custom_metadata".to_owned(), pairs.into());
            }
            output::reply(global.format, &client.write(&place.at("metadata"), &body).await?, "Written.")
        }
        Command::Delete { path } => {
            let place = versioned(client, &path).await?;
            let done = "The secret is gone, with all its versions.";
            output::reply(global.format, &client.delete(&place.at("metadata")).await?, done)
        }
    }
}

async fn versioned(client: &Client, path: &str) -> Result<Place, Failure> {
    let place = Place::find(client, path).await?;
    place.needs_versions()?;
    Ok(place)
}
