//! The audit log of a real server, killed and started again, verified offline by `keyturn audit verify`.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::server::Server;
use tests::terminal::{Terminal, handed_out};

#[test]
fn a_log_is_verified_offline_and_whatever_is_done_to_it_is_found() -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let (share, key) = {
        let terminal = Terminal::in_home(&server, folder.path())?;
        let printed = terminal.ok("keyturn init --shares 1 --threshold 1", "")?;
        let (shares, root) = handed_out(&printed);
        let share = (*shares.first().context("no share")?).to_owned();
        ensure!(terminal.fails("keyturn audit key", "", 1)?.contains("sealed"), "a sealed vault tells no key");
        terminal.ok("keyturn unseal", &share)?;
        let key = terminal.ok("keyturn audit key", "")?;
        terminal.ok("keyturn login", root)?;
        terminal.ok("keyturn write cubbyhole/x a=b", "")?;
        (share, key)
    };
    let server = server.kill()?.start()?;
    let terminal = Terminal::in_home(&server, folder.path())?;
    terminal.ok("keyturn unseal --accept-changed-vault", &share)?;
    ensure!(terminal.ok("keyturn audit key", "")? == key, "the key is the vault's");
    terminal.ok("keyturn read cubbyhole/x", "")?;
    terminal.ok("keyturn seal", "")?;

    std::fs::write(folder.path().join("key"), &key)?;
    let log = std::fs::read_to_string(server.audit_file())?;
    let verify = |name: &str, content: &str| -> Result<()> { Ok(std::fs::write(folder.path().join(name), content)?) };
    verify("audit.jsonl", &log)?;
    let line = "keyturn audit verify --log audit.jsonl --key-file key";
    let told: Value = serde_json::from_str(&terminal.ok(&format!("{line} --format json"), "")?)?;
    let number = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or_default();
    ensure!(number("records") == log.lines().count() as u64 && number("signed") > 10, "{told}");
    ensure!(number("checkpoints") >= 1, "{told}");
    ensure!(terminal.ok(line, "")?.contains("are as they were"), "in words");

    let last_note = log.lines().rev().find(|line| line.contains("\"kind\":\"checkpoint\"")).context("no checkpoint")?;
    let last_note: Value = serde_json::from_str(last_note)?;
    std::fs::write(folder.path().join("seen"), last_note.get("note").and_then(Value::as_str).context("no note")?)?;
    terminal.ok(&format!("{line} --checkpoint seen"), "")?;

    let lines: Vec<&str> = log.lines().collect();
    let without = |left_out: usize| -> String {
        lines.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, line)| format!("{line}\n")).collect()
    };
    for (name, altered) in [
        ("a byte", log.replacen("cubbyhole/x", "cubbyhole/y", 1)),
        ("a record", without(3)),
        ("the end of a line", log.trim_end().to_owned()),
    ] {
        verify("audit.jsonl", &altered)?;
        ensure!(terminal.fails(line, "", 1)?.contains("DOES NOT HOLD"), "{name}");
    }
    // Cut off behind an earlier checkpoint, it holds by itself; who has seen a later one finds it.
    let first = lines.iter().position(|line| line.contains("\"kind\":\"checkpoint\"")).context("no checkpoint")?;
    let cut: String = lines.iter().take(first + 1).map(|line| format!("{line}\n")).collect();
    verify("audit.jsonl", &cut)?;
    let seen = terminal.run(&format!("{line} --checkpoint seen"), "")?;
    ensure!(!seen.status.success() || first + 1 == lines.len(), "what was cut off is missed by who has seen it");
    std::fs::write(folder.path().join("key"), "keyturn/00+00000000+AQAA")?;
    terminal.fails(line, "", 2)?;
    Ok(())
}
