//! `keyturn operator generate-root`: custodians make a root token together.

use std::path::PathBuf;

use clap::Subcommand;
use data_encoding::BASE64_NOPAD;
use serde::Deserialize;
use serde_json::json;
use vault_api::{Call, Operation, SecretText};
use zeroize::Zeroizing;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{input, output};

const ATTEMPT: &str = "sys/generate-root/attempt";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Begin: the one-time password that is shown decodes the token in the end
    Start,
    /// Give a share
    Give {
        /// The attempt, as `start` named it; the one that is shown if left out
        #[arg(long)]
        nonce: Option<String>,
        /// Read the share from a file; '-' is standard input
        #[arg(long, value_name = "FILE")]
        share_file: Option<PathBuf>,
    },
    /// Decode the token with the one-time password: two lines on standard input, the token first
    Decode,
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
    complete: bool,
    #[serde(default)]
    encoded_token: String,
    otp: Option<SecretText>,
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    let reply = match command {
        Command::Start => client.write(ATTEMPT, &json!({})).await?,
        Command::Status => client.read(ATTEMPT).await?,
        Command::Cancel => {
            let reply = client.call(Call::new(Operation::Delete, ATTEMPT)).await?.into_result()?;
            return output::reply(global.format, &reply, "The attempt is given up; its shares are forgotten.");
        }
        Command::Give { nonce, share_file } => {
            let nonce = match nonce {
                Some(nonce) => nonce,
                None => client.read(ATTEMPT).await?.body::<Status>()?.nonce,
            };
            let share = input::secret("your share", share_file.as_deref())?;
            client.write("sys/generate-root/update", &json!({ "key": share.expose(), "nonce": nonce })).await?
        }
        Command::Decode => return output::line(&decode()?),
    };
    if global.format == Format::Json {
        return output::reply(global.format, &reply, "");
    }
    show(&reply.body()?)
}

fn show(status: &Status) -> Result<(), Failure> {
    if status.complete {
        return output::line(&format!(
            "The encoded root token:\n  {}\n\nWhoever began has the one-time password and runs \
             keyturn operator generate-root decode",
            status.encoded_token
        ));
    }
    if !status.started {
        return output::line("No root token is being made. Next: keyturn operator generate-root start");
    }
    if let Some(otp) = status.otp.as_ref().filter(|otp| !otp.expose().is_empty()) {
        output::line(&format!(
            "The one-time password is shown this once; keep it to decode the token:\n  {}\n",
            otp.expose()
        ))?;
    }
    output::line(&format!(
        "Attempt {}: {} of {} shares given.\nNext: a custodian runs keyturn operator generate-root give --nonce {}",
        status.nonce, status.progress, status.required, status.nonce
    ))
}

/// Reads the encoded token and the one-time password, and gives the token.
fn decode() -> Result<String, Failure> {
    let encoded = input::secret_line("encoded token")?;
    let password = input::secret_line("one-time password")?;
    let wrong = || Failure::usage("the encoded token and the one-time password do not belong together");
    let bytes = BASE64_NOPAD.decode(encoded.expose().trim_end_matches('=').as_bytes()).map_err(|_| wrong())?;
    let bytes = Zeroizing::new(bytes);
    if bytes.len() != password.expose().len() {
        return Err(wrong());
    }
    let token = bytes.iter().zip(password.expose().bytes()).map(|(one, other)| one ^ other).collect();
    String::from_utf8(token).map_err(|_| wrong())
}
