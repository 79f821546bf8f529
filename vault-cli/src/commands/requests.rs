//! `keyturn requests`: what waits for others to agree.

use clap::{Args, Subcommand};
use vault_api::requests::{HeldSummary, Said};

use crate::connect::{Format, Global};
use crate::decision::Looked;
use crate::failure::Failure;
use crate::output;
use crate::untrusted::one_line;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Show a request with everything that is needed to decide about it
    Show {
        /// The request
        id: String,
    },
    /// Remark something about a request
    Comment {
        /// The request
        id: String,
        /// What
        text: String,
    },
    /// Take back what you asked for
    Cancel {
        /// The request
        id: String,
    },
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match arguments.command {
        None if global.format == Format::Json => output::reply(global.format, &client.read("sys/requests").await?, ""),
        None => {
            let found = client.held_requests().await?;
            part("Waiting for you", "keyturn approve ID, or keyturn deny ID --reason TEXT", &found.waiting)?;
            part("You asked for", "keyturn redeem ID, once enough people agree", &found.asked)?;
            part("Ended", "", &found.history)?;
            let none = found.waiting.is_empty() && found.asked.is_empty() && found.history.is_empty();
            if none { output::line("No request concerns you.") } else { Ok(()) }
        }
        Some(Command::Show { id }) if global.format == Format::Json => {
            let path = format!("sys/requests/{id}");
            output::reply(global.format, &client.read(&path).await?, "")
        }
        Some(Command::Show { id }) => output::line(&Looked::at(&client, &id).await?.describe()),
        Some(Command::Comment { id, text }) => {
            let said = Said { text: Some(text), ..Said::default() };
            output::reply(global.format, &client.say_of_request(&id, "comment", &said).await?, "Remarked.")
        }
        Some(Command::Cancel { id }) => {
            let answer = client.say_of_request(&id, "cancel", &Said::default()).await?;
            output::reply(global.format, &answer, "Taken back.")
        }
    }
}

fn part(title: &str, next: &str, requests: &[HeldSummary]) -> Result<(), Failure> {
    if requests.is_empty() {
        return Ok(());
    }
    output::line(&format!("{title}:"))?;
    for one in requests {
        let who = one.requester.person.as_ref().unwrap_or(&one.requester.name);
        output::line(&format!(
            "  {}  {}  {} {}  by {}, ends {}",
            one_line(&one.id),
            one_line(&one.state),
            one_line(&one.operation),
            one_line(&one.path),
            one_line(who),
            one_line(&one.expires_at)
        ))?;
        if !one.reason.is_empty() {
            output::line(&format!("      \"{}\"", one_line(&one.reason)))?;
        }
    }
    if next.is_empty() { Ok(()) } else { output::line(&format!("Next: {next}")) }
}
