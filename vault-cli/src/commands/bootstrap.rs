//! `keyturn bootstrap`: brings a vault whose shares were handed out in clear under a charter, and into service.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use vault_api::SecretText;
use vault_api::custody::Bootstrap;
use vault_core::charter::Charter;

use super::charter_of_file;
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{handout, input, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Propose a first charter to the custodians of the present shares
    Finish(Finish),
    /// Agree to it with one of the present shares; the last one has new shares handed out
    Agree(Agree),
    /// Show how far it is
    Status,
}

#[derive(Args)]
pub(crate) struct Finish {
    /// The charter in its envelope, signed by its own quorum
    charter: PathBuf,
    #[command(flatten)]
    handout: handout::HandoutArguments,
}

#[derive(Args)]
pub(crate) struct Agree {
    /// The charter that you agree to: a TOML file or an envelope
    charter: PathBuf,
    /// The attempt, as `finish` named it; the one that is shown if left out
    #[arg(long)]
    nonce: Option<String>,
    /// Read the share from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    share_file: Option<PathBuf>,
    #[command(flatten)]
    handout: handout::HandoutArguments,
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Finish(arguments) => {
            let request = arguments.handout.request(&arguments.charter)?;
            let begun = global.caller().await?.begin_bootstrap(&request).await?;
            show(&begun, Some(&arguments.charter), global)
        }
        Command::Agree(arguments) => agree(arguments, global).await,
        Command::Status => show(&global.stranger().await?.bootstrap(None).await?, None, global),
    }
}

async fn agree(arguments: Agree, global: &Global) -> Result<(), Failure> {
    let client = global.stranger().await?;
    let status = client.bootstrap(arguments.nonce.as_deref()).await?;
    let charter = charter_of_file(&arguments.charter)?;
    check(&status, &charter, &arguments.charter)?;
    let share = input::secret("your share", arguments.share_file.as_deref())?;
    let given = client.agree_to_bootstrap(SecretText::new(share.expose().to_owned()), &status.nonce).await?;
    match &given.handed_out {
        None => show(&given, Some(&arguments.charter), global),
        Some(made) => {
            let next = "The old shares stay in force until every custodian has shown their new one.\n\
                Next, each of them: keyturn share acknowledge --identity FILE";
            arguments.handout.write(made, next, global)
        }
    }
}

/// Lets nobody agree to another charter than the one they know.
fn check(status: &Bootstrap, charter: &Charter, file: &Path) -> Result<(), Failure> {
    if status.nonce.is_empty() {
        return Err(Failure::usage(
            "no charter is proposed to the custodians. Next: keyturn bootstrap finish ENVELOPE",
        ));
    }
    if status.charter != charter.digest().to_string() {
        return Err(Failure::refused(format!(
            "the attempt is for another charter, {}, than {}; your share was not given. See which attempts run, and name \
             the right one with --nonce",
            status.charter,
            file.display()
        )));
    }
    Ok(())
}

fn show(status: &Bootstrap, charter: Option<&Path>, global: &Global) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::line(&serde_json::to_string(status).map_err(anyhow::Error::from)?);
    }
    if status.nonce.is_empty() {
        return output::line("No charter is proposed to the custodians. Next: keyturn bootstrap finish ENVELOPE");
    }
    let file = charter.map_or_else(|| "ENVELOPE".to_owned(), |file| file.display().to_string());
    output::line(&format!(
        "Attempt {}: {} of {} present shares given, for the charter\n  {}\n\
         Next: a custodian runs keyturn bootstrap agree {file} --nonce {}",
        status.nonce, status.progress, status.required, status.charter, status.nonce
    ))
}
