//! `keyturn charter check`.

use std::path::PathBuf;

use clap::Args;
use vault_core::charter::report::warnings;

use super::{charter, json};
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::myself::Myself;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The charter: a TOML file, or an envelope
    file: PathBuf,
    /// Who asks the vault which custodians are overdue for a check-up; without it no vault is asked
    #[command(flatten)]
    myself: Myself,
}

pub(super) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let charter = charter(&arguments.file)?;
    let mut texts: Vec<String> = warnings(&charter).into_iter().map(|warning| warning.text).collect();
    if arguments.myself.is_given() {
        texts.extend(overdue(arguments, global).await?);
    }
    if global.format == Format::Json {
        let warnings: Vec<_> = texts.iter().map(|text| serde_json::json!({ "text": text })).collect();
        return json(&warnings);
    }
    for text in &texts {
        output::line(&format!("warning: {text}"))?;
    }
    output::line(&format!("{} is a charter that holds together.", arguments.file.display()))
}

/// Names those of the charter in force who have not checked in for too long.
async fn overdue(arguments: &Arguments, global: &Global) -> Result<Vec<String>, Failure> {
    let fingerprint = arguments.myself.fingerprint()?;
    let custody = global.stranger().await?.custody(Some(&fingerprint)).await?;
    let known =
        custody.known.ok_or_else(|| Failure::refused(format!("the vault does not know the key {fingerprint}")))?;
    let overdue = known.custodians.iter().filter(|one| one.overdue || one.checked_at.is_none());
    Ok(overdue.map(|one| format!("{} has no recent check-up", one.person)).collect())
}
