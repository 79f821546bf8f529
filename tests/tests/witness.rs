//! A witness in a process of its own: releases wait for it, and it signs for no log that was put back or rewritten.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tests::https::Connection;
use tests::server::{Home, Server, copy_all};
use tests::terminal::Terminal;
use tests::vault::{Keys, initialise, mount_key_value, unseal};
use tests::witness::{Witness, WitnessHome};

/// Holds back whatever ann reads until ben agrees.
const ASK: &str = "path \"secret/data/*\" { capabilities = [\"read\"]\n\
                   control_group = { factor \"leads\" { identity { group_names = [\"leads\"] approvals = 1 } } } }";
const AGREE: &str = "path \"sys/requests/*\" { capabilities = [\"read\", \"update\"] }\n\
                     path \"sys/control-group/authorize\" { capabilities = [\"update\"] }";

struct House {
    keys: Keys,
    ann: tempfile::TempDir,
}

impl House {
    /// Makes a vault in which ann asks and ben agrees.
    fn furnish(server: &Server) -> Result<Self> {
        let mut root = server.connect()?;
        let keys = initialise(&mut root, 1, 1)?;
        unseal(&mut root, &keys)?;
        root.authorise(&keys.root_token);
        mount_key_value(&mut root, "secret", 2)?;
        root.post("secret/data/prod", &json!({"data": {"password": "hunter2"}}))?.expect_status(200)?;
        root.post("sys/auth/userpass", &json!({"type": "userpass"}))?.expect_status(204)?;
        root.post("sys/policies/acl/agree", &json!({ "policy": AGREE }))?.expect_status(204)?;
        let user = json!({"password": "p", "token_policies": "agree"});
        root.post("auth/userpass/users/ben", &user)?.expect_status(204)?;
        let ben = login(server, "ben")?.1.text("/auth/entity_id")?;
        root.post("identity/group", &json!({"name": "leads", "member_entity_ids": [ben]}))?.expect_status(200)?;
        root.post("sys/policies/acl/ask", &json!({ "policy": format!("{ASK}\n{AGREE}") }))?.expect_status(204)?;
        let user = json!({"password": "p", "token_policies": "ask"});
        root.post("auth/userpass/users/ann", &user)?.expect_status(204)?;
        Ok(Self { keys, ann: tempfile::tempdir()? })
    }

    fn open(&self, server: &Server) -> Result<()> {
        unseal(&mut server.connect()?, &self.keys)
    }

    /// Has ann ask and ben agree, and gives the request.
    fn agreed(&self, server: &Server) -> Result<String> {
        let (mut ann, _) = login(server, "ann")?;
        let request = ann.get("secret/data/prod")?.expect_status(200)?.text("/wrap_info/accessor")?;
        let (mut ben, _) = login(server, "ben")?;
        ben.post("sys/control-group/authorize", &json!({ "accessor": request }))?.expect_status(200)?;
        Ok(request)
    }

    fn terminal<'a>(&self, server: &'a Server) -> Result<Terminal<'a>> {
        let token = login(server, "ann")?.1.text("/auth/client_token")?;
        let terminal = Terminal::in_home(server, self.ann.path())?;
        terminal.ok("keyturn login token --accept-changed-vault", &token)?;
        Ok(terminal)
    }
}

fn login(server: &Server, name: &str) -> Result<(Connection, tests::https::Reply)> {
    let mut connection = server.connect()?;
    let login =
        connection.post(&format!("auth/userpass/login/{name}"), &json!({"password": "p"}))?.expect_status(200)?;
    connection.authorise(&login.text("/auth/client_token")?);
    Ok((connection, login))
}

/// Has the vault ask the witness, with what becomes of releases without it.
fn require(home: &Home, witness: &Witness, outage: &str) -> Result<()> {
    let settings = std::fs::read_to_string(home.path("keyturn.toml"))?;
    let settings = settings.split("witnesses = ").next().unwrap_or_default().to_owned();
    let ca = witness.home().path("tls/ca.pem");
    let more = format!(
        "witnesses = 1\nwitness_outage = \"{outage}\"\n[[audit.witness]]\nurl = \"{}\"\nkey = \"{}\"\nca = \"{}\"\n",
        witness.url,
        witness.key,
        ca.display()
    );
    Ok(std::fs::write(home.path("keyturn.toml"), settings + &more)?)
}

