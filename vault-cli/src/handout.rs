//! Writes what a ceremony handed out: a file for each custodian, which nobody else can open, and the record.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use data_encoding::BASE64;
use vault_api::custody::{CharterRequest, HandedOut, SealedShare};
use vault_custody::files;

use crate::commands::charter_envelope;
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

/// Where sealed shares go.
#[derive(Args)]
pub(crate) struct HandoutArguments {
    /// Do not keep the sealed shares beside the vault: each custodian keeps their file
    #[arg(long)]
    no_keep: bool,
    /// The folder for the sealed shares and the record of the ceremony
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
}

impl HandoutArguments {
    /// Makes the request for a charter in its envelope.
    pub(crate) fn request(&self, envelope: &Path) -> Result<CharterRequest, Failure> {
        Ok(CharterRequest { charter: charter_envelope(envelope)?.to_json(), keep: !self.no_keep })
    }

    /// Writes the files, and tells what comes next.
    pub(crate) fn write(&self, made: &HandedOut, next: &str, global: &Global) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        let record = self.out.join(format!("ceremony-{}-{}.json", made.fingerprint, made.epoch));
        files::write_new_public(&record, made.record.as_bytes()).map_err(anyhow::Error::from)?;
        for share in &made.sealed_shares {
            let sealed = BASE64.decode(share.age.as_bytes()).context("a sealed share is damaged")?;
            files::write_new(&self.file(made, share), &sealed).map_err(anyhow::Error::from)?;
        }
        if global.format == Format::Json {
            return output::line(&serde_json::to_string(made).map_err(anyhow::Error::from)?);
        }
        output::line(&format!(
            "Vault {}, epoch {} of its shares, by the charter of epoch {}\n  {}",
            made.fingerprint, made.epoch, made.charter.epoch, made.charter.digest
        ))?;
        for share in &made.sealed_shares {
            let file = self.file(made, share).display().to_string();
            output::line(&format!("share {}  {}  {file}", share.number, share.person))?;
        }
        output::line(&format!("record   {}", record.display()))?;
        let kept = if self.no_keep {
            "The vault keeps none of them: give each custodian their file now, and delete it here."
        } else {
            "The vault keeps them as well; the files are a copy. Only its custodian can open a share."
        };
        output::line(&format!("{kept}\n{next}"))
    }

    fn file(&self, made: &HandedOut, share: &SealedShare) -> PathBuf {
        self.out.join(format!("share-{}-{}-{}.age", made.epoch, share.number, share.person))
    }
}
