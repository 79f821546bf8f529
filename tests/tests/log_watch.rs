//! A log that was put back or shown in two ways is noticed by the next person who comes, from what their machine remembers.

use anyhow::{Context, Result, ensure};
use tests::server::{Home, Server, copy_all};
use tests::terminal::{Terminal, handed_out};

struct Vault {
    share: String,
    root: String,
}

impl Vault {
    /// Makes a vault with one share, unseals it and logs in.
    fn make(terminal: &Terminal<'_>) -> Result<Self> {
        let printed = terminal.ok("keyturn init --shares 1 --threshold 1", "")?;
        let (shares, root) = handed_out(&printed);
        let vault = Self { share: (*shares.first().context("no share")?).to_owned(), root: root.to_owned() };
        vault.unseal(terminal)?;
        Ok(vault)
    }

    fn unseal(&self, terminal: &Terminal<'_>) -> Result<()> {
        terminal.ok("keyturn unseal", &self.share)?;
        terminal.ok("keyturn login", &self.root)?;
        Ok(())
    }
}

/// Stops a server and puts everything that it keeps back to an older state.
fn put_back(server: Server, older: &std::path::Path) -> Result<Server> {
    let stopped = server.kill()?;
    for file in std::fs::read_dir(stopped.path(""))? {
        let path = file?.path();
        if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    copy_all(older, &stopped.path(""))?;
    stopped.start()
}

#[test]
fn store_and_log_put_back_together_are_noticed_before_anything_is_sent() -> Result<()> {
    let (ann, ben) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let older = tempfile::tempdir()?;
    let server = Server::start()?;
    let vault = Vault::make(&Terminal::in_home(&server, ann.path())?)?;
    Terminal::in_home(&server, ann.path())?.ok("keyturn seal", "")?;
    let stopped: Home = server.kill()?;
    copy_all(&stopped.path(""), older.path())?;

    let server = stopped.start()?;
    let terminal = Terminal::in_home(&server, ann.path())?;
    vault.unseal(&terminal)?;
    terminal.ok("keyturn write cubbyhole/x a=b", "")?;
    terminal.ok("keyturn seal", "")?;
    // Sealing signs for everything; whoever looks after that remembers it, whatever they came for.
    terminal.run("keyturn status", "")?;

    let server = put_back(server, older.path())?;
    let terminal = Terminal::in_home(&server, ann.path())?;
    let refused = terminal.fails("keyturn unseal", &vault.share, 1)?;
    ensure!(refused.contains("put back or cut off") && refused.contains("nothing was sent"), "{refused}");
    let warned = terminal.run("keyturn status", "")?;
    ensure!(String::from_utf8_lossy(&warned.stderr).contains("warning: the log of this vault"), "status warns");
    let audit = std::fs::read_to_string(server.audit_file())?;
    ensure!(audit.matches("\"share-taken\"").count() == 1, "only the share of the time before is there");
    // Who was never here notices nothing, which is why there are many who watch.
    Terminal::in_home(&server, ben.path())?.ok("keyturn unseal", &vault.share)?;
    terminal.ok("keyturn status --accept-changed-vault", "")?;
    terminal.ok("keyturn token lookup --accept-changed-vault", "")?;
    terminal.ok("keyturn token lookup", "")?;
    Ok(())
}

#[test]
fn a_log_that_is_shown_in_two_ways_is_found_by_the_second_who_looks() -> Result<()> {
    let (ann, ben) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let fork = tempfile::tempdir()?;
    let server = Server::start()?;
    let vault = Vault::make(&Terminal::in_home(&server, ann.path())?)?;
    Terminal::in_home(&server, ann.path())?.ok("keyturn seal", "")?;
    let stopped: Home = server.kill()?;
    copy_all(&stopped.path(""), fork.path())?;
    let server = stopped.start()?;

    let show = |server: &Server, home: &std::path::Path, what: &str| -> Result<String> {
        let terminal = Terminal::in_home(server, home)?;
        vault.unseal(&terminal)?;
        for _ in 0..3 {
            terminal.ok(&format!("keyturn write cubbyhole/{what} a=b"), "")?;
        }
        terminal.ok("keyturn seal", "")?;
        terminal.ok("keyturn audit checkpoint", "")
    };
    let anns = show(&server, ann.path(), "for-ann")?;
    let key = {
        let terminal = Terminal::in_home(&server, ann.path())?;
        vault.unseal(&terminal)?;
        terminal.ok("keyturn audit key", "")?
    };
    let server = put_back(server, fork.path())?;
    show(&server, ben.path(), "for-ben")?;

    // Each of them sees a log that goes on as it should; together they find out.
    for (home, name) in [(&ann, "ann"), (&ben, "ben")] {
        std::fs::write(home.path().join("key"), &key)?;
        std::fs::write(home.path().join("anns"), &anns).with_context(|| name)?;
    }
    let terminal = Terminal::in_home(&server, ben.path())?;
    let found = terminal.fails("keyturn audit check anns --key-file key", "", 1)?;
    ensure!(found.contains("SHOWN IN TWO WAYS"), "{found}");
    let found = Terminal::in_home(&server, ann.path())?.fails("keyturn token lookup", "", 1)?;
    ensure!(found.contains("not the one that you have seen"), "{found}");
    let own = terminal.ok("keyturn audit checkpoint", "")?;
    std::fs::write(ben.path().join("own"), own)?;
    ensure!(terminal.ok("keyturn audit check own --key-file key", "")?.contains("goes on from"), "their own holds");
    Ok(())
}

#[test]
fn a_record_is_proven_by_the_server_and_by_what_lies_beside_the_log() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    terminal.ok("keyturn write cubbyhole/x a=b", "")?;
    std::fs::write(terminal.home().join("key"), terminal.ok("keyturn audit key", "")?)?;
    terminal.ok("keyturn seal", "")?;
    let log = server.audit_file().display().to_string();
    let text = std::fs::read_to_string(server.audit_file())?;
    let number = text.lines().position(|line| line.contains("cubbyhole/x")).context("no record")?;
    let asked = terminal.ok(&format!("keyturn audit prove {number}"), "")?;
    let own = terminal.ok(&format!("keyturn audit prove {number} --log {log}"), "")?;
    for receipt in [&asked, &own] {
        std::fs::write(terminal.home().join("receipt"), receipt)?;
        let shown = terminal.ok(&format!("keyturn audit check receipt --key-file key --log {log}"), "")?;
        ensure!(shown.contains("is in the log") && shown.contains("cubbyhole/x"), "{shown}");
    }
    std::fs::write(terminal.home().join("receipt"), asked.replace("index ", "index 1"))?;
    let refused = terminal.fails("keyturn audit check receipt --key-file key", "", 1)?;
    ensure!(refused.contains("DOES NOT HOLD"), "{refused}");
    std::fs::write(terminal.home().join("altered.jsonl"), text.replace("cubbyhole/x", "cubbyhole/y"))?;
    std::fs::write(terminal.home().join("receipt"), asked)?;
    let refused = terminal.fails("keyturn audit check receipt --key-file key --log altered.jsonl", "", 1)?;
    ensure!(refused.contains("is another one"), "{refused}");

    let found = terminal.ok(&format!("keyturn audit search --log {log} --path cubbyhole/*"), "")?;
    ensure!(
        found.lines().count() == 2 && found.contains("cubbyhole/x"),
        "a record of the intent, and one of the end: {found}"
    );
    terminal.fails(&format!("keyturn audit search --log {log} --person nobody"), "", 1)?;
    ensure!(terminal.ok(&format!("keyturn audit tail --log {log} -n 1"), "")?.contains("checkpoint"), "sealing signs");
    Ok(())
}
