//! `keyturn unseal`.

use std::path::PathBuf;

use clap::Args;
use vault_api::types::SealStatus;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{input, output};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Read the share from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    share_file: Option<PathBuf>,
    /// Forget the shares given so far
    #[arg(long, conflicts_with = "share_file")]
    reset: bool,
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    let client = global.stranger()?;
    let status = if arguments.reset {
        client.unseal_reset().await?
    } else {
        let before = client.seal_status().await?;
        if global.format == Format::Text && before.sealed {
            eprintln!("{}", describe(&before));
        }
        client.unseal(input::secret("your share", arguments.share_file.as_deref())?).await?
    };
    if global.format == Format::Json {
        return output::line(&serde_json::to_string(&status).map_err(anyhow::Error::from)?);
    }
    output::line(&describe(&status))
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
