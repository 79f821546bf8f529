//! Notices by a program of the operator's: it is started for each, without a shell, and reads JSON from its standard input.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use vault_core::notice::Notice;

use super::{Channel, Delivering, Failure, Kind, as_json};
use crate::config::CommandSettings;

/// How long the program may run.
const RUN_TIME_MAX: Duration = Duration::from_secs(10);

/// A program.
pub(super) struct Program {
    program: PathBuf,
    arguments: Vec<String>,
}

/// Ends the program with all that it has started, unless it has ended by itself: until then nobody else has its number.
struct Group {
    leader: Option<Pid>,
}

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { leader: id.and_then(Pid::from_raw) }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // It fails where nobody of the group is left.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Program {
    pub(super) fn new(settings: &CommandSettings) -> Self {
        Self { program: settings.program.clone(), arguments: settings.arguments.clone() }
    }

    async fn run(&self, notice: &Notice) -> Result<(), Failure> {
        let mut line = as_json(notice).to_string();
        line.push('\n');
        // The environment may hold what is nobody's business; there is no shell that could take a text for a command.
        let started = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut child = started.map_err(|error| Failure::Unreachable(format!("it cannot be started: {error}")))?;
        let mut group = Group::of(&child);
        let input = child.stdin.take();
        let feed = async {
            if let Some(mut input) = input {
                // A program that ends without reading tells by its status what it thinks of that.
                let _ = input.write_all(line.as_bytes()).await;
            }
        };
        let run = async { tokio::join!(feed, child.wait()).1 };
        let ended = tokio::time::timeout(RUN_TIME_MAX, run).await;
        if ended.is_ok() {
            group.leader = None;
        }
        match ended {
            Err(_) => Err(Failure::Unreachable(format!("it has not ended within {} seconds", RUN_TIME_MAX.as_secs()))),
            Ok(Err(error)) => Err(Failure::Unreachable(error.to_string())),
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(Failure::Refused(status.to_string())),
        }
    }
}

impl Channel for Program {
    fn kind(&self) -> Kind {
        Kind::Command
    }

    fn key(&self) -> &str {
        "command"
    }

    fn deliver<'a>(&'a self, notice: &'a Notice) -> Delivering<'a> {
        Box::pin(self.run(notice))
    }
}
