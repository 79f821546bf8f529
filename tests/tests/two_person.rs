//! docs/two-person.md, typed as it stands by an administrator, ann and ben, each with a home folder of their own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tests::server::Server;
use tests::terminal::handed_out;

/// Gives what stands in the blocks of a language.
fn blocks(language: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(tests::tree::root().join("docs/two-person.md"))?;
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1).map(|part| part.split("```").next());
    parts.map(|part| Ok(part.context("a block without an end")?.to_owned())).collect()
}

struct House<'a> {
    server: &'a Server,
    folder: &'a Path,
}

impl House<'_> {
    /// Makes and opens a vault, logs the administrator in, and lays out the files that the page names.
    fn open(&self) -> Result<()> {
        let printed = self.ok("admin", "keyturn init --shares 1 --threshold 1")?;
        let (shares, root) = handed_out(&printed);
        for (name, content) in [("share", *shares.first().context("no share")?), ("root", root)] {
            std::fs::write(self.folder.join(name), content)?;
        }
        self.ok("admin", "keyturn unseal < share; keyturn login < root")?;
        for name in ["ann", "ben", "cat"] {
            std::fs::write(self.folder.join(format!("{name}.password")), format!("{name} battery staple\n"))?;
        }
        std::fs::write(self.folder.join("root.json"), r#"{"data": {"password": "hunter2"}}"#)?;
        std::fs::write(self.folder.join("staff.hcl"), blocks("hcl")?.first().context("no policy")?)?;
        Ok(())
    }

    fn run(&self, who: &str, script: &str) -> Result<(bool, String)> {
        let keyturn = tests::binary::keyturn()?;
        let programs = keyturn.parent().context("keyturn lies nowhere")?;
        let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
        let home = self.folder.join(who);
        std::fs::create_dir_all(&home)?;
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", script]).current_dir(self.folder).env_clear();
        shell.env("PATH", path).env("HOME", home);
        shell.env("KEYTURN_ADDR", self.server.url()).env("KEYTURN_CACERT", self.server.authority_file());
        let output = shell.output()?;
        let printed = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&printed).into_owned()))
    }

    fn ok(&self, who: &str, script: &str) -> Result<String> {
        let (success, printed) = self.run(who, script)?;
        ensure!(success, "{who}: {script}\n{printed}");
        Ok(printed)
    }

    fn fails(&self, who: &str, script: &str, with: &str) -> Result<()> {
        let (success, printed) = self.run(who, script)?;
        ensure!(!success && printed.contains(with), "{who}: {script} should say {with:?}:\n{printed}");
        Ok(())
    }
}

#[test]
fn people_follow_the_page() -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let house = House { server: &server, folder: folder.path() };
    house.open()?;

    // A block goes on with the variables of the one before it by the same person.
    let mut before = String::new();
    let mut all = String::new();
    for block in blocks("sh")? {
        let who =
            block.lines().next().and_then(|line| line.strip_prefix("# ")).context("nobody types this")?.to_owned();
        let variables: String =
            before.lines().filter(|line| line.starts_with("id=")).map(|line| format!("{line}\n")).collect();
        if block.contains("audit.jsonl") {
            std::fs::copy(server.audit_file(), folder.path().join("audit.jsonl"))?;
        }
        let is_his = before.lines().next() == block.lines().next();
        let printed = house.ok(&who, &if is_his { format!("{variables}{block}") } else { block.clone() })?;
        all.push_str(&printed);
        before = block;
        if all.contains("Next, once they do: keyturn redeem") && !all.contains("enough people have") {
            let id =
                "id=$(keyturn requests --format json | sed 's/.*\"asked\":\\[{[^}]*\"id\":\"\\([^\"]*\\)\".*/\\1/')\n";
            house.fails("ann", &format!("{id}keyturn redeem $id"), "needs further approval")?;
            house.fails("ann", &format!("{id}keyturn approve $id --digest sha256:00"), "digest")?;
            let own =
                "digest=$(keyturn requests show $id | sed -n 's/^digest *//p')\nkeyturn approve $id --digest $digest";
            house.fails("ann", &format!("{id}{own}"), "others must agree")?;
        }
    }
    for part in [
        "the database is down",
        "read secret/data/prod/root",
        "1 of leads: nobody so far",
        "affects  1 policies (staff), 0 groups",
        "words  ",
        "hunter2",
        "asked by ann: read secret/data/prod/root",
        "agreed to by ben: with a login, unsigned",
    ] {
        ensure!(all.contains(part), "{part:?} is missing in\n{all}");
    }
    house.fails("ann", "keyturn kv get secret/prod/root", "keyturn request --reason")?;
    Ok(())
}

