//! `keyturn charter propose`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use vault_core::charter::propose::propose;
use vault_core::charter::turn::{turns, turns_text};
use vault_core::charter::{CHARTER_LENGTH_BYTES_MAX, PAYLOAD_TYPE, PersonSet};
use vault_core::envelope::Envelope;
use vault_custody::files;

use super::{bytes, charter, json as print, unsound};
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The text of the new charter, a TOML file; its epoch and the digest of the one before are filled in
    draft: PathBuf,
    /// The charter that it follows: a TOML file or an envelope [default: it is the first]
    #[arg(long, value_name = "OLD")]
    from: Option<PathBuf>,
    /// The envelope to write [default: the draft's name with .json]; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let draft = bytes(&arguments.draft, CHARTER_LENGTH_BYTES_MAX)?;
    let draft = String::from_utf8(draft).with_context(|| arguments.draft.display().to_string())?;
    let old = arguments.from.as_deref().map(charter).transpose()?;
    let new = propose(&draft, old.as_ref()).map_err(|error| unsound(&arguments.draft, &error))?;
    let out = arguments.out.clone().unwrap_or_else(|| arguments.draft.with_extension("json"));
    let envelope = Envelope::new(PAYLOAD_TYPE, new.text().as_bytes());
    files::write_new_public(&out, envelope.to_json().as_bytes()).map_err(anyhow::Error::from)?;
    let judge = old.as_ref().unwrap_or(&new);
    let missing = turns(judge, judge.charter(), &PersonSet::default());
    let digest = new.digest().to_string();
    if global.format == Format::Json {
        let file = out.display().to_string();
        return print(&json!({ "epoch": new.epoch(), "digest": digest, "file": file, "missing": missing }));
    }
    let from = arguments.from.as_ref().map(|from| format!(" --from {}", from.display())).unwrap_or_default();
    output::line(&format!(
        "The charter of epoch {} is in {}, unsigned.\n  {digest}\nIt needs signatures: {}.\n\
         Next, each of them: keyturn charter sign {}{from} --identity FILE",
        new.epoch(),
        out.display(),
        turns_text(&missing),
        out.display()
    ))
}
