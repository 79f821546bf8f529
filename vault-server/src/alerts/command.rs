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
    run_time_max: Duration,
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
        Self { program: settings.program.clone(), arguments: settings.arguments.clone(), run_time_max: RUN_TIME_MAX }
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
        let ended = tokio::time::timeout(self.run_time_max, run).await;
        if ended.is_ok() {
            group.leader = None;
        }
        match ended {
            Err(_) => {
                Err(Failure::Unreachable(format!("it has not ended within {} seconds", self.run_time_max.as_secs())))
            }
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use vault_core::notice::Event;

    use super::super::tests::notice;
    use super::*;

    /// Tells whether a process runs: one that nobody has waited for is a zombie, which does not.
    fn runs(id: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    async fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_program_that_is_given_up_ends_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("id");
        let script = "sleep 600 & echo $! > \"$0.part\"; mv \"$0.part\" \"$0\"; wait";
        let program = Program {
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned(), file.display().to_string()],
            run_time_max: Duration::from_secs(600),
        };
        let told = notice(Event::Waits);
        tokio::select! {
            ended = program.run(&told) => panic!("{ended:?}"),
            () = until("it starts nothing", || file.exists()) => {}
        }
        let id = std::fs::read_to_string(file).unwrap();
        until("what it started still runs", || !runs(&id)).await;
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_given_up() {
        let arguments = vec!["600".to_owned()];
        let program = Program { program: "/bin/sleep".into(), arguments, run_time_max: Duration::from_millis(50) };
        let failure = program.run(&notice(Event::Waits)).await.unwrap_err();
        assert!(matches!(&failure, Failure::Unreachable(reason) if reason.contains("has not ended")), "{failure:?}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_no_panic() {
        let program = Program { program: "/nowhere/at/all".into(), arguments: Vec::new(), run_time_max: RUN_TIME_MAX };
        assert!(matches!(program.run(&notice(Event::Waits)).await, Err(Failure::Unreachable(_))));
    }
}
