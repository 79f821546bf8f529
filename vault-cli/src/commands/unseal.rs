//! `keyturn unseal`.

use std::path::PathBuf;

use clap::Args;
use vault_api::SecretText;
use vault_api::custody::Custody;
use vault_api::types::SealStatus;
use vault_core::sharing::Share;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::memory::Encounter;
use crate::{input, output};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Read the share from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    share_file: Option<PathBuf>,
    /// Forget the shares given so far
    #[arg(long, conflicts_with = "share_file")]
    reset: bool,
    /// Give the share although the vault is another, or older, than the one that you saw last
    #[arg(long)]
    accept_changed_vault: bool,
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    let client = global.stranger()?;
    let status = if arguments.reset {
        client.unseal_reset().await?
    } else {
        let before = client.seal_status().await?;
        if !before.initialized {
            return Err(Failure::usage(describe(&before)));
        }
        let encounter = Encounter::with(&client, None).await?;
        if global.format == Format::Text && before.sealed {
            eprintln!("{}\n{}", describe(&before), introduce(encounter.custody()));
        }
        check(&encounter, arguments.accept_changed_vault)?;
        let share = input::secret("your share", arguments.share_file.as_deref())?;
        check_share(&share, encounter.custody())?;
        let status = client.unseal(share).await?;
        encounter.remember(arguments.accept_changed_vault)?;
        status
    };
    if global.format == Format::Json {
        return output::line(&serde_json::to_string(&status).map_err(anyhow::Error::from)?);
    }
    output::line(&describe(&status))
}

/// Lets nobody give a share to a vault that is not the one they know, unless they say that it is.
fn check(encounter: &Encounter, accepted: bool) -> Result<(), Failure> {
    let doubts: Vec<String> = encounter.doubts().iter().map(|doubt| format!("  {doubt}")).collect();
    if doubts.is_empty() {
        return Ok(());
    }
    let found = doubts.join("\n");
    if accepted {
        eprintln!("The vault has changed, and you say that this is right:\n{found}");
        return Ok(());
    }
    Err(Failure::refused(format!(
        "the vault is not as you saw it last, so your share was not given:\n{found}\n\
         Ask another custodian or the operator what happened. If it is right: keyturn unseal --accept-changed-vault"
    )))
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