#[test]
fn a_change_is_denied_with_a_reason_and_another_waits_until_it_is_agreed_to() -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let house = House { server: &server, folder: folder.path() };
    house.open()?;
    for block in blocks("sh")?.iter().take(2) {
        house.ok("admin", block)?;
    }
    for name in ["ann", "ben"] {
        house.ok(name, &format!("keyturn login --method userpass username={name} < {name}.password"))?;
    }
    std::fs::write(folder.path().join("new.json"), r#"{"data": {"password": "new", "port": 5432}}"#)?;
    let told = house.ok("ann", "keyturn request write secret/data/prod/root - --reason 'p\u{430}ssword' < new.json")?;
    let id = told.split("keyturn redeem ").nth(1).and_then(|rest| rest.lines().next()).context("no id")?.to_owned();
    let shown = house.ok("ben", &format!("keyturn requests show {id}"))?;
    for part in [
        "CAREFUL  the reason",
        "data.password: changed (not shown)",
        "data.port: new (not shown)",
        "write secret/data/prod/root",
    ] {
        ensure!(shown.contains(part) && !shown.contains("hunter2"), "{part:?} is missing in\n{shown}");
    }
    let digest = shown.lines().find_map(|line| line.strip_prefix("digest   ")).context("no digest")?.to_owned();
    house.fails("ben", &format!("keyturn deny {id} --digest {digest}"), "--reason TEXT")?;
    house.ok("ben", &format!("keyturn deny {id} --digest {digest} --reason 'not today'"))?;
    house.fails("ann", &format!("keyturn redeem {id} --wait"), "not today")?;
    house.fails("ann", "keyturn request write secret/data/prod/root - --reason x < new.json", "not today")?;

    // One who waits has the answer as soon as somebody agrees.
    let waiting = std::thread::scope(|scope| -> Result<String> {
        let waits = scope.spawn(|| house.ok("ann", "keyturn request read secret/data/prod/root --reason y --wait"));
        let agreed = loop {
            let listed = house.ok("ben", "keyturn requests --format json")?;
            let listed: serde_json::Value = serde_json::from_str(&listed)?;
            if let Some(id) = listed.pointer("/data/waiting/0/id").and_then(serde_json::Value::as_str) {
                break id.to_owned();
            }
            ensure!(!waits.is_finished(), "nobody waits");
        };
        let shown = house.ok("ben", &format!("keyturn requests show {agreed}"))?;
        let digest = shown.lines().find_map(|line| line.strip_prefix("digest   ")).context("no digest")?.to_owned();
        house.ok("ben", &format!("keyturn approve {agreed} --digest {digest}"))?;
        waits.join().map_err(|_| anyhow::anyhow!("the one who waits"))?
    })?;
    ensure!(waiting.contains("hunter2"), "{waiting}");
    Ok(())
}

const CHARTER: &str = "\n[team]\nsecurity = [\"ada\", \"ben\"]\noperations = [\"dee\"]\n[quorum]\nunseal = \"1 of security\"\n\
    change = \"1 of security and 1 of operations\"\ncharter = \"1 of security and 1 of operations\"\n";

