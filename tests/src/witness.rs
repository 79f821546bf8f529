//! Runs real `keyturn witness` processes, each in a directory of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::server::Process;

/// The directory of a witness.
pub struct WitnessHome {
    directory: TempDir,
}

/// A witness that runs; it is killed when dropped.
pub struct Witness {
    home: WitnessHome,
    process: Process,
    /// Where it answers.
    pub url: String,
    /// Its public key.
    pub key: String,
}

impl WitnessHome {
    /// Makes a witness that knows a log by its key. It listens at an address that stays the same over restarts, as those who
    /// ask it know it by.
    ///
    /// # Errors
    /// Fails when the directory cannot be written.
    pub fn new(log: &str) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("keyturn-witness-").tempdir()?;
        let address = crate::debian::free_address()?;
        let settings = format!(
            "name = \"witness.example.org\"\ndirectory = \"kept\"\nlogs = [\"{}\"]\n[listener]\naddress = \"{address}\"\n\
             [listener.tls]\nself_signed_directory = \"tls\"\n",
            log.trim()
        );
        std::fs::write(directory.path().join("witness.toml"), settings)?;
        Ok(Self { directory })
    }

    /// Gives the path of one of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts the witness and waits until it listens.
    ///
    /// # Errors
    /// Fails with its own messages when it does not listen.
    pub fn start(self) -> Result<Witness> {
        let log = std::fs::File::options().create(true).append(true).open(self.path("witness.log"))?;
        let mut child = Command::new(crate::binary::keyturn()?)
            .args(["witness", "run", "--config", "witness.toml"])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let process = Process(child);
        let mut lines = BufReader::new(stdout).lines();
        // It prints two lines and then nothing more, or ends.
        let mut line = |start: &str| -> Result<String> {
            let line = lines.next().transpose()?.unwrap_or_default();
            let told = || std::fs::read_to_string(self.path("witness.log")).unwrap_or_default();
            let rest = line
                .strip_prefix(start)
                .with_context(|| format!("the witness did not start; it wrote:\n{}", told()))?;
            Ok(rest.to_owned())
        };
        let key = line("keyturn: the key of this witness is ")?;
        let url = line("keyturn: listening on ")?;
        Ok(Witness { home: self, process, url, key })
    }
}

impl Witness {
    /// Gives its directory.
    pub const fn home(&self) -> &WitnessHome {
        &self.home
    }

    /// Kills it (SIGKILL).
    ///
    /// # Errors
    /// Fails when the process cannot be killed.
    pub fn kill(self) -> Result<WitnessHome> {
        let Self { home, mut process, .. } = self;
        process.0.kill()?;
        process.0.wait()?;
        Ok(home)
    }
}
