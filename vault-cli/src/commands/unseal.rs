//! `keyturn unseal`.

use std::path::PathBuf;

use clap::Args;
use vault_api::custody::{Custody, Known};
use vault_api::types::SealStatus;
use vault_api::{Client, SecretText};
use vault_core::sharing::Share;

use crate::connect::{Format, Global};
use crate::custodian::{self, Custodian};
use crate::failure::Failure;
use crate::memory::Encounter;
use crate::{input, output};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Read the share from a file; '-' is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["identity", "ssh_key"])]
    share_file: Option<PathBuf>,
    /// Forget the shares given so far
    #[arg(long, conflicts_with_all = ["share_file", "identity", "ssh_key"])]
    reset: bool,
    #[command(flatten)]
    custodian: custodian::CustodianArguments,
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    let client = global.stranger().await?;
    let status = if arguments.reset {
        client.unseal_reset().await?
    } else {
        let before = client.seal_status().await?;
        if !before.initialized {
            return Err(Failure::usage(describe(&before)));
        }
        if arguments.custodian.myself.is_given() {
            return by_custodian(&client, &before, &arguments.custodian, global).await;
        }
        let accepted = global.accept_changed_vault;
        let encounter = Encounter::with(&client, None).await?;
        if global.format == Format::Text && before.sealed {
            eprintln!("{}\n{}", describe(&before), introduce(encounter.custody()));
        }
        encounter.check(accepted)?;
        let share = input::secret("your share", arguments.share_file.as_deref())?;
        check_share(&share, encounter.custody())?;
        let status = client.unseal(share).await?;
        encounter.remember(accepted)?;
        status
    };
    if global.format == Format::Json {
        return output::line(&serde_json::to_string(&status).map_err(anyhow::Error::from)?);
    }
    output::line(&describe(&status))
}

/// Fetches the sealed share of a custodian, opens it here, and gives it.
async fn by_custodian(
    client: &Client,
    before: &SealStatus,
    arguments: &custodian::CustodianArguments,
    global: &Global,
) -> Result<(), Failure> {
    let custodian = Custodian::before(client, arguments, global).await?;
    if global.format == Format::Text && before.sealed {
        eprintln!("{}\n{}", introduce(custodian.custody()), still_needed(custodian.known()?));
    }
    let mut status = before.clone();
    for share in custodian.shares()? {
        if status.sealed {
            status = client.unseal(SecretText::new(share.to_text().expose().to_owned())).await?;
        }
    }
    custodian.remember()?;
    if global.format == Format::Json {
        return output::line(&serde_json::to_string(&status).map_err(anyhow::Error::from)?);
    }
    if !status.sealed {
        return output::line("The vault is unsealed.");
    }
    let after = client.custody(Some(&arguments.myself.fingerprint()?)).await?;
    output::line(&format!("Your share is given.\n{}", after.known.as_ref().map(still_needed).unwrap_or_default()))
}

/// Names who has come and who is still needed.
pub(super) fn still_needed(known: &Known) -> String {
    let given: Vec<&str> = known.custodians.iter().filter(|one| one.given).map(|one| one.person.as_str()).collect();
    let come = if given.is_empty() { "nobody".to_owned() } else { given.join(", ") };
    format!("Come so far: {come}. Still needed to unseal: {} ({}).", known.still_needed, known.rule)
}

/// Keeps a share that is mistyped or belongs elsewhere on this machine.
fn check_share(share: &SecretText, custody: &Custody) -> Result<(), Failure> {
    let share = Share::parse(share.expose()).map_err(|error| Failure::refused(error.to_string()))?;
    if share.vault().to_string() == custody.fingerprint {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "share {} is of vault {}, and this is vault {}; it was not given. Look for the right share, or at KEYTURN_ADDR",
        share.index(),
        share.vault(),
        custody.fingerprint
    )))
}

/// Says which vault it is and who was there before.
fn introduce(custody: &Custody) -> String {
    let vault = format!("It is vault {}, epoch {} of its shares.", custody.fingerprint, custody.epoch);
    match custody.attempt.as_ref().filter(|attempt| !attempt.given.is_empty()) {
        None => vault,
        Some(attempt) => {
            let given: Vec<String> = attempt.given.iter().map(u8::to_string).collect();
            format!("{vault} Given so far: {}; all are forgotten at {}.", given.join(", "), attempt.deadline)
        }
    }
}

/// Says where the vault stands and whose turn it is.
pub(super) fn describe(status: &SealStatus) -> String {
    if !status.initialized {
        return "The vault is not made yet. Next: keyturn init".to_owned();
    }
    if !status.sealed {
        return "The vault is unsealed.".to_owned();
    }
    format!(
        "The vault is sealed: {} of {} shares given, {} to go. Next: another custodian runs keyturn unseal",
        status.progress,
        status.threshold,
        status.missing()
    )
}
