//! A server of the demo's own: the same binary, with TLS and SQLite in one folder.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context;
use vault_api::{Address, Client, SecretText};

use crate::failure::Failure;

const SETTINGS: &str = "[listener]\naddress = \"127.0.0.1:0\"\n[listener.tls]\nself_signed_directory = \"tls\"\n\
    [storage]\nbackend = \"sqlite\"\npath = \"keyturn.db\"\n[audit]\npath = \"audit.jsonl\"\n[log]\nlevel = \"error\"\n";

/// A running server; it ends with this value unless it is left running.
pub(super) struct Process {
    child: Option<Child>,
    /// Kept open, so that the server always has somebody to write to.
    _output: BufReader<ChildStdout>,
    pub(super) folder: PathBuf,
    pub(super) address: String,
}

impl Process {
    /// Starts a server in `folder` and waits until it listens.
    pub(super) fn start(folder: &Path) -> Result<Self, Failure> {
        let settings = folder.join("keyturn.toml");
        std::fs::write(&settings, SETTINGS)?;
        let program = std::env::current_exe()?;
        let mut child = Command::new(program)
            .arg("server")
            .arg("--config")
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the server cannot be started")?;
        let output = child.stdout.take().context("the server has no output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let mut process =
            Self { child: Some(child), _output: output, folder: folder.to_owned(), address: String::new() };
        let address = line.trim().strip_prefix("keyturn: listening on ");
        process.address = address.context("the server did not come up")?.to_owned();
        Ok(process)
    }

    /// Gives the file of the certificate authority that the server made.
    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.join("tls/ca.pem")
    }

    /// Makes a client.
    pub(super) fn client(&self, token: Option<&SecretText>) -> Result<Client, Failure> {
        let mut builder = Client::builder(Address::parse(&self.address)?).ca_certificate(self.ca_file());
        if let Some(token) = token {
            builder = builder.token(SecretText::new(token.expose().to_owned()));
        }
        Ok(builder.build()?)
    }

    /// Leaves the server running and gives its process id.
    pub(super) fn leave_running(mut self) -> u32 {
        self.child.take().map_or(0, |child| child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; then there is nothing to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
