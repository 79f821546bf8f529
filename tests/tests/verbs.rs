//! The verbs that reach the whole of the API: auth methods, wrapping, leases, snapshots.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::server::Server;
use tests::terminal::{Terminal, handed_out};

#[test]
fn an_answer_is_wrapped_and_taken_out_once() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    terminal.ok("keyturn write cubbyhole/x a=b", "")?;
    let printed = terminal.ok("keyturn read cubbyhole/x --wrap-ttl 60s", "")?;
    let token = printed.lines().find_map(|line| line.strip_prefix("wrapping_token")).context("no token")?.trim();
    ensure!(!printed.contains(" b"), "the answer itself is printed: {printed}");
    ensure!(terminal.ok("keyturn unwrap", token)?.contains('b'), "unwrapped");
    terminal.fails("keyturn unwrap", token, 1)?;
    terminal.fails("keyturn write cubbyhole/x password=hunter2", "", 2)?;
    Ok(())
}

#[test]
fn leases_are_listed_described_and_ended() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    terminal.ok("keyturn token create --ttl 1h", "")?;
    let listed = terminal.ok("keyturn lease list auth/token/create", "")?;
    let lease = format!("auth/token/create/{}", listed.trim());
    ensure!(terminal.ok(&format!("keyturn lease lookup {lease}"), "")?.contains("expire_time"), "described");
    ensure!(terminal.fails(&format!("keyturn lease renew {lease}"), "", 1)?.contains("cannot be renewed"), "renewed");
    terminal.ok(&format!("keyturn lease revoke {lease}"), "")?;
    terminal.fails("keyturn lease list auth/token/create", "", 1)?;
    terminal.ok("keyturn token create --ttl 1h", "")?;
    terminal.ok("keyturn lease revoke --prefix auth/token/create", "")?;
    terminal.ok("keyturn lease revoke --prefix --force auth/token/create", "")?;
    terminal.fails("keyturn lease list auth/token/create", "", 1)?;
    Ok(())
}

#[test]
fn a_snapshot_is_saved_and_put_back() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::new(&server)?;
    let printed = terminal.ok("keyturn init --shares 1 --threshold 1", "")?;
    let (shares, root) = handed_out(&printed);
    let share = *shares.first().context("no share")?;
    terminal.ok("keyturn unseal", share)?;
    terminal.ok("keyturn login", root)?;
    terminal.ok("keyturn secrets enable kv", "")?;
    terminal.ok("keyturn kv put kv/a x", "before\n")?;
    terminal.ok("keyturn operator snapshot save vault.snap", "")?;
    ensure!(terminal.fails("keyturn operator snapshot save vault.snap", "", 1)?.contains("exists"), "written over");
    ensure!(
        std::fs::read_dir(terminal.home())?.all(|entry| !entry.is_ok_and(|e| e.path().ends_with("vault.part"))),
        "left"
    );
    terminal.ok("keyturn kv put kv/a x", "after\n")?;
    terminal.ok("keyturn operator snapshot restore vault.snap", "")?;
    terminal.fails("keyturn kv get kv/a", "", 2)?;
    terminal.ok("keyturn unseal", share)?;
    ensure!(terminal.ok("keyturn kv get kv/a", "")?.contains("before"), "the old value is back");
    Ok(())
}

#[test]
fn mounts_move_and_methods_are_listed() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    terminal.ok("keyturn secrets enable kv", "")?;
    terminal.ok("keyturn operator remount kv team/kv", "")?;
    ensure!(terminal.ok("keyturn secrets list", "")?.contains("team/kv/"), "moved");
    ensure!(terminal.ok("keyturn auth list", "")?.contains("token/"), "listed");
    let answer: Value = serde_json::from_str(&terminal.ok("keyturn auth list --format json", "")?)?;
    ensure!(answer.pointer("/data/token~1/type") == Some(&Value::from("token")), "{answer}");
    terminal.fails("keyturn login --method nothing", "", 2)?;
    Ok(())
}

#[test]
fn a_report_names_who_goes_around_a_rule() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    ensure!(terminal.ok("keyturn report lone-wolf", "")?.contains("a root token"), "root is told");
    let group = "control_group = { factor \"f\" { identity { group_names = [\"g\"] approvals = 1 } } }";
    let staff = format!("path \"secret/prod\" {{ capabilities = [\"read\"]\n{group} }}");
    let made = terminal.ok("keyturn write identity/entity name=lead", "")?;
    let id = made.lines().find_map(|line| line.strip_prefix("id ")).context("no id")?.trim();
    terminal.ok(&format!("keyturn write identity/group name=g member_entity_ids={id}"), "")?;
    terminal.ok("keyturn policy write staff -", &staff)?;
    terminal.ok("keyturn report lone-wolf", "")?;
    terminal.ok("keyturn policy write wide -", "path \"secret/*\" { capabilities = [\"read\"] }")?;
    terminal.ok("keyturn token create --policy wide", "")?;
    let output = terminal.run("keyturn report lone-wolf", "")?;
    let printed = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(3), "{:?} {printed}", output.status);
    ensure!(printed.contains("read: token token (accessor ") && printed.contains("by wide"), "{printed}");
    let answer = terminal.run("keyturn report lone-wolf --path auth/token/ --format json", "")?;
    let answer: Value = serde_json::from_slice(&answer.stdout)?;
    ensure!(answer.pointer("/data/violations/0/pattern") == Some(&Value::from("secret/prod")), "{answer}");
    ensure!(answer.pointer("/data/violations/1/pattern") == Some(&Value::from("auth/token/*")), "{answer}");
    Ok(())
}
