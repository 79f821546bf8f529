//! The runbook of docs/ceremony.md, followed to the letter by seven people against a server that is killed between the
//! steps.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use tests::server::{Home, Server, copy_store, put_store_back};

/// What everybody types when a passphrase is asked for.
const TYPIST: &str = "keyturn() { printf 'correct horse battery\\n' | command keyturn \"$@\"; }\n";

/// Who opens the vault between the steps, by its first charter.
const OPENERS: [&str; 3] = ["--identity alice.json", "--identity bob.json", "--ssh-key erin_ssh"];

/// Gives the commands of the runbook, section by section: what stands in its `sh` blocks.
fn blocks() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(tests::tree::root().join("docs/ceremony.md"))?;
    let mut blocks = Vec::new();
    for part in text.split("```sh\n").skip(1) {
        blocks.push(part.split("```").next().context("a block without an end")?.to_owned());
    }
    ensure!(blocks.len() >= 9, "the runbook's blocks were not found: {}", blocks.len());
    Ok(blocks)
}

/// Somebody's desk: a folder, and a shell that knows `keyturn`.
struct Desk<'a> {
    server: &'a Server,
    folder: &'a Path,
}

impl Desk<'_> {
    fn run(&self, script: &str) -> Result<Output> {
        let keyturn = tests::binary::keyturn()?;
        let programs = keyturn.parent().context("keyturn lies nowhere")?;
        let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", &format!("{TYPIST}{script}")]).current_dir(self.folder).env_clear();
        shell.env("PATH", path).env("HOME", self.folder);
        shell.env("KEYTURN_ADDR", self.server.url()).env("KEYTURN_CACERT", self.server.authority_file());
        Ok(shell.output()?)
    }

    fn ok(&self, script: &str) -> Result<String> {
        let output = self.run(script)?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{script}\n{out}\n{err}");
        Ok(out.into_owned())
    }

    fn fails(&self, script: &str) -> Result<String> {
        let output = self.run(script)?;
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success(), "this should have failed: {script}");
        Ok(err)
    }

    fn unseal(&self, openers: &[&str]) -> Result<()> {
        for (position, opener) in openers.iter().enumerate() {
            let printed = self.ok(&format!("keyturn unseal {opener}"))?;
            let is_open = printed.contains("The vault is unsealed");
            ensure!(is_open == (position + 1 == openers.len()), "{opener}: {printed}");
        }
        Ok(())
    }
}

/// Kills the server as a power failure does, starts it again, and opens the vault.
fn killed_and_opened(server: Server, folder: &Path, openers: &[&str]) -> Result<Server> {
    let stopped: Home = server.kill()?;
    let server = stopped.start()?;
    Desk { server: &server, folder }.unseal(openers)?;
    Ok(server)
}

#[test]
fn seven_people_follow_the_runbook_and_a_server_that_is_killed_at_each_step_loses_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().canonicalize()?;
    let blocks = blocks()?;
    let mut server = Server::start()?;
    let desk = Desk { server: &server, folder: &folder };
    desk.ok("ssh-keygen -q -t ed25519 -N '' -f erin_ssh")?;
    let (making, rest) = blocks.split_at(7);
    let mut printed = String::new();
    for block in making {
        printed = desk.ok(block)?;
    }
    for line in ["charter  epoch 1", "carol", "share 7   grace  never checked in"] {
        ensure!(printed.contains(line), "{line} is missing in\n{printed}");
    }
    let audit = std::fs::read_to_string(server.home().path("audit.jsonl"))?;
    ensure!(audit.contains("\"custodian\":\"carol\""), "the log names the custodian");
    // The share that carol takes away with her.
    desk.ok("cp handout/share-1-3-carol.age carol.age && cp handout/share-1-1-alice.age alice-old.age")?;
    let backup = tempfile::tempdir()?;
    let stopped = server.kill()?;
    copy_store(&stopped, backup.path())?;
    server = stopped.start()?;
    Desk { server: &server, folder: &folder }.unseal(&OPENERS)?;

    for block in rest {
        // The vault is killed after every command that speaks to it, and opens with the shares that are in force.
        for command in commands(block) {
            let output = Desk { server: &server, folder: &folder }.ok(&command)?;
            if output.contains("All new shares are in force") {
                server = killed_and_opened(server, &folder, &["--identity heidi.json", OPENERS[0], OPENERS[2]])?;
            } else if ["keyturn rekey", "keyturn share ", "keyturn act submit"].iter().any(|one| command.contains(one))
            {
                server = killed_and_opened(server, &folder, &OPENERS)?;
            }
            printed = output;
        }
    }
    ensure!(printed.contains("charter  epoch 2") && printed.contains("heidi"), "{printed}");
    ensure!(!printed.contains("carol") && !printed.contains("never checked in"), "{printed}");
    what_is_over_is_refused(server, &folder, backup.path())
}

