//! A vault that was put back to an older state, or exchanged for another, is noticed by the next custodian.

use anyhow::{Context, Result, ensure};
use tests::server::{Home, Server, copy_store, put_store_back};
use tests::terminal::{Terminal, handed_out};

/// Makes a vault with one share and gives it.
fn made_and_unsealed(terminal: &Terminal<'_>) -> Result<(String, String)> {
    let printed = terminal.ok("keyturn init --shares 1 --threshold 1", "")?;
    let (shares, root) = handed_out(&printed);
    let share = shares.first().context("no share")?;
    terminal.ok("keyturn unseal", share)?;
    Ok(((*share).to_owned(), root.to_owned()))
}

#[test]
fn an_old_copy_of_the_store_is_noticed_before_a_share_is_given() -> Result<()> {
    let home = tempfile::tempdir()?;
    let backup = tempfile::tempdir()?;
    let server = Server::start()?;
    let (share, root) = made_and_unsealed(&Terminal::in_home(&server, home.path())?)?;
    let stopped = server.kill()?;
    copy_store(&stopped, backup.path())?;

    let server = stopped.start()?;
    let terminal = Terminal::in_home(&server, home.path())?;
    terminal.ok("keyturn unseal", &share)?;
    terminal.ok("keyturn login", &root)?;
    terminal.ok("keyturn write cubbyhole/x", "{\"a\": \"b\"}")?;
    terminal.run("keyturn status", "")?;
    let stopped = server.kill()?;
    put_store_back(backup.path(), &stopped)?;

    let server = stopped.start()?;
    let terminal = Terminal::in_home(&server, home.path())?;
    let refused = terminal.fails("keyturn unseal", &share, 1)?;
    ensure!(refused.contains("an old copy was put back") && refused.contains("was not given"), "{refused}");
    let warned = terminal.run("keyturn status", "")?;
    ensure!(String::from_utf8_lossy(&warned.stderr).contains("warning: the store is at revision"), "status warns");
    let audit = std::fs::read_to_string(server.home().path("audit.jsonl"))?;
    let unsealings = audit.matches("\"share-taken\"").count();
    ensure!(unsealings == 2, "the share reached the server {unsealings} times");

    let accepted = terminal.ok("keyturn unseal --accept-changed-vault", &share)?;
    ensure!(accepted.contains("unsealed"), "{accepted}");
    Ok(())
}

#[test]
fn another_vault_and_another_key_of_the_server_are_noticed() -> Result<()> {
    let home = tempfile::tempdir()?;
    let server = Server::start()?;
    let (share, _) = made_and_unsealed(&Terminal::in_home(&server, home.path())?)?;

    let other = Server::start()?;
    let stranger = Terminal::new(&other)?;
    stranger.ok("keyturn init --shares 1 --threshold 1", "")?;
    let refused = Terminal::in_home(&other, home.path())?.fails("keyturn unseal", &share, 1)?;
    ensure!(refused.contains("is of vault") && refused.contains("was not given"), "{refused}");
    let audit = std::fs::read_to_string(other.home().path("audit.jsonl"))?;
    ensure!(!audit.contains("share-"), "a share for another vault left the machine");

    let stopped: Home = server.kill()?;
    std::fs::remove_dir_all(stopped.path("tls"))?;
    let server = stopped.start()?;
    let refused = Terminal::in_home(&server, home.path())?.fails("keyturn unseal", &share, 1)?;
    ensure!(refused.contains("another TLS key"), "{refused}");
    Ok(())
}
