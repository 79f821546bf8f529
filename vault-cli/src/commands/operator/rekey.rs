//! `keyturn operator rekey`: custodians replace all shares by new ones.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;
use vault_api::{Call, Operation, Reply, SecretText};
use vault_core::sharing::Share;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{input, output};

const INIT: &str = "sys/rekey/init";
const VERIFY: &str = "sys/rekey/verify";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Begin: say how many new shares there will be
    Start {
        /// How many shares to make
        #[arg(long, default_value_t = 5)]
        shares: u64,
        /// How many of them unseal the vault
        #[arg(long, default_value_t = 3)]
        threshold: u64,
        /// Keep the old shares until enough of the new ones have been given back
        #[arg(long)]
        verify: bool,
    },
    /// Give one of the present shares
    Give {
        /// The attempt, as `start` named it; the one that is shown if left out
        #[arg(long)]
        nonce: Option<String>,
        /// Read the share from a file; '-' is standard input
        #[arg(long, value_name = "FILE")]
        share_file: Option<PathBuf>,
    },
    /// Give one of the new shares back, to show that it arrived
    Verify {
        /// The verification, as the last `give` named it; the one that is shown if left out
        #[arg(long)]
        nonce: Option<String>,
        /// Read the share from a file; '-' is standard input
        #[arg(long, value_name = "FILE")]
        share_file: Option<PathBuf>,
    },
    /// Show how far it is
    Status,
    /// Give the attempt up
    Cancel,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    started: bool,
    #[serde(default)]
    progress: u64,
    #[serde(default)]
    required: u64,
    #[serde(default)]
    n: u64,
    #[serde(default)]
    t: u64,
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    complete: bool,
    #[serde(default)]
    keys: Vec<SecretText>,
    #[serde(default)]
    verification_required: bool,
    #[serde(default)]
    verification_nonce: String,
    #[serde(default)]
    progress: u64,
    #[serde(default)]
    required: u64,
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match command {
        Command::Start { shares, threshold, verify } => {
            let body = json!({"secret_shares": shares, "secret_threshold": threshold, "require_verification": verify});
            let reply = client.write(INIT, &body).await?;
            show_status(global, &reply)
        }
        Command::Status => show_status(global, &client.read(INIT).await?),
        Command::Cancel => {
            let reply = client.call(Call::new(Operation::Delete, INIT)).await?.into_result()?;
            output::reply(global.format, &reply, "The attempt is given up; its shares are forgotten.")
        }
        Command::Give { nonce, share_file } => {
            let nonce = match nonce {
                Some(nonce) => nonce,
                None => client.read(INIT).await?.body::<Status>()?.nonce,
            };
            let share = input::secret("your share", share_file.as_deref())?;
            let body = json!({ "key": share.expose(), "nonce": nonce });
            show_given(global, &client.write("sys/rekey/update", &body).await?)
        }
        Command::Verify { nonce, share_file } => {
            let nonce = match nonce {
                Some(nonce) => nonce,
                None => client.read(VERIFY).await?.body::<Status>()?.nonce,
            };
            let share = input::secret("a new share", share_file.as_deref())?;
            let reply = client.write(VERIFY, &json!({ "key": share.expose(), "nonce": nonce })).await?;
            if global.format == Format::Json {
                return output::reply(global.format, &reply, "");
            }
            if reply.body::<Given>()?.complete {
                return output::line(
                    "The new shares are verified: from now on they open the vault, the old ones nothing.",
                );
            }
            let status: Status = client.read(VERIFY).await?.body()?;
            let missing = status.required.saturating_sub(status.progress);
            output::line(&format!(
                "It is one of the new shares. {missing} to go: the next custodian runs the same command."
            ))
        }
    }
}

fn show_status(global: &Global, reply: &Reply) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::reply(global.format, reply, "");
    }
    let status: Status = reply.body()?;
    if !status.started {
        return output::line("No replacement of shares is under way. Next: keyturn operator rekey start");
    }
    output::line(&format!(
        "Attempt {}: {} of {} present shares given, for {} new ones of which {} unseal.\n\
         Next: a custodian runs keyturn operator rekey give --nonce {}",
        status.nonce, status.progress, status.required, status.n, status.t, status.nonce
    ))
}

fn show_given(global: &Global, reply: &Reply) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::reply(global.format, reply, "");
    }
    let given: Given = reply.body()?;
    if !given.complete {
        let missing = given.required.saturating_sub(given.progress);
        return output::line(&format!("The share is good. {missing} to go: the next custodian runs the same command."));
    }
    output::line("The new shares are shown this once:")?;
    for key in &given.keys {
        let share = Share::parse(key.expose()).map_err(|error| anyhow::anyhow!("the server's share: {error}"))?;
        output::line(&format!("\nshare {}\n  {}", share.index(), share.to_text().expose()))?;
    }
    if given.verification_required {
        return output::line(&format!(
            "\nHand one to each custodian. The old shares stay good until the new ones are given back:\n\
             each custodian runs keyturn operator rekey verify --nonce {}",
            given.verification_nonce
        ));
    }
    output::line("\nHand one to each custodian and keep no copy. The old shares open nothing any more.")
}