/// Brings a vault into service by a charter of ada, ben and dee, with a login for each that is tied to them.
fn bring_into_service(house: &House<'_>) -> Result<()> {
    let mut charter = "format = 1\nepoch = 1\n".to_owned();
    for name in ["ada", "ben", "dee"] {
        house.ok(name, &format!("ssh-keygen -q -t ed25519 -N '' -f {name}_key"))?;
        charter.push_str(&house.ok(name, &format!("keyturn person card --name {name} --ssh-key {name}_key.pub"))?);
        std::fs::write(house.folder.join(format!("{name}.password")), format!("{name} battery staple\n"))?;
    }
    std::fs::write(house.folder.join("first.toml"), charter + CHARTER)?;
    house.ok("ada", "keyturn charter propose first.toml")?;
    for name in ["ada", "dee"] {
        house.ok(name, &format!("keyturn charter sign first.json --ssh-key {name}_key"))?;
    }
    house.ok("ada", "keyturn init --charter first.json; keyturn unseal --ssh-key ada_key")?;
    let together = |call: &str| {
        let script = format!(
            "rm -f act.json; keyturn act propose {call} --reason setup --out act.json\n\
             keyturn act sign act.json --ssh-key ben_key; keyturn act sign act.json --ssh-key dee_key; keyturn act submit act.json"
        );
        house.ok("ben", &script)
    };
    let policy = "path \"sys/policies/acl/*\" { capabilities = [\"create\", \"read\", \"update\"] }\n";
    std::fs::write(house.folder.join("staff.hcl"), policy)?;
    together("write sys/auth/userpass type=userpass")?;
    together("write sys/policies/acl/staff policy=@staff.hcl")?;
    for name in ["ada", "ben", "dee"] {
        together(&format!("write auth/userpass/users/{name} password=@{name}.password token_policies=staff"))?;
        house.ok(name, &format!("keyturn login --method userpass username={name} < {name}.password"))?;
        let id = house.ok(name, "keyturn read auth/token/lookup-self | sed -n 's/^entity_id  *//p'")?;
        std::fs::write(house.folder.join("person.json"), format!("{{\"metadata\": {{\"person\": \"{name}\"}}}}"))?;
        together(&format!("write identity/entity/id/{} - < person.json", id.trim()))?;
    }
    Ok(())
}

/// A vault by a charter, in service: ada asks for a change of policy; ben and dee sign with their SSH keys, and it takes effect.
#[test]
fn in_service_people_sign_what_they_agree_to() -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let house = House { server: &server, folder: folder.path() };
    bring_into_service(&house)?;
    std::fs::write(folder.path().join("app.hcl"), "path \"kv/app\" {\n  capabilities = [\"read\"]\n}\n")?;
    let asked = house.ok("ada", "keyturn request write sys/policies/acl/app policy=@app.hcl --reason 'a new shop'")?;
    let id = asked.split("keyturn redeem ").nth(1).and_then(|rest| rest.lines().next()).context("no id")?.to_owned();
    let shown = house.ok("ben", &format!("keyturn requests show {id}"))?;
    for part in [
        "who      ada (login",
        "+ path \"kv/app\" {",
        "1 of security and 1 of operations: nobody so far",
        "  | a new shop",
    ] {
        ensure!(shown.contains(part), "{part:?} is missing in\n{shown}");
    }
    let digest = shown.lines().find_map(|line| line.strip_prefix("digest   ")).context("no digest")?.to_owned();
    let approve = |key: &str| format!("keyturn approve {id} --digest {digest}{key}");
    house.fails("ben", &approve(""), "signed with their key")?;
    house.fails("ben", &approve(" --ssh-key dee_key"), "not that of the person")?;
    house.fails("ada", &approve(" --ssh-key ada_key"), "others must agree")?;
    house.ok("ben", &approve(" --ssh-key ben_key"))?;
    house.fails("ada", "keyturn policy read app", "")?;
    ensure!(house.ok("dee", &approve(" --ssh-key dee_key"))?.contains("enough people have"), "the last signature");
    ensure!(house.ok("ada", "keyturn policy read app")?.contains("kv/app"), "the policy is there");

    std::fs::copy(server.audit_file(), folder.path().join("audit.jsonl"))?;
    let told = house.ok("auditor", &format!("keyturn audit explain {id} --log audit.jsonl"))?;
    for part in [
        "asked by ada: write sys/policies/acl/app",
        "agreed to by ben: signed by ben with SHA256:",
        "epoch 1 names; it holds",
    ] {
        ensure!(told.contains(part), "{part:?} is missing in\n{told}");
    }
    let forged = told.contains("DOES NOT HOLD");
    ensure!(!forged, "{told}");
    let log = std::fs::read_to_string(server.audit_file())?.replace("a new shop", "an old shop");
    std::fs::write(folder.path().join("audit.jsonl"), log)?;
    house.fails("auditor", &format!("keyturn audit explain {id} --log audit.jsonl"), "DOES NOT HOLD")?;

    // Dee hands her vote to ada, whose own request is not hers to agree to.
    house.ok(
        "dee",
        "keyturn delegate give ben --path 'sys/policies/acl/*' --ttl 8h --reason holiday --ssh-key dee_key",
    )?;
    ensure!(house.ok("ada", "keyturn delegate list")?.contains("person/dee -> person/ben"), "everybody sees it");
    Ok(())
}