/// Old shares, people who left, and an old copy of the store.
fn what_is_over_is_refused(server: Server, folder: &Path, backup: &Path) -> Result<()> {
    let stopped = server.kill()?;
    let server = stopped.start()?;
    let desk = Desk { server: &server, folder };
    let stale = desk.fails("keyturn unseal --identity alice.json --sealed-share alice-old.age")?;
    ensure!(stale.contains("epoch 1 ended on 20"), "{stale}");
    let left = desk.fails("keyturn unseal --identity carol.json --sealed-share carol.age")?;
    ensure!(left.contains("does not know the key"), "{left}");
    let foreign = desk.fails("keyturn unseal --identity bob.json --sealed-share handout/share-2-1-alice.age")?;
    ensure!(!foreign.contains("keyturn-share"), "{foreign}");
    let audit = std::fs::read_to_string(server.home().path("audit.jsonl"))?;
    ensure!(!audit.contains("\"reason\":\"share 1 is out of date"), "a stale share left the machine");
    let progress = desk.ok("keyturn status --identity alice.json || true")?;
    ensure!(progress.contains("Come so far: nobody"), "{progress}");

    let stopped = server.kill()?;
    put_store_back(backup, &stopped)?;
    let server = stopped.start()?;
    let desk = Desk { server: &server, folder };
    let noticed = desk.fails("keyturn unseal --identity bob.json")?;
    for doubt in ["you have seen epoch 2", "an old copy was put back", "the charter of epoch 2"] {
        ensure!(noticed.contains(doubt), "{doubt} is missing in\n{noticed}");
    }
    Ok(())
}

/// A vault that was made with shares in clear comes under a charter; the people have SSH keys.
#[test]
fn custodians_of_shares_in_clear_bring_their_vault_under_a_charter() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().canonicalize()?;
    let server = Server::start()?;
    let desk = Desk { server: &server, folder: &folder };
    desk.ok("command keyturn init --shares 2 --threshold 2 > made; grep -o 'keyturn-share-[^ ]*' made > shares
        sed -n 1p shares > one; sed -n 2p shares > two; grep -o 'kts\\.[^ ]*' made > root
        keyturn unseal --share-file one; keyturn unseal --share-file two; command keyturn login < root
        printf 'format = 1\nepoch = 1\n' > charter.toml
        for name in ada ben; do
            ssh-keygen -q -t ed25519 -N '' -f $name
            keyturn person card --name $name --ssh-key $name.pub >> charter.toml
        done
        printf '[team]\nall = [\"ada\", \"ben\"]\n[quorum]\n' >> charter.toml
        for rule in unseal change charter; do echo \"$rule = '2 of all'\"; done >> charter.toml
        keyturn charter propose charter.toml
        keyturn charter sign charter.json --ssh-key ada
        keyturn charter sign charter.json --ssh-key ben")?;
    ensure!(desk.ok("keyturn status")?.contains("handed out in clear"), "status says so");
    let begun = desk.ok("keyturn bootstrap finish charter.json")?;
    ensure!(begun.contains("0 of 2 present shares given"), "{begun}");
    desk.ok("sed 's/2 of all/1 of all/' charter.toml > other.toml")?;
    let refused = desk.fails("keyturn bootstrap agree other.toml --share-file one")?;
    ensure!(refused.contains("another charter") && refused.contains("was not given"), "{refused}");
    ensure!(desk.ok("keyturn bootstrap agree charter.json --share-file one")?.contains("1 of 2"), "one agreed");
    desk.ok("keyturn bootstrap agree charter.toml --share-file two --out handout")?;
    ensure!(desk.ok("keyturn status")?.contains("handed out in clear"), "the old shares are in force");
    desk.ok("keyturn token lookup")?;
    let own = "--ssh-key ada --sealed-share handout/share-2-1-ada.age";
    desk.fails("keyturn share acknowledge --ssh-key ada --sealed-share handout/share-2-2-ben.age")?;
    desk.ok(&format!("keyturn share acknowledge --charter charter.toml {own}"))?;
    let done = desk.ok("keyturn share acknowledge --charter charter.toml --ssh-key ben")?;
    ensure!(done.contains("All new shares are in force"), "{done}");
    desk.fails("keyturn token lookup")?;
    ensure!(desk.ok("keyturn status --ssh-key ada")?.contains("charter  epoch 1"), "the charter is in force");
    let checked = desk.ok("keyturn charter check charter.toml --ssh-key ada")?;
    ensure!(!checked.contains("no recent check-up"), "an acknowledgement is a check-up: {checked}");
    Ok(())
}

/// Splits a block into commands: a line each, but a here-document with its lines.
fn commands(block: &str) -> Vec<String> {
    if block.contains("<<") {
        return vec![block.to_owned()];
    }
    block.lines().map(str::to_owned).collect()
}
