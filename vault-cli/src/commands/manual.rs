//! `keyturn completions` and `keyturn man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct Pages {
    /// An existing folder
    directory: PathBuf,
}

pub(crate) fn completions(arguments: &Completions) -> Result<(), Failure> {
    clap_complete::generate(arguments.shell, &mut crate::Arguments::command(), "keyturn", &mut std::io::stdout());
    Ok(())
}

pub(crate) fn pages(arguments: &Pages) -> Result<(), Failure> {
    Ok(clap_mangen::generate_to(crate::Arguments::command(), &arguments.directory)?)
}
