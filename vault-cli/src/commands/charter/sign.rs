//! `keyturn charter sign`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_core::charter::Charter;
use vault_core::charter::chain::{Standing, judge};
use vault_core::charter::diff::diff;
use vault_core::charter::report::Report;
use vault_core::charter::turn::{Turn, turns, turns_text};
use vault_core::envelope::{Envelope, Signature};
use vault_custody::files;

use super::{charter, envelope, json as print};
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::myself::Myself;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The envelope with the proposed charter; your signature is added to it
    envelope: PathBuf,
    /// The charter that it follows: a TOML file or an envelope [default: it is the first]
    #[arg(long, value_name = "OLD")]
    from: Option<PathBuf>,
    #[command(flatten)]
    myself: Myself,
}

pub(super) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let mut signed = envelope(&arguments.envelope)?;
    let old = arguments.from.as_deref().map(charter).transpose()?;
    let before = stand(&signed, old.as_ref(), arguments)?;
    let fingerprint = arguments.myself.fingerprint()?;
    let judge = old.as_ref().unwrap_or(&before.charter);
    let Some((index, person)) = judge.person_by_fingerprint(&fingerprint) else {
        return Err(Failure::refused(format!(
            "the key {fingerprint} is of nobody in the charter of epoch {}, whose people must sign",
            judge.epoch()
        )));
    };
    let name = person.name.to_string();
    let due = |standing: &Standing| turns(judge, judge.charter(), &standing.signers);
    if before.signers.contains(index) {
        return Err(Failure::refused(format!(
            "{name} has signed already; {}",
            whose_turn(&before, &due(&before), arguments)
        )));
    }
    if global.format == Format::Text {
        eprintln!("{}", describe(&before.charter, old.as_ref()));
    }
    let bytes = arguments.myself.sign(&signed.signed_bytes())?.as_bytes().to_vec();
    signed.add(Signature { key_id: fingerprint, bytes });
    // What was just signed must hold for whoever reads it next.
    let after = stand(&signed, old.as_ref(), arguments)?;
    files::replace_public(&arguments.envelope, signed.to_json().as_bytes()).map_err(anyhow::Error::from)?;
    let signers: Vec<String> =
        after.signers.iter().filter_map(|index| judge.person(index)).map(|p| p.name.to_string()).collect();
    if global.format == Format::Json {
        let digest = after.charter.digest().to_string();
        return print(&json!({ "digest": digest, "signers": signers, "missing": due(&after) }));
    }
    output::line(&format!("Signed by {}: {}", signers.join(", "), whose_turn(&after, &due(&after), arguments)))
}

fn stand(envelope: &Envelope, old: Option<&Charter>, arguments: &Arguments) -> Result<Standing, Failure> {
    judge(envelope, old).map_err(|problem| {
        let hint = match (&arguments.from, old) {
            (None, _) => "\nIf it follows another charter, name that one: --from OLD",
            _ => "",
        };
        Failure::refused(format!("{}: {problem}{hint}", arguments.envelope.display()))
    })
}

/// Shows what a signature stands for.
fn describe(new: &Charter, old: Option<&Charter>) -> String {
    let what = match old {
        None => Report::of(new).to_string(),
        Some(old) => diff(old, new).to_string(),
    };
    format!("{}\nYou sign the charter of epoch {}:\n  {}", what.trim_end(), new.epoch(), new.digest())
}

fn whose_turn(standing: &Standing, due: &[Turn], arguments: &Arguments) -> String {
    if !due.is_empty() {
        return format!("still missing: {}.", turns_text(due));
    }
    let file = arguments.envelope.display();
    if standing.charter.epoch() == 1 {
        return format!("enough have signed. Next: keyturn init --charter {file}");
    }
    format!("enough have signed. Next: keyturn rekey {file}")
}
