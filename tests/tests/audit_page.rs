//! docs/audit-log.md, typed as it stands.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use tests::server::Server;
use tests::terminal::Terminal;

#[test]
fn somebody_follows_the_page() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    terminal.ok("keyturn write cubbyhole/x a=b", "")?;
    let text = std::fs::read_to_string(tests::tree::root().join("docs/audit-log.md"))?;
    let address = tests::debian::free_address()?.to_string();
    let mut printed = String::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().context("a block without an end")?;
        if block.contains("--log audit.jsonl") {
            // A checkpoint over the last record is what sealing would sign; a proof asks for one of a moment ago.
            wait_for_a_checkpoint(&terminal, &server)?;
            std::fs::copy(server.audit_file(), terminal.home().join("audit.jsonl"))?;
        }
        printed += &typed(&terminal, &server, &block.replace("127.0.0.1:8300", &address))?;
    }
    let pid = std::fs::read_to_string(terminal.home().join("witness.pid"))?;
    let key = std::fs::read_to_string(terminal.home().join("witness.key"))?;
    let ended = Command::new("kill").args(["-s", "TERM", pid.trim()]).status()?;
    ensure!(ended.success() && key.starts_with("witness.example.org+"), "{key}");
    for part in ["are as they were", "is in the log", "cubbyhole/x", "goes on from"] {
        ensure!(printed.contains(part), "{part:?} is missing in\n{printed}");
    }
    Ok(())
}

fn typed(terminal: &Terminal<'_>, server: &Server, script: &str) -> Result<String> {
    let keyturn = tests::binary::keyturn()?;
    let programs = keyturn.parent().context("keyturn lies nowhere")?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", script]).current_dir(terminal.home()).env_clear();
    shell.env("PATH", path).env("HOME", terminal.home());
    shell.env("KEYTURN_ADDR", server.url()).env("KEYTURN_CACERT", server.authority_file());
    let output = shell.output()?;
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{script}\n{printed}");
    Ok(printed)
}

/// Makes records until a checkpoint is signed, which comes after a thousand of them if not after ten seconds.
fn wait_for_a_checkpoint(terminal: &Terminal<'_>, server: &Server) -> Result<()> {
    let token = std::fs::read_to_string(terminal.home().join(".keyturn-token"))?;
    let mut connection = server.connect()?;
    connection.authorise(token.trim());
    for _ in 0..1_000 {
        connection.get("auth/token/lookup-self")?.expect_status(200)?;
    }
    Ok(())
}
