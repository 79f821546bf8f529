//! `keyturn login`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use clap::Args;
use vault_api::SecretText;
use vault_api::types::TokenLookup;

use crate::connect::{Global, token_file};
use crate::failure::Failure;
use crate::{input, output};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Check the token without remembering it
    #[arg(long)]
    no_store: bool,
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    let token = input::secret("token", None)?;
    let client = global.client(Some(SecretText::new(token.expose().to_owned())))?;
    let reply = client.read("auth/token/lookup-self").await?;
    let found: TokenLookup = reply.data()?;
    if !arguments.no_store {
        store(&token)?;
    }
    output::reply(global.format, &reply_without_token(global, reply, &found)?, "")
}

/// Leaves the token out of what is shown; a machine gets the whole answer.
fn reply_without_token(
    global: &Global,
    reply: vault_api::Reply,
    found: &TokenLookup,
) -> Result<vault_api::Reply, Failure> {
    if global.format == crate::connect::Format::Json {
        return Ok(reply);
    }
    let shown = serde_json::json!({ "data": found }).to_string();
    Ok(vault_api::Reply::new(reply.status(), String::new(), SecretText::new(shown)))
}

/// Keeps the token for the next commands, in a file that only its owner reads.
fn store(token: &SecretText) -> Result<(), Failure> {
    let path = token_file().ok_or_else(|| Failure::usage("HOME is not set; use --no-store and KEYTURN_TOKEN"))?;
    let beside = path.with_extension("new");
    // A file that is there already may be readable by others; a new one takes its place.
    let _ = std::fs::remove_file(&beside);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(token.expose().as_bytes())?;
    Ok(std::fs::rename(&beside, &path)?)
}