/// Starts a vault that nobody witnesses yet, and the witness for it.
fn witnessed(outage: &str) -> Result<(House, Server, Witness, String)> {
    let server = Server::start()?;
    let house = House::furnish(&server)?;
    let key = server.connect()?.get("sys/custody")?.expect_status(200)?.text("/audit_key")?;
    let witness = WitnessHome::new(&key)?.start()?;
    let home = server.kill()?;
    require(&home, &witness, outage)?;
    let server = home.start()?;
    house.open(&server)?;
    Ok((house, server, witness, key))
}

#[test]
fn a_release_waits_for_the_witness_and_its_receipt_has_the_witness_in_it() -> Result<()> {
    let (house, server, witness, key) = witnessed("hold")?;
    let terminal = house.terminal(&server)?;
    let request = house.agreed(&server)?;
    let told = terminal.ok(&format!("keyturn redeem {request} --receipt receipt"), "")?;
    ensure!(told.contains("hunter2"), "{told}");
    let check = format!("keyturn audit check receipt --key {key}");
    terminal.ok(&format!("{check} --witness {}", witness.key), "")?;
    let stranger = WitnessHome::new(&key)?.start()?;
    let refused = terminal.fails(&format!("{check} --witness {}", stranger.key), "", 1)?;
    ensure!(refused.contains("HAS NOT SIGNED"), "{refused}");

    // What people agreed to stands while the witness is away, and nothing of it is told.
    let request = house.agreed(&server)?;
    let away = witness.kill()?;
    let refused = terminal.fails(&format!("keyturn redeem {request}"), "", 1)?;
    ensure!(refused.contains("witnesses must sign") && refused.contains("stands"), "{refused}");
    let told = std::fs::read_to_string(server.home().path("server.log"))?;
    ensure!(told.contains("witness.example.org"), "the server's log has the reason: {told}");
    terminal.ok("keyturn token lookup", "")?;
    let _back = away.start()?;
    ensure!(terminal.ok(&format!("keyturn redeem {request}"), "")?.contains("hunter2"), "released once");
    terminal.fails(&format!("keyturn redeem {request}"), "", 1)?;
    Ok(())
}

#[test]
fn where_the_settings_say_so_a_release_goes_on_without_the_witness() -> Result<()> {
    let (house, server, witness, _) = witnessed("go_on")?;
    witness.kill()?;
    let terminal = house.terminal(&server)?;
    let request = house.agreed(&server)?;
    ensure!(terminal.ok(&format!("keyturn redeem {request}"), "")?.contains("hunter2"), "released");
    let told = std::fs::read_to_string(server.home().path("server.log"))?;
    ensure!(told.contains("is released without witnesses"), "{told}");
    Ok(())
}

#[test]
fn a_log_that_was_put_back_finds_no_witness() -> Result<()> {
    let (house, server, witness, _) = witnessed("hold")?;
    let older = tempfile::tempdir()?;
    let home = server.kill()?;
    copy_all(&home.path(""), older.path())?;
    let server = home.start()?;
    house.open(&server)?;
    let release = |server: &Server| -> Result<std::process::Output> {
        let request = house.agreed(server)?;
        house.terminal(server)?.run(&format!("keyturn redeem {request}"), "")
    };
    let busy = |server: &Server, times: usize| -> Result<()> {
        let (mut ann, _) = login(server, "ann")?;
        (0..times).try_for_each(|_| ann.get("auth/token/lookup-self")?.expect_status(200).map(drop))
    };
    busy(&server, 40)?;
    ensure!(release(&server)?.status.success(), "released before");

    let server = put_back(server, older.path())?;
    house.open(&server)?;
    // At first it is shorter than what the witness has seen; grown past that, it is another log.
    let refused = release(&server)?;
    ensure!(!refused.status.success(), "a log that is shorter");
    busy(&server, 80)?;
    ensure!(!release(&server)?.status.success(), "a log that is another");
    let told = std::fs::read_to_string(server.home().path("server.log"))?;
    ensure!(told.contains("WAS PUT BACK OR CUT OFF"), "the server's log says why: {told}");
    ensure!(told.contains("NOT THE ONE THAT IT HAS SIGNED FOR"), "the server's log says why: {told}");
    let told = std::fs::read_to_string(witness.home().path("witness.log"))?;
    ensure!(told.contains("DOES NOT GO ON"), "the witness says so as well: {told}");
    Ok(())
}

/// Stops a server and puts everything that it keeps back to an older state.
fn put_back(server: Server, older: &Path) -> Result<Server> {
    let stopped = server.kill()?;
    for file in std::fs::read_dir(stopped.path(""))? {
        let path = file.context("no file")?.path();
        if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    copy_all(older, &stopped.path(""))?;
    stopped.start()
}
