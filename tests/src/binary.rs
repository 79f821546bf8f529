//! Finds the `keyturn` program that the tests run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};

/// Names the program to test; without it the program is built by cargo.
pub const BINARY_VARIABLE: &str = "KEYTURN_BINARY";

/// Gives the program: the one that `KEYTURN_BINARY` names, or else a fresh debug build.
///
/// # Errors
/// Tells why there is no program to run.
pub fn keyturn() -> Result<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    found.as_deref().map_err(|error| anyhow!("{error}"))
}

fn find() -> Result<PathBuf> {
    let path = match std::env::var_os(BINARY_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => build()?,
    };
    path.canonicalize().with_context(|| format!("there is no program at {}", path.display()))
}

fn build() -> Result<PathBuf> {
    let root = crate::tree::root();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "-p", "vault-cli", "--bin", "keyturn"])
        .current_dir(&root)
        .status()
        .context("cargo cannot be run; set KEYTURN_BINARY to a built program")?;
    ensure!(status.success(), "`cargo build -p vault-cli --bin keyturn` failed: {status}");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path));
    Ok(target.join("debug").join("keyturn"))
}
