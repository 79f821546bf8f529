//! `keyturn act sign`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_core::charter::turn::{turns, turns_text};
use vault_core::charter::{Charter, PersonSet};
use vault_core::custody::act::ACT_PAYLOAD_TYPE;
use vault_core::envelope::{Envelope, Signature};
use vault_custody::files;

use super::{describe, read};
use crate::commands::{charter_in_force, charter_of_file};
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::myself::Myself;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The envelope with the request; your signature is added to it
    envelope: PathBuf,
    /// The charter in force, a TOML file or an envelope [default: it is asked of the vault]
    #[arg(long, value_name = "FILE")]
    charter: Option<PathBuf>,
    #[command(flatten)]
    myself: Myself,
}

pub(super) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let (mut envelope, act) = read(&arguments.envelope)?;
    let fingerprint = arguments.myself.fingerprint()?;
    let charter = charter(arguments, &fingerprint, global).await?;
    if act.charter != charter.digest().to_string() {
        return Err(Failure::refused(format!(
            "the request is for another charter, {}, than that of epoch {}: propose it anew",
            act.charter,
            charter.epoch()
        )));
    }
    let signers = signers(&envelope, &charter, arguments)?;
    let Some((index, person)) = charter.person_by_fingerprint(&fingerprint) else {
        return Err(Failure::refused(format!("the key {fingerprint} is of nobody in the charter")));
    };
    if signers.contains(index) {
        return Err(Failure::refused(format!("{} has signed already", person.name)));
    }
    if global.format == Format::Text {
        eprintln!("{}", describe(&act));
    }
    let bytes = arguments.myself.sign(&envelope.signed_bytes())?.as_bytes().to_vec();
    envelope.add(Signature { key_id: fingerprint, bytes });
    let signers = self::signers(&envelope, &charter, arguments)?;
    files::replace_public(&arguments.envelope, envelope.to_json().as_bytes()).map_err(anyhow::Error::from)?;
    let missing = turns(&charter, charter.change(), &signers);
    if global.format == Format::Json {
        return output::line(&json!({ "missing": missing }).to_string());
    }
    output::line(&if missing.is_empty() {
        format!("Enough have signed. Next: keyturn act submit {}", arguments.envelope.display())
    } else {
        format!("Your signature is added. Still missing: {}.", turns_text(&missing))
    })
}

async fn charter(arguments: &Arguments, fingerprint: &str, global: &Global) -> Result<Charter, Failure> {
    if let Some(file) = &arguments.charter {
        return charter_of_file(file);
    }
    charter_in_force(&global.stranger().await?, fingerprint).await
}

fn signers(envelope: &Envelope, charter: &Charter, arguments: &Arguments) -> Result<PersonSet, Failure> {
    let signers = envelope.signers(ACT_PAYLOAD_TYPE, charter);
    signers.map_err(|error| Failure::refused(format!("{}: {error}", arguments.envelope.display())))
}
