//! Stock clients of the Vault API: how each client's own test suite is run against a real server, and how many tests
//! of each area passed.
//!
//! To add a client: a directory under `tests/clients`, what installs it in `scripts/test`, and one entry of
//! [`CLIENTS`]. To add an area: one file in each suite, and one entry of [`table::AREAS`].

mod output;
pub mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};

use self::output::Runner;
use crate::server::Server;

/// Says what to do when a runtime is missing.
const ADVICE: &str = "run scripts/test, which installs what the clients need";

/// How many tests passed in each area, by the name that the suite gives the area.
pub type Passed = BTreeMap<String, usize>;

/// A stock client with its test suite.
pub struct Client {
    /// What it is called.
    pub name: &'static str,
    /// Its directory under `tests/clients`.
    pub directory: &'static str,
    /// The file there that pins its version, and what stands before the version in it.
    pin: (&'static str, &'static str),
    runner: Runner,
    command: fn() -> Result<Command>,
    result: OnceLock<Result<Passed, String>>,
}

/// Every client, in the order of the table.
pub static CLIENTS: [Client; 5] = [
    Client::new("hvac", "hvac", ("requirements.txt", "\nhvac=="), Runner::Unittest, hvac),
    Client::new("node-vault", "node", ("package.json", "\"node-vault\": \""), Runner::Tap, node),
    Client::new("Go API client", "go", ("go.mod", "openbao/api/v2 v"), Runner::Go, go),
    Client::new("Spring Vault", "java", ("pom.xml", "<spring-vault.version>"), Runner::Surefire, java),
    Client::new("vaultrs", "rust", ("Cargo.toml", "vaultrs = { version = \"="), Runner::Libtest, rust),
];

impl Client {
    const fn new(
        name: &'static str,
        directory: &'static str,
        pin: (&'static str, &'static str),
        runner: Runner,
        command: fn() -> Result<Command>,
    ) -> Self {
        Self { name, directory, pin, runner, command, result: OnceLock::new() }
    }

    /// Runs the suite against a fresh, uninitialised server, once however often it is asked for, and counts.
    ///
    /// # Errors
    /// Shows the runner's output when a test failed or none ran.
    pub fn passed(&self) -> Result<&Passed> {
        let result = self.result.get_or_init(|| self.run().map_err(|error| format!("{error:#}")));
        result.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// Reads the version of the client that the suite pins.
    ///
    /// # Errors
    /// Fails when the file does not name it.
    pub fn version(&self) -> Result<String> {
        let (file, before) = self.pin;
        let text = std::fs::read_to_string(self.path().join(file))?;
        let (_, after) = text.split_once(before).with_context(|| format!("{file} has no {before:?}"))?;
        let version: String = after.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        ensure!(!version.is_empty(), "no version follows {before:?} in {file}");
        Ok(version)
    }

    fn path(&self) -> PathBuf {
        crate::tree::root().join("tests/clients").join(self.directory)
    }

    fn run(&self) -> Result<Passed> {
        let mut command = (self.command)()?;
        let server = Server::start()?;
        let output = command
            .current_dir(self.path())
            .env("VAULT_ADDR", server.url())
            .env("VAULT_CACERT", server.authority_file())
            .env_remove("VAULT_TOKEN")
            .output()
            .with_context(|| format!("{} cannot be run: {ADVICE}", command.get_program().display()))?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{}: {}\n{stdout}\n{stderr}", self.name, output.status);
        // Every runner succeeds when it finds no test.
        let passed = self.runner.passed(&stdout, &stderr);
        ensure!(!passed.is_empty(), "{} ran no test\n{stdout}\n{stderr}", self.name);
        Ok(passed)
    }
}

/// Gives the directory where `scripts/test` installs the clients.
pub(crate) fn clients_directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    crate::tree::root().join(target).join("clients")
}

/// Gives the path of something that `scripts/test` installed.
pub(crate) fn installed(name: &str) -> Result<PathBuf> {
    let path = clients_directory().join(name);
    ensure!(path.exists(), "{} is missing: {ADVICE}", path.display());
    Ok(path)
}

fn hvac() -> Result<Command> {
    let mut command = Command::new(installed("venv/bin/python3")?);
    command.args(["-B", "-m", "unittest", "discover", "--verbose", "--pattern", "test_*.py"]);
    Ok(command)
}

fn node() -> Result<Command> {
    let mut command = Command::new("node");
    command.args(["--test-reporter=tap", "vault.test.js"]).env("NODE_PATH", installed("node/node_modules")?);
    Ok(command)
}

fn go() -> Result<Command> {
    let mut command = Command::new("go");
    command.args(["test", "-count=1", "-v", "./..."]);
    Ok(command)
}

fn java() -> Result<Command> {
    let mut command = Command::new("mvn");
    command
        .args(["--batch-mode", "--offline", "test"])
        .arg(format!("-Dmaven.repo.local={}", installed("m2")?.display()))
        .arg(format!("-Dkeyturn.build={}", clients_directory().join("java").display()));
    Ok(command)
}

fn rust() -> Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--offline", "--locked", "--target-dir"]).arg(installed("rust")?);
    command.args(["--", "--test-threads=1"]);
    Ok(command)
}
