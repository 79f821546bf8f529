//! `keyturn charter verify`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use vault_core::charter::Digest;
use vault_core::charter::chain::Chain;

use super::{envelope, json as print};
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The envelopes, JSON files
    #[arg(required = true)]
    envelopes: Vec<PathBuf>,
    /// The digest of the first charter, as you know it from elsewhere: no signature says that it is the right one
    #[arg(long, value_name = "DIGEST")]
    first: Option<String>,
}

pub(super) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let expected = match &arguments.first {
        None => None,
        Some(text) => {
            let digest = Digest::parse(text);
            Some(digest.ok_or_else(|| Failure::usage("--first is `sha256:` and 64 hexadecimal digits"))?)
        }
    };
    let read = arguments.envelopes.iter().map(|file| envelope(file)).collect::<Result<Vec<_>, _>>()?;
    let chain = Chain::verify(&read).map_err(anyhow::Error::from)?;
    let first = chain.links().first().context("no charter was given")?.charter.digest();
    if expected.is_some_and(|expected| expected != first) {
        return Err(Failure::refused(format!("the chain begins with another charter: {first}")));
    }
    let last = chain.last().context("no charter was given")?;
    let (epoch, digest) = (last.epoch(), last.digest().to_string());
    if global.format == Format::Json {
        return print(&json!({ "epoch": epoch, "digest": digest, "first": first }));
    }
    for link in chain.links() {
        output::line(&format!("epoch {}: signed by {}", link.charter.epoch(), link.signers.join(", ")))?;
    }
    if expected.is_none() {
        output::line(&format!("It begins with {first}: compare that with what you know, or give it with --first"))?;
    }
    output::line(&format!("The chain holds up to epoch {epoch}: {digest}"))
}
