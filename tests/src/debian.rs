//! Programs from Debian packages that the vault works with: Prometheus, Alertmanager, a mail server. `scripts/test` unpacks
//! the packages beside the stock clients; the tests start them on ports of their own and end them by their ids.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Where the packages are unpacked, beside the clients.
const UNPACKED: &str = "debian";

/// Longest wait for a service to listen.
const START_MAX: Duration = Duration::from_secs(60);

/// Longest wait for an answer of a service.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Longest wait for something to become so.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Most bytes of an answer that are read.
const ANSWER_LENGTH_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How long to wait between two looks at something that takes time.
const PAUSE: Duration = Duration::from_millis(50);

/// Gives a program of the packages.
///
/// # Errors
/// Tells what to run when it is missing.
pub fn program(name: &str) -> Result<PathBuf> {
    crate::clients::installed(&format!("{UNPACKED}/usr/bin/{name}"))
}

/// Prepares a run of Debian's Python with the modules of the packages.
///
/// # Errors
/// Tells what to run when they are missing.
pub fn python() -> Result<Command> {
    let modules = crate::clients::installed(&format!("{UNPACKED}/usr/lib/python3/dist-packages"))?;
    let mut command = Command::new("/usr/bin/python3");
    command.arg("-B").env("PYTHONPATH", modules);
    Ok(command)
}

/// Runs a program to its end and gives what it wrote.
///
/// # Errors
/// Shows what it wrote when it fails.
pub fn run(command: &mut Command, input: &str) -> Result<String> {
    let named = command.get_program().display().to_string();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("it has no standard input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "{named}: {}\n{text}", output.status);
    Ok(text)
}

/// Finds a port that nobody listens on.
///
/// # Errors
/// Fails when there is none.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A service that runs; it is ended when dropped.
pub struct Service {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Service {
    /// Starts a service that is told to listen on `address`, and waits until it does. What it writes goes to `log`.
    ///
    /// # Errors
    /// Shows what it wrote when it does not listen in time.
    pub fn start(command: &mut Command, address: SocketAddr, log: &Path) -> Result<Self> {
        let (out, err) = (File::create(log)?, File::options().append(true).open(log)?);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        let mut service = Self { child, log: log.to_owned(), address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = service.child.try_wait()?;
            if ended.is_some() || began.elapsed() > START_MAX {
                bail!("nobody listens on {address} ({ended:?}):\n{}", service.log());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(service)
    }

    /// Gives what it has written.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Reads JSON over plain HTTP.
    ///
    /// # Errors
    /// Shows an answer that is not 200 with JSON.
    pub fn get(&self, path: &str) -> Result<Value> {
        let body = self.read(path)?;
        serde_json::from_str(&body).with_context(|| format!("GET {path}: no JSON: {body}"))
    }

    /// Waits until a path answers 200: what listens may still be loading.
    ///
    /// # Errors
    /// Shows what the service wrote when it does not come to that.
    pub fn until_ready(self, path: &str) -> Result<Self> {
        until("a service that is ready", || Ok(self.read(path).ok())).with_context(|| self.log())?;
        Ok(self)
    }

    fn read(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        // Nobody answers in pieces to HTTP/1.0.
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).as_bytes())?;
        let mut answer = String::new();
        stream.take(ANSWER_LENGTH_BYTES_MAX).read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("GET {path}: no HTTP: {answer}"))?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        ensure!(status == "200", "GET {path}: {answer}");
        Ok(body.to_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only when the process has ended and was waited for, which is what is wanted.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Looks again and again until something is there.
///
/// # Errors
/// Fails with `what` when it does not come, and when looking fails.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(began.elapsed() < WAIT_MAX, "{what}: it did not come to that");
        std::thread::sleep(PAUSE);
    }
}

/// Encodes a text for a query.
pub fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
