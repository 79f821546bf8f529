//! Stock clients of the Vault API against a real server: each client's own test suite, run by its own runner.
//!
//! `scripts/test` installs what they need under `target/clients`. A missing runtime is a failure, never a skip.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tests::server::Server;

/// Says what to do when a runtime is missing.
const ADVICE: &str = "run scripts/test, which installs what the clients need";

#[test]
fn hvac_works_unchanged() -> Result<()> {
    let python = installed("venv/bin/python3")?;
    run("hvac", Command::new(python).args(["-B", "-m", "unittest", "discover", "--failfast", "--pattern", "test_*.py"]))
}

#[test]
fn node_vault_works_unchanged() -> Result<()> {
    let modules = installed("node/node_modules")?;
    run("node", Command::new("node").arg("--test").env("NODE_PATH", modules))
}

#[test]
fn the_go_client_works_unchanged() -> Result<()> {
    run("go", Command::new("go").args(["test", "-count=1", "./..."]))
}

/// Gives the path of something that `scripts/test` installed.
fn installed(name: &str) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let path = tests::tree::root().join(target).join("clients").join(name);
    ensure!(path.exists(), "{} is missing: {ADVICE}", path.display());
    Ok(path)
}

/// Runs a client's tests in its directory against a fresh, uninitialised server.
fn run(directory: &str, command: &mut Command) -> Result<()> {
    let server = Server::start()?;
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(directory))
        .env("VAULT_ADDR", server.url())
        .env("VAULT_CACERT", server.authority_file())
        .env_remove("VAULT_TOKEN")
        .output()
        .with_context(|| format!("{program} cannot be run: {ADVICE}"))?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{program}: {}\n{stdout}\n{stderr}", output.status);
    ensure!(ran_something(&stdout, &stderr), "{program} ran no test\n{stdout}\n{stderr}");
    Ok(())
}

/// Tells whether a runner says that it ran at least one test: all three also succeed when they find none.
fn ran_something(stdout: &str, stderr: &str) -> bool {
    let unittest = stderr.lines().any(|line| line.starts_with("Ran ") && !line.starts_with("Ran 0 "));
    // Node.js writes `# pass 3` or `ℹ pass 3`, depending on its version and its output.
    let node = stdout.lines().filter_map(|line| line.split_once(" pass ")).any(|(_, count)| count.trim() != "0");
    let go = stdout.lines().any(|line| line.starts_with("ok ") && !line.contains("no tests to run"));
    unittest || node || go
}

#[test]
fn a_runner_without_tests_is_noticed() {
    assert!(ran_something("", "Ran 12 tests in 3s"));
    assert!(ran_something("# tests 3\n# pass 3\n", ""));
    assert!(ran_something("ok  \tkeyturn.test/clients\t0.5s", ""));
    assert!(!ran_something("", "Ran 0 tests in 0s"));
    assert!(!ran_something("# tests 0\n# pass 0\n", ""));
    assert!(!ran_something("ok  \tkeyturn.test/clients\t0.5s [no tests to run]", ""));
}
