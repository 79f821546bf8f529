//! `keyturn person`: the keys that people are known by.

mod age_identity;
mod card;
mod new;
mod passphrase;

use clap::Subcommand;
use serde_json::json;
use vault_custody::card::Card;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a person's keys in a file under a passphrase, and print the card to publish
    New(new::Arguments),
    /// Print a card: of an identity file, or of keys that the person has already
    Card(card::Arguments),
    /// Write the age identity for the ordinary age tool, without a passphrase
    AgeIdentity(age_identity::Arguments),
    /// Change the passphrase of an identity file
    Passphrase(passphrase::Arguments),
}

pub(crate) fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::New(arguments) => new::run(&arguments, global),
        Command::Card(arguments) => card::run(&arguments, global),
        Command::AgeIdentity(arguments) => age_identity::run(&arguments, global),
        Command::Passphrase(arguments) => passphrase::run(&arguments, global),
    }
}

/// Prints a card as it goes into a charter.
fn show(card: &Card, global: &Global) -> Result<(), Failure> {
    if global.format == Format::Json {
        let fields = json!({
            "name": card.name.to_string(),
            "signing_key": card.signing_key.to_string(),
            "recipient": card.recipient.to_string(),
            "fingerprint": card.signing_key.fingerprint(),
        });
        return output::line(&fields.to_string());
    }
    output::line(card.to_toml().trim_end())
}

/// Says what was done, to people alone: what comes out on standard output is the card, or nothing.
fn tell(global: &Global, text: &str) {
    if global.format == Format::Text {
        eprintln!("{text}");
    }
}
