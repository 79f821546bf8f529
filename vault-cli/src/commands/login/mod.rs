//! `keyturn login`: by a token, or by any auth method.

mod browser;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};
use vault_api::types::TokenLookup;
use vault_api::{Client, Reply, SecretText};

use crate::connect::{Format, Global, token_file};
use crate::failure::Failure;
use crate::fields::{self, InArguments};
use crate::{input, output};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The auth method: token, userpass, approle, cert, jwt, oidc or kubernetes
    #[arg(long, default_value = "token")]
    method: String,
    /// Where the method is enabled, below auth/; the method's name if left out
    #[arg(long)]
    path: Option<String>,
    /// Log in without remembering the token
    #[arg(long)]
    no_store: bool,
    /// With oidc: print the address instead of opening a browser
    #[arg(long)]
    no_browser: bool,
    /// With oidc: the port on this machine that the identity provider sends the browser back to
    #[arg(long, default_value_t = browser::PORT)]
    callback_port: u16,
    /// With kubernetes or jwt: the file that holds the token of the platform
    #[arg(long, value_name = "FILE")]
    jwt_file: Option<PathBuf>,
    /// Fields of the method, such as username=anna or role=ci; secrets are asked for
    #[arg(value_name = "FIELD")]
    fields: Vec<String>,
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    if arguments.method == "token" {
        let token = input::secret("token", None)?;
        return finish(&token, &arguments, global).await;
    }
    let client = global.stranger().await?;
    let reply = match arguments.method.as_str() {
        "userpass" => by_password(&client, &arguments).await?,
        "approle" => by_fields(&client, &arguments, &["role_id"], Some("secret_id")).await?,
        "cert" => by_fields(&client, &arguments, &[], None).await?,
        "jwt" | "kubernetes" => by_platform_token(&client, &arguments).await?,
        "oidc" => browser::login(&client, &arguments, given(&arguments)?).await?,
        other => {
            let known = "token, userpass, approle, cert, jwt, oidc and kubernetes";
            return Err(Failure::usage(format!("there is no method {other:?}; there are {known}")));
        }
    };
    let envelope = reply.envelope()?;
    if envelope.wrap_info.is_some() {
        return output::reply(global.format, &reply, "");
    }
    let auth = envelope.auth.ok_or_else(|| Failure::usage("the server gave no token"))?;
    finish(&auth.client_token, &arguments, global).await
}

/// Gives the path of the method's endpoint.
fn endpoint(arguments: &Arguments, rest: &str) -> String {
    let path = arguments.path.as_deref().unwrap_or(&arguments.method);
    format!("auth/{}/{rest}", path.trim_matches('/'))
}

fn given(arguments: &Arguments) -> Result<Map<String, Value>, Failure> {
    match fields::read(&arguments.fields, InArguments::WhatIsNoSecret)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

async fn by_password(client: &Client, arguments: &Arguments) -> Result<Reply, Failure> {
    let mut fields = given(arguments)?;
    let name = fields.remove("username").and_then(|name| name.as_str().map(str::to_owned));
    let name = name.ok_or_else(|| Failure::usage("who are you? Add username=NAME"))?;
    if !fields.contains_key("password") {
        fields.insert("password".to_owned(), input::secret_line("password")?.expose().into());
    }
    Ok(client.write(&endpoint(arguments, &format!("login/{name}")), &fields).await?)
}

/// Logs in with fields that are given, and one that is asked for.
async fn by_fields(
    client: &Client,
    arguments: &Arguments,
    needed: &[&str],
    secret: Option<&str>,
) -> Result<Reply, Failure> {
    let mut fields = given(arguments)?;
    if let Some(missing) = needed.iter().find(|name| !fields.contains_key(**name)) {
        return Err(Failure::usage(format!("the method needs {missing}=…")));
    }
    if let Some(secret) = secret.filter(|name| !fields.contains_key(*name)) {
        fields.insert(secret.to_owned(), input::secret_line(secret)?.expose().into());
    }
    Ok(client.write(&endpoint(arguments, "login"), &fields).await?)
}

async fn by_platform_token(client: &Client, arguments: &Arguments) -> Result<Reply, Failure> {
    let mut fields = given(arguments)?;
    if !fields.contains_key("jwt") {
        let jwt = match &arguments.jwt_file {
            Some(file) => input::secret("jwt", Some(file))?,
            None => input::secret_line("jwt")?,
        };
        fields.insert("jwt".to_owned(), jwt.expose().into());
    }
    Ok(client.write(&endpoint(arguments, "login"), &fields).await?)
}

/// Checks the token, remembers it and shows what it may do.
async fn finish(token: &SecretText, arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let client = global.client(Some(SecretText::new(token.expose().to_owned()))).await?;
    let reply = client.read("auth/token/lookup-self").await?;
    let found: TokenLookup = reply.data()?;
    if !arguments.no_store {
        store(token)?;
    }
    output::reply(global.format, &reply_without_token(global, reply, &found)?, "")
}

/// Leaves the token out of what is shown; a machine gets the whole answer.
fn reply_without_token(global: &Global, reply: Reply, found: &TokenLookup) -> Result<Reply, Failure> {
    if global.format == Format::Json {
        return Ok(reply);
    }
    let shown = serde_json::json!({ "data": found }).to_string();
    Ok(Reply::new(reply.status(), String::new(), SecretText::new(shown)))
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
