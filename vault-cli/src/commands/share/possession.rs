//! `keyturn share check` and `keyturn share acknowledge`: proofs that a share is at hand; no part of it leaves the machine.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use vault_core::charter::Digest;

use crate::commands::charter_of_file;
use crate::connect::{Format, Global};
use crate::custodian::{self, Custodian, nothing_pending, prove};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    custodian: custodian::CustodianArguments,
}

#[derive(Args)]
pub(crate) struct Acknowledge {
    /// The charter that your new share must come with: a TOML file or an envelope
    #[arg(long, value_name = "FILE")]
    charter: Option<PathBuf>,
    #[command(flatten)]
    custodian: custodian::CustodianArguments,
}

pub(super) async fn check(arguments: &Check, global: &Global) -> Result<(), Failure> {
    let client = global.stranger().await?;
    let custodian = Custodian::before(&client, &arguments.custodian, global).await?;
    let mut lines = Vec::new();
    for share in custodian.shares()? {
        let checked = client.check_up(&prove(&client, &share, None).await?).await?;
        let (index, vault) = (share.index(), &custodian.custody().fingerprint);
        match global.format {
            Format::Json => lines.push(serde_json::to_string(&checked).map_err(anyhow::Error::from)?),
            Format::Text => {
                lines.push(format!("Vault {vault} knows that share {index} is at hand: {}", checked.checked_at));
            }
        }
    }
    custodian.remember()?;
    output::line(&lines.join("\n"))
}

pub(super) async fn acknowledge(arguments: &Acknowledge, global: &Global) -> Result<(), Failure> {
    let client = global.stranger().await?;
    let custodian = Custodian::before(&client, &arguments.custodian, global).await?;
    let pending = custodian.known()?.pending.as_ref().ok_or_else(nothing_pending)?;
    let digest = Digest::parse(&pending.charter.digest).context("the digest of the charter is damaged")?;
    if let Some(file) = &arguments.charter {
        let expected = charter_of_file(file)?.digest();
        if expected != digest {
            return Err(Failure::refused(format!(
                "the new shares come with another charter, {digest}, than {}: do not acknowledge them",
                file.display()
            )));
        }
    }
    if global.format == Format::Text {
        eprintln!("The new shares come with the charter of epoch {}:\n  {digest}", pending.charter.epoch);
    }
    let mut last = None;
    for share in custodian.pending_shares()? {
        last = Some(client.acknowledge_share(&prove(&client, &share, Some(&digest)).await?).await?);
    }
    let answer = last.context("no share was acknowledged")?;
    custodian.remember()?;
    if global.format == Format::Json {
        return output::line(&serde_json::to_string(&answer).map_err(anyhow::Error::from)?);
    }
    if answer.complete {
        return output::line(&format!(
            "All new shares are in force: epoch {}. The old ones open nothing any more.",
            answer.epoch
        ));
    }
    output::line(&format!("Your new share is acknowledged. Still to come: {}.", answer.waiting_for.join(", ")))
}
