//! `keyturn delegate`: one's vote in somebody else's hands.

use std::time::SystemTime;

use anyhow::Context;
use clap::{Args, Subcommand};
use data_encoding::HEXLOWER;
use rand::Rng;
use serde_json::{Value, json};
use vault_api::types::TokenLookup;
use vault_api::{Call, Client, Operation};
use vault_core::approval::{DELEGATION_PAYLOAD_TYPE, Delegation, Human};
use vault_core::envelope::{Envelope, Signature};
use vault_core::time::Span;

use crate::commands::charter_in_force;
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::memory::Encounter;
use crate::myself::Myself;
use crate::output;
use crate::untrusted::one_line;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Hand your vote on, for some paths, uses and time
    Give(Giving),
    /// Show whose vote is in whose hands
    List,
    /// Take your vote back
    Revoke {
        /// The delegation, as `keyturn delegate list` names it
        id: String,
    },
}

#[derive(Args)]
pub(crate) struct Giving {
    /// Who gets it: in service a name of the charter, before that the id of an entity
    to: String,
    /// A path, written as in policies; may be given several times
    #[arg(long = "path", value_name = "PATTERN", required = true)]
    paths: Vec<String>,
    /// For how many requests
    #[arg(long, default_value_t = 1)]
    uses: u32,
    /// For how long, such as 8h or 3d; 30 days at most
    #[arg(long, default_value = "24h")]
    ttl: String,
    #[command(flatten)]
    myself: Myself,
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match command {
        Command::Give(giving) => give(&giving, &client, global).await,
        Command::List => list(&client, global).await,
        Command::Revoke { id } => {
            let reply = client.delete(&format!("sys/delegations/{id}")).await?;
            output::reply(global.format, &reply, "Your vote is yours alone again.")
        }
    }
}

async fn give(giving: &Giving, client: &Client, global: &Global) -> Result<(), Failure> {
    let reason = global.reason.clone();
    let reason = reason.ok_or_else(|| Failure::usage("say why, for everybody to see: --reason TEXT"))?;
    let ttl = Span::parse(&giving.ttl).map_err(|error| Failure::usage(format!("--ttl: {error}")))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock")?;
    let ends = i64::try_from(now.as_secs().saturating_add(ttl.0)).context("--ttl")?;
    let mut nonce = [0; 16];
    rand::rng().fill_bytes(&mut nonce);
    let fingerprint = giving.myself.is_given().then(|| giving.myself.fingerprint()).transpose()?;
    let encounter = Encounter::with(client, fingerprint.as_deref()).await?;
    for doubt in encounter.doubts() {
        eprintln!("warning: {doubt}");
    }
    let vault = encounter.custody().vault.replace('-', "");
    let (from, to, charter) = match &fingerprint {
        Some(fingerprint) => {
            let charter = charter_in_force(client, fingerprint).await?;
            let (_, person) =
                charter.person_by_fingerprint(fingerprint).context("your key is of nobody in the charter")?;
            (
                Human::Person(person.name.to_string()),
                format!("person/{}", giving.to),
                Some(charter.digest().to_string()),
            )
        }
        None => {
            let me: TokenLookup =
                client.call(Call::new(Operation::Read, "auth/token/lookup-self")).await?.into_result()?.data()?;
            let own =
                Human::parse(&format!("entity/{}", me.entity_id)).context("your token says nothing of who you are")?;
            (own, format!("entity/{}", giving.to), None)
        }
    };
    let mut document = Delegation::new(vault, charter, HEXLOWER.encode(&nonce), (from.key(), to));
    document.paths.clone_from(&giving.paths);
    (document.uses, document.expires_at_seconds, document.reason) = (giving.uses, ends, reason);
    let json = serde_json::to_vec_pretty(&document).map_err(anyhow::Error::from)?;
    let mut envelope = Envelope::new(DELEGATION_PAYLOAD_TYPE, &json);
    Delegation::parse(&envelope).map_err(|refusal| Failure::usage(refusal.public))?;
    if let Some(key_id) = fingerprint {
        let bytes = giving.myself.sign(&envelope.signed_bytes())?.as_bytes().to_vec();
        envelope.add(Signature { key_id, bytes });
    }
    let envelope: Value = serde_json::from_str(&envelope.to_json()).map_err(anyhow::Error::from)?;
    let reply = client.write("sys/delegations", &json!({ "envelope": envelope })).await?;
    if global.format == Format::Json {
        return output::reply(global.format, &reply, "");
    }
    output::line(&format!(
        "Handed on as {}. To take it back: keyturn delegate revoke {}",
        document.nonce, document.nonce
    ))
}

async fn list(client: &Client, global: &Global) -> Result<(), Failure> {
    let reply = client.read("sys/delegations").await?;
    if global.format == Format::Json {
        return output::reply(global.format, &reply, "");
    }
    let data: Value = reply.data()?;
    let all = data.get("delegations").and_then(Value::as_array).cloned().unwrap_or_default();
    if all.is_empty() {
        return output::line("Every vote is in its owner's hands.");
    }
    for one in all {
        let text = |name: &str| one.get(name).map(|value| one_line(&output::text(value))).unwrap_or_default();
        let state = if text("in_force") == "true" { "in force" } else { "ended" };
        output::line(&format!(
            "{}  {state}  {} -> {}, uses {}, ends {}",
            text("id"),
            text("from"),
            text("to"),
            text("uses_left"),
            text("expires_at")
        ))?;
        output::line(&format!("    {}  \"{}\"", text("paths"), text("reason")))?;
    }
    Ok(())
}
