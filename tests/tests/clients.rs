//! Stock clients of the Vault API against a real server: each client's own test suite, run by its own runner, and the
//! table of what passed.
//!
//! `scripts/test` installs what they need under `target/clients`. A missing runtime is a failure, never a skip.

use anyhow::{Context, Result, ensure};
use tests::clients::{CLIENTS, table};

const DOCUMENT: &str = "docs/clients.md";

/// When it is `1`, the table is written instead of compared.
const BLESS_VARIABLE: &str = "KEYTURN_BLESS";

#[test]
fn hvac_works_unchanged() -> Result<()> {
    works("hvac")
}

#[test]
fn node_vault_works_unchanged() -> Result<()> {
    works("node")
}

#[test]
fn the_go_client_works_unchanged() -> Result<()> {
    works("go")
}

#[test]
fn spring_vault_works_unchanged() -> Result<()> {
    works("java")
}

#[test]
fn vaultrs_works_unchanged() -> Result<()> {
    works("rust")
}

fn works(directory: &str) -> Result<()> {
    let client = CLIENTS.iter().find(|client| client.directory == directory).context("no such client")?;
    client.passed().map(drop)
}

/// Takes the results of the tests above, or runs the suites that have not run yet.
#[test]
fn the_table_of_the_clients_is_up_to_date() -> Result<()> {
    let mut columns = Vec::new();
    for client in &CLIENTS {
        let failed = || format!("{} failed: cargo test -p tests --test clients shows its output", client.name);
        let passed = client.passed().ok().with_context(failed)?;
        columns.push((format!("{} {}", client.name, client.version()?), passed));
    }
    let new_table = table::render(&columns)?;
    let path = tests::tree::root().join(DOCUMENT);
    let document = std::fs::read_to_string(&path)?;
    let updated = table::replace(&document, &new_table)?;
    if std::env::var_os(BLESS_VARIABLE).is_some_and(|value| value == "1") {
        return Ok(std::fs::write(&path, updated)?);
    }
    ensure!(updated == document, "{DOCUMENT} has another table; {BLESS_VARIABLE}=1 writes this one:\n{new_table}");
    Ok(())
}
