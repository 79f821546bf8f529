//! `keyturn init`.

use std::path::PathBuf;

use clap::Args;
use vault_api::types::InitRequest;
use vault_core::sharing::Share;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::handout;
use crate::output::line;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many shares to make, one for each custodian
    #[arg(long, default_value_t = 5)]
    shares: u64,
    /// How many of them unseal the vault
    #[arg(long, default_value_t = 3)]
    threshold: u64,
    /// Make the vault by a signed charter: each share is sealed to its custodian, and no root token exists
    #[arg(long, value_name = "ENVELOPE", conflicts_with_all = ["shares", "threshold"])]
    charter: Option<PathBuf>,
    #[command(flatten)]
    handout: handout::HandoutArguments,
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    if let Some(envelope) = &arguments.charter {
        let made = global.stranger().await?.init_by_charter(&arguments.handout.request(envelope)?).await?;
        let next = "Next, custodians: keyturn unseal --identity FILE";
        return arguments.handout.write(&made, next, global);
    }
    let request = InitRequest { secret_shares: arguments.shares, secret_threshold: arguments.threshold };
    let made = global.stranger().await?.init(&request).await?;
    if global.format == Format::Json {
        return line(&serde_json::to_string(&made).map_err(anyhow::Error::from)?);
    }
    line("The vault is made, and sealed. These shares are shown this once:")?;
    for key in &made.keys {
        let share = Share::parse(key.expose()).map_err(|error| anyhow::anyhow!("the server's share: {error}"))?;
        line(&format!("\nshare {} of {}\n  {}", share.index(), arguments.shares, share.to_text().expose()))?;
    }
    line(&format!("\nroot token\n  {}", made.root_token.expose()))?;
    line(&format!(
        "\nHand one share to each custodian and keep no copy. {} of them unseal: each runs `keyturn unseal`.\n\
         Whoever holds the root token can do everything once it is unsealed.",
        arguments.threshold
    ))
}
