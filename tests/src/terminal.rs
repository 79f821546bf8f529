//! The command line as people type it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};

use crate::server::Server;

/// Somebody's terminal: a home folder of its own and the address of a server.
pub struct Terminal<'a> {
    server: &'a Server,
    home: PathBuf,
    /// Removed with the terminal, if it is its own.
    _own: Option<tempfile::TempDir>,
}

impl<'a> Terminal<'a> {
    /// Opens a terminal.
    ///
    /// # Errors
    /// Fails when there is no room for a home folder.
    pub fn new(server: &'a Server) -> Result<Self> {
        let own = tempfile::tempdir()?;
        Ok(Self { server, home: own.path().to_owned(), _own: Some(own) })
    }

    /// Opens a terminal of somebody who was here before.
    ///
    /// # Errors
    /// Fails when the home folder is not there.
    pub fn in_home(server: &'a Server, home: &Path) -> Result<Self> {
        Ok(Self { server, home: home.canonicalize()?, _own: None })
    }

    /// Makes and unseals the vault, and logs in as root.
    ///
    /// # Errors
    /// Shows what a command printed when it fails.
    pub fn logged_in(server: &'a Server) -> Result<Self> {
        let terminal = Self::new(server)?;
        let printed = terminal.ok("keyturn init --shares 1 --threshold 1", "")?;
        let (shares, root) = handed_out(&printed);
        terminal.ok("keyturn unseal", shares.first().context("no share")?)?;
        terminal.ok("keyturn login", root)?;
        Ok(terminal)
    }

    /// Gives the home folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Types a command line, with `typed` on standard input.
    ///
    /// # Errors
    /// Fails when the command cannot be started.
    pub fn run(&self, line: &str, typed: &str) -> Result<Output> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (program, arguments) = words.split_first().context("an empty command line")?;
        ensure!(*program == "keyturn", "{line}");
        let mut child = Command::new(crate::binary::keyturn()?)
            .args(arguments)
            .env_clear()
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("KEYTURN_ADDR", self.server.url())
            .env("KEYTURN_CACERT", self.server.authority_file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // A command that reads nothing may have ended already.
        let _ = child.stdin.take().context("no standard input")?.write_all(typed.as_bytes());
        Ok(child.wait_with_output()?)
    }

    /// Types a command that must work, and gives what it prints.
    ///
    /// # Errors
    /// Shows what it printed when it fails.
    pub fn ok(&self, line: &str, typed: &str) -> Result<String> {
        let output = self.run(line, typed)?;
        let (out, err) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr).into_owned());
        ensure!(output.status.success(), "{line}: {}\n{out}\n{err}", output.status);
        Ok(out)
    }

    /// Types a command that must fail with an exit code, and gives what it says.
    ///
    /// # Errors
    /// Shows what it printed when it ends otherwise.
    pub fn fails(&self, line: &str, typed: &str, code: i32) -> Result<String> {
        let output = self.run(line, typed)?;
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(code), "{line}: {} instead of {code}\n{err}", output.status);
        Ok(err)
    }
}

/// Finds the shares and the root token in what `keyturn init` prints.
pub fn handed_out(printed: &str) -> (Vec<&str>, &str) {
    let lines: Vec<&str> = printed.lines().map(str::trim).collect();
    let shares = lines.iter().filter(|line| line.starts_with("keyturn-share-")).copied().collect();
    let root = lines.iter().find(|line| line.starts_with("kts.")).copied().unwrap_or_default();
    (shares, root)
}
