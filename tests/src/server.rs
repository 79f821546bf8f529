//! Runs real `keyturn server` processes, each in a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::https::Connection;

/// What the server prints before its address once it accepts connections.
const LISTENING: &str = "keyturn: listening on https://";

/// Longest wait for a server to listen: a debug build on a busy machine, with a key to generate.
const START_MAX: Duration = Duration::from_secs(60);

const SETTINGS: &str = r#"[listener]
address = "127.0.0.1:0"
[listener.tls]
self_signed_directory = "tls"
[storage]
backend = "sqlite"
path = "keyturn.db"
[audit]
path = "audit.jsonl"
devices_directory = "."
"#;

/// The directory of a server that is not running.
pub struct Home {
    directory: TempDir,
}

impl Home {
    /// Makes a directory with a settings file; the vault in it is uninitialised.
    ///
    /// # Errors
    /// Fails when the directory cannot be written.
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("keyturn-test-").tempdir()?;
        std::fs::write(directory.path().join("keyturn.toml"), SETTINGS)?;
        Ok(Self { directory })
    }

    /// Gives the path of one of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a server on a free port and waits until it listens.
    ///
    /// # Errors
    /// Fails with the server's own messages when it does not listen in time.
    pub fn start(self) -> Result<Server> {
        self.start_read(true)
    }

    /// Does the same, and reads nothing more of its standard output once it listens.
    ///
    /// # Errors
    /// As [`Home::start`].
    pub fn start_unread(self) -> Result<Server> {
        self.start_read(false)
    }

    fn start_read(self, reads_on: bool) -> Result<Server> {
        let log = std::fs::File::options().create(true).append(true).open(self.path("server.log"))?;
        let mut child = Command::new(crate::binary::keyturn()?)
            .args(["server", "--config", "keyturn.toml"])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let stdout = child.stdout.take().context("the server has no standard output")?;
        let process = Process(child);
        match listening_address(stdout, reads_on) {
            Ok(address) => Ok(Server { home: self, process, address }),
            Err(error) => {
                let log = std::fs::read_to_string(self.path("server.log")).unwrap_or_default();
                Err(error.context(format!("the server did not start; it wrote:\n{log}")))
            }
        }
    }
}

/// A server that runs; it is killed when dropped.
pub struct Server {
    home: Home,
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Starts a server with an uninitialised vault.
    ///
    /// # Errors
    /// As [`Home::start`].
    pub fn start() -> Result<Self> {
        Home::new()?.start()
    }

    /// Gives where the server listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives the address as clients take it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Gives the audit log.
    pub fn audit_file(&self) -> PathBuf {
        self.home.path("audit.jsonl")
    }

    /// Gives the file with the certificate that clients must trust.
    pub fn authority_file(&self) -> PathBuf {
        self.home.path("tls").join("ca.pem")
    }

    /// Gives the server's directory.
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// Sends a signal by its name, such as `HUP`.
    ///
    /// # Errors
    /// Fails when the signal cannot be sent.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").args(["-s", name, &self.process.0.id().to_string()]).status()?;
        anyhow::ensure!(status.success(), "kill -s {name}: {status}");
        Ok(())
    }

    /// Waits until the server has ended by itself and tells whether it ended well.
    ///
    /// # Errors
    /// Fails when the process cannot be waited for.
    pub fn wait(self) -> Result<bool> {
        let Self { mut process, .. } = self;
        Ok(process.0.wait()?.success())
    }

    /// Waits until the server has ended well by itself, and gives its directory as it was left.
    ///
    /// # Errors
    /// Fails when it did not end well, or not in time.
    pub fn wait_home(self) -> Result<Home> {
        let Self { home, mut process, .. } = self;
        let began = std::time::Instant::now();
        while began.elapsed() < START_MAX {
            if let Some(status) = process.0.try_wait()? {
                anyhow::ensure!(status.success(), "the server ended with {status}");
                return Ok(home);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("the server does not end")
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(self.address, &self.authority_file())
    }

    /// Kills the server so that it can do nothing more (SIGKILL), and gives its directory as it was left.
    ///
    /// # Errors
    /// Fails when the process cannot be killed.
    pub fn kill(self) -> Result<Home> {
        let Self { home, mut process, .. } = self;
        process.0.kill()?;
        process.0.wait()?;
        Ok(home)
    }
}

/// A child process that does not outlive its owner.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the process has ended and was waited for, which is what is wanted.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Waits for the line with the address. What is printed afterwards is read and dropped, so that the server does not
/// block on a full pipe, unless that is what is wanted.
fn listening_address(stdout: ChildStdout, reads_on: bool) -> Result<SocketAddr> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix(LISTENING) {
                // Nobody receives once the wait was given up; the pipe is drained all the same.
                let _given_up = sender.send(address.trim().to_owned());
                if !reads_on {
                    // Keeps the pipe open for as long as the tests run.
                    loop {
                        std::thread::park();
                    }
                }
            }
        }
    });
    let address = receiver.recv_timeout(START_MAX).with_context(|| format!("no line `{LISTENING}…` on its output"))?;
    address.parse().with_context(|| format!("{address:?} is no address"))
}

/// Reads the audit log in `home` as text.
///
/// # Errors
/// Fails when the file cannot be read.
pub fn audit_text(home: &Home) -> Result<String> {
    let path: &Path = &home.path("audit.jsonl");
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// The files of a store.
const STORE: [&str; 2] = ["keyturn.db", "keyturn.db-wal"];

/// Copies the store of a server that is stopped, as a backup or a thief does.
///
/// # Errors
/// Fails when a file cannot be copied.
pub fn copy_store(home: &Home, to: &Path) -> Result<()> {
    copy_files(&home.path(""), to)
}

/// Puts an older store in the place of the one that is there.
///
/// # Errors
/// Fails when a file cannot be copied.
pub fn put_store_back(backup: &Path, home: &Home) -> Result<()> {
    for file in STORE {
        // A file that is not there is gone already.
        let _ = std::fs::remove_file(home.path(file));
    }
    copy_files(backup, &home.path(""))
}

/// Copies everything that a server keeps: store, log, and what lies beside them.
///
/// # Errors
/// Fails when a file cannot be copied.
pub fn copy_all(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &there)?;
        } else {
            std::fs::copy(entry.path(), there)?;
        }
    }
    Ok(())
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for file in STORE.iter().filter(|file| from.join(file).exists()) {
        std::fs::copy(from.join(file), to.join(file))?;
    }
    Ok(())
}
