//! `keyturn act propose`.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context;
use clap::{Args, ValueEnum};
use data_encoding::HEXLOWER;
use rand::Rng;
use serde_json::{Value, json};
use vault_core::charter::Digest;
use vault_core::custody::Act;
use vault_core::id::VaultId;
use vault_core::request::Operation as Wanted;
use vault_custody::files;

use super::describe;
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::fields::{self, InArguments};
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// What is wanted
    operation: Operation,
    /// The path below /v1/, such as sys/policies/acl/app
    path: String,
    /// Fields of the body: name=value, name=@FILE or name=-; '-' alone reads a JSON object
    #[arg(value_name = "FIELD")]
    fields: Vec<String>,
    /// Why it is wanted; it goes into the audit log
    #[arg(long)]
    reason: String,
    /// In how many hours it ends
    #[arg(long, default_value_t = 24)]
    hours: u16,
    /// The envelope to write; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Operation {
    Read,
    List,
    Write,
    Patch,
    Delete,
}

pub(super) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let custody = global.stranger().await?.custody(None).await?;
    let charter = custody
        .charter
        .as_ref()
        .ok_or_else(|| Failure::usage("the vault has no charter, so nobody needs stewards: use your token"))?;
    let digest = Digest::parse(&charter.digest).context("the digest of the charter is damaged")?;
    let vault = HEXLOWER.decode(custody.vault.replace('-', "").as_bytes()).ok().and_then(|id| id.try_into().ok());
    let vault = VaultId(vault.context("the vault's id is damaged")?);
    let mut nonce = [0; 32];
    rand::rng().fill_bytes(&mut nonce);
    let mut act = Act::new(vault, &digest, nonce, (wanted(arguments.operation), &arguments.path));
    act.reason.clone_from(&arguments.reason);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    act.expires_at_seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX) + i64::from(arguments.hours) * 3600;
    if !arguments.fields.is_empty() {
        // What is signed is read by all who sign, so that secrets have no place in it.
        match fields::read(&arguments.fields, InArguments::DangerEverything)? {
            Value::Object(fields) => act.body = Some(fields),
            _ => return Err(Failure::usage("the fields are no JSON object")),
        }
    }
    let envelope = act.envelope().map_err(|error| Failure::usage(error.to_string()))?;
    files::write_new_public(&arguments.out, envelope.to_json().as_bytes()).map_err(anyhow::Error::from)?;
    let file = arguments.out.display().to_string();
    if global.format == Format::Json {
        return output::line(&json!({ "file": file, "act": act }).to_string());
    }
    output::line(&format!(
        "{}\n\nIt is in {file}, unsigned. Next, stewards: keyturn act sign {file} --identity FILE",
        describe(&act)
    ))
}

const fn wanted(operation: Operation) -> Wanted {
    match operation {
        Operation::Read => Wanted::Read,
        Operation::List => Wanted::List,
        Operation::Write => Wanted::Write,
        Operation::Patch => Wanted::Patch,
        Operation::Delete => Wanted::Delete,
    }
}
