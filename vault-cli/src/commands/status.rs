//! `keyturn status`.

use std::process::ExitCode;

use clap::Args;
use vault_api::custody::{Custody, Known};

use super::unseal::{describe, still_needed};
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::log_watch::{self, Met};
use crate::memory::Encounter;
use crate::myself::Myself;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    myself: Myself,
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<ExitCode, Failure> {
    let client = global.unwatched()?;
    let status = client.seal_status().await?;
    let mut custody = None;
    if status.initialized {
        let myself = arguments.myself.is_given().then(|| arguments.myself.fingerprint()).transpose()?;
        let encounter = Encounter::with(&client, myself.as_deref()).await?;
        for doubt in encounter.doubts() {
            eprintln!("warning: {doubt}");
        }
        if let Met::Doubted(_, doubt) = log_watch::look(&client).await? {
            eprintln!("warning: the log of this vault is not the one that you have seen: {doubt}");
        }
        custody = Some(encounter.custody().clone());
        encounter.remember(false)?;
    }
    if global.format == Format::Json {
        output::line(&serde_json::to_string(&status).map_err(anyhow::Error::from)?)?;
    } else {
        output::line(&describe(&status))?;
        output::line(&format!("address  {}", global.address()))?;
        output::line(&format!("shares   {} of {} unseal", status.threshold, status.shares))?;
        output::line(&format!("vault    {}", status.cluster_id.as_deref().unwrap_or("-")))?;
        output::line(&format!("version  {}", status.version))?;
        if let Some(custody) = &custody {
            tell(custody)?;
        }
    }
    Ok(if status.sealed { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// Tells who holds the shares, as far as the vault told it.
fn tell(custody: &Custody) -> Result<(), Failure> {
    if custody.shares_in_clear {
        return output::line("custody  the shares were handed out in clear, to whoever made the vault");
    }
    if let Some(charter) = &custody.charter {
        output::line(&format!("charter  epoch {}, {}", charter.epoch, charter.digest))?;
    }
    let Some(known) = &custody.known else {
        return output::line("custody  say who you are to see the custodians: --identity FILE or --ssh-key FILE");
    };
    custodians(known)?;
    if custody.sealed { output::line(&still_needed(known)) } else { Ok(()) }
}

fn custodians(known: &Known) -> Result<(), Failure> {
    let width = known.custodians.iter().map(|one| one.person.chars().count()).max().unwrap_or(0);
    for one in &known.custodians {
        let seen =
            one.checked_at.as_deref().map_or_else(|| "never checked in".to_owned(), |at| format!("checked in {at}"));
        let overdue = if one.overdue { ", overdue" } else { "" };
        let given = if one.given { ", share given" } else { "" };
        output::line(&format!("share {:<3} {:width$}  {seen}{overdue}{given}", one.number, one.person))?;
    }
    match known.checkup_limit.as_str() {
        "soft" => output::line("Somebody is overdue. Next, each of them: keyturn share check --identity FILE")?,
        "hard" => output::line(
            "One more custodian to lose, and the vault may never open again. Next, those who are overdue: keyturn share \
             check; if they cannot, replace them (docs/ceremony.md)",
        )?,
        _ => {}
    }
    if let Some(pending) = &known.pending {
        let waiting = pending.waiting_for.join(", ");
        output::line(&format!("new shares of epoch {} wait for {waiting}: keyturn share acknowledge", pending.epoch))?;
    }
    Ok(())
}
