//! `keyturn audit explain`: one held request, from the log alone.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use vault_core::audit::explain::{CountedVote, Event, Explainer, Signed, What};

use crate::commands::charter_of_file;
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;
use crate::untrusted::{block, one_line};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The request
    id: String,
    /// The log: a file as the server writes it, or a copy by a device
    #[arg(long, value_name = "FILE", required = true)]
    log: PathBuf,
    /// A charter that the log does not hold: a TOML file or an envelope; may be given several times
    #[arg(long, value_name = "FILE")]
    charter: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let mut explainer = Explainer::new(&arguments.id);
    for file in &arguments.charter {
        explainer.add_charter(charter_of_file(file)?);
    }
    each_line(&arguments.log, |line| explainer.first(line))?;
    each_line(&arguments.log, |line| explainer.second(line))?;
    let events = explainer.events();
    if events.is_empty() {
        return Err(Failure::refused(format!("{} holds nothing of this request", arguments.log.display())));
    }
    if global.format == Format::Json {
        output::line(&serde_json::to_string(events).map_err(anyhow::Error::from)?)?;
    } else {
        events.iter().try_for_each(|event| output::line(&describe(event)))?;
    }
    if events.iter().any(is_bad) {
        return Err(Failure::refused("something in the log does not hold: see above".to_owned()));
    }
    Ok(())
}

fn each_line(file: &Path, mut take: impl FnMut(&str)) -> Result<(), Failure> {
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    for line in BufReader::new(opened).lines() {
        take(&line.with_context(|| file.display().to_string())?);
    }
    Ok(())
}

fn is_bad(event: &Event) -> bool {
    match &event.what {
        What::Asked { .. } => false,
        What::Approved { signature } | What::Denied { signature, .. } => signature.is_bad(),
        What::Released { votes, is_what_was_asked, doubts, .. } => {
            !is_what_was_asked || !doubts.is_empty() || votes.iter().any(|vote| vote.signature.is_bad())
        }
    }
}

fn describe(event: &Event) -> String {
    let place = format!("{}  record {}", one_line(&event.time), event.record);
    match &event.what {
        What::Asked { statement } => {
            let who = statement.requester.person.as_ref().unwrap_or(&statement.requester.name);
            let reason =
                if statement.reason.is_empty() { "  | (no reason)".to_owned() } else { block(&statement.reason) };
            let path = one_line(&statement.path);
            format!("{place}  asked by {}: {} {path}\n{reason}", one_line(who), one_line(&statement.operation))
        }
        What::Approved { signature } => format!("{place}  approved: {}", worth(signature)),
        What::Denied { reason, signature } => format!("{place}  denied: {}\n{}", worth(signature), block(reason)),
        What::Released { operation, path, votes, is_what_was_asked, doubts, outcome } => {
            let by = event.by.as_deref().map(one_line).unwrap_or_default();
            let from = one_line(event.remote.as_deref().unwrap_or("the vault itself"));
            let outcome = one_line(outcome.as_deref().unwrap_or("the log does not say how it ended"));
            let (operation, path) = (one_line(operation), one_line(path));
            let mut lines = vec![format!("{place}  released to {by} from {from}: {operation} {path} ({outcome})")];
            if !is_what_was_asked {
                lines
                    .push("    NOT what was asked for: the statements differ, or the log holds no question".to_owned());
            }
            lines.extend(doubts.iter().map(|doubt| format!("    DOES NOT HOLD: {}", one_line(doubt))));
            lines.extend(votes.iter().map(vote));
            lines.join("\n")
        }
    }
}

fn vote(vote: &CountedVote) -> String {
    let who = vote.person.as_ref().unwrap_or(&vote.name);
    let weight = if vote.weight == "full" { String::new() } else { format!(" ({})", one_line(&vote.weight)) };
    format!("    agreed to by {}{weight}: {}", one_line(who), worth(&vote.signature))
}

fn worth(signature: &Signed) -> String {
    match signature {
        Signed::None => "with a login, unsigned".to_owned(),
        Signed::ByPerson { person, fingerprint, epoch } => {
            let person = one_line(person);
            format!("signed by {person} with {fingerprint}, which the charter of epoch {epoch} names; it holds")
        }
        Signed::ByKey { fingerprint } => format!("signed with {fingerprint}; it holds, the charter is not in the log"),
        Signed::Bad { why } => format!("SIGNATURE DOES NOT HOLD: {}", one_line(why)),
    }
}
