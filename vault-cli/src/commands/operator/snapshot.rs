//! `keyturn operator snapshot`: the whole store in one file, its rows sealed as they are.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::connect::Global;
use crate::failure::Failure;
use crate::output;

const PATH: &str = "sys/storage/raft/snapshot";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Save a snapshot to a file that is not there yet
    Save {
        /// The file
        file: PathBuf,
    },
    /// Put a snapshot back; the vault is sealed then, and opened by the shares of the snapshot's time
    Restore {
        /// The file
        file: PathBuf,
        /// Take a snapshot of another vault, or one from before the keys were replaced
        #[arg(long)]
        force: bool,
    },
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    match command {
        Command::Save { file } => {
            let beside = file.with_extension("part");
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
            let mut sink = made.map_err(|error| anyhow::anyhow!("{}: {error}", beside.display()))?;
            let saved = client.download(PATH, &mut sink).await;
            match saved.map_err(Failure::from).and_then(|length| finish(sink, &beside, &file).map(|()| length)) {
                Ok(length) => output::line(&format!("{length} bytes are saved to {}.", file.display())),
                Err(failure) => {
                    // What was begun is of no use to anybody.
                    let _ = std::fs::remove_file(&beside);
                    Err(failure)
                }
            }
        }
        Command::Restore { file, force } => {
            let opened = tokio::fs::File::open(&file).await;
            let opened = opened.map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
            let path = if force { "sys/storage/raft/snapshot-force" } else { PATH };
            client.upload(path, opened).await?;
            output::line("The snapshot is back and the vault is sealed. Next: custodians run keyturn unseal")
        }
    }
}

/// Makes the file durable and gives it its name, unless something has that name already.
fn finish(mut sink: std::fs::File, beside: &Path, file: &Path) -> Result<(), Failure> {
    sink.flush()?;
    sink.sync_all()?;
    std::fs::hard_link(beside, file).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    Ok(std::fs::remove_file(beside)?)
}
