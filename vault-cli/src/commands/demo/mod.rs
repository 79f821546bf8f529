//! `keyturn demo`: the main job from end to end, through the public interfaces of a real server.

mod custody;
mod process;
mod story;
mod two_person;

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::output::line;
use process::Process;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Leave the server running, unsealed, and say how to reach it
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("keyturn-demo-").tempdir()?;
    let server = Process::start(folder.path())?;
    let told = story::tell(&server, arguments.keep).await?;
    if !arguments.keep {
        let second_folder = tempfile::Builder::new().prefix("keyturn-demo-").tempdir()?;
        let second = Process::start(second_folder.path())?;
        custody::tell(&second.client(None)?).await?;
        return line(&told);
    }
    let folder: PathBuf = folder.keep();
    line(&told)?;
    line(&format!("  kill {}; rm -r {}    # ends it", server.leave_running(), folder.display()))
}
