//! `keyturn person age-identity`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_custody::{age_seal, files};
use zeroize::Zeroizing;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::{output, passphrase};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The identity file
    file: PathBuf,
    /// Where to write the age identity; a file that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Read the passphrase from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let file = passphrase::identity_file(&arguments.file)?;
    let identity = passphrase::open(&file, arguments.passphrase_file.as_deref())?;
    let recipient = identity.card().recipient.to_string();
    let secret = age_seal::age_identity_text(&identity);
    let text = Zeroizing::new(format!("# public key: {recipient}\n{}\n", secret.expose()));
    files::write_new(&arguments.out, text.as_bytes()).map_err(anyhow::Error::from)?;
    if global.format == Format::Json {
        let fields = json!({ "recipient": recipient, "file": arguments.out.display().to_string() });
        return output::line(&fields.to_string());
    }
    let out = arguments.out.display();
    output::line(&format!(
        "The age identity is in {out}: age -d -i {out} SEALED opens what is sealed to you.\n\
         It has no passphrase: whoever reads this file opens your shares. Delete it when you are done.\n\
         It cannot sign for you."
    ))
}
