//! `keyturn charter` as people type it: what is proposed, signed and verified, and what is refused by name.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const RULES: &str = "\n[team]\nall = [\"ada\", \"ben\"]\n[quorum]\nunseal = \"2 of all\"\nchange = \"2 of all\"\n\
    charter = \"2 of all\"\n";

/// A folder in which commands are typed.
struct Desk(tempfile::TempDir);

impl Desk {
    /// Three people with SSH keys, a charter of the first two, and its envelope.
    fn new() -> Result<Self> {
        let desk = Self(tempfile::tempdir()?);
        let mut text = "format = 1\nepoch = 7\n".to_owned();
        for name in ["ada", "ben", "eve"] {
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", name];
            let made = Command::new("ssh-keygen").args(arguments).current_dir(desk.path()).status()?;
            ensure!(made.success(), "ssh-keygen");
            let card = desk.ok(&format!("person card --name {name} --ssh-key {name}.pub"))?;
            if name != "eve" {
                text.push_str(&card);
            }
        }
        desk.write("first.toml", &(text + RULES))?;
        desk.ok("charter propose first.toml")?;
        Ok(desk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        Ok(std::fs::write(self.path().join(name), content)?)
    }

    fn read(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.path().join(name))?)
    }

    fn run(&self, line: &str) -> Result<(bool, String, String)> {
        let output = Command::new(tests::binary::keyturn()?)
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env("HOME", self.path())
            .output()?;
        Ok((output.status.success(), String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
    }

    fn ok(&self, line: &str) -> Result<String> {
        let (success, out, err) = self.run(line)?;
        ensure!(success, "{line}: {err}");
        Ok(out)
    }

    fn json(&self, line: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.ok(&format!("--format json {line}"))?)?)
    }

    fn fails(&self, line: &str, with: &str) -> Result<()> {
        let (success, _, err) = self.run(line)?;
        ensure!(!success && err.contains(with), "{line} should say {with:?}: {err}");
        Ok(())
    }
}

#[test]
fn a_charter_is_proposed_signed_and_verified_and_the_next_one_by_its_quorum() -> Result<()> {
    let desk = Desk::new()?;
    desk.fails("charter verify first.json", "signatures are missing: 2 more of all")?;
    let once = desk.json("charter sign first.json --ssh-key ada")?;
    ensure!(once["signers"] == serde_json::json!(["ada"]) && once["missing"][0]["team"] == "all", "{once}");
    ensure!(desk.ok("charter sign first.json --ssh-key ben")?.contains("keyturn init --charter first.json"), "next");
    let verified = desk.json("charter verify first.json")?;
    let digest = verified["digest"].as_str().context("no digest")?.to_owned();
    ensure!(verified["epoch"] == 1, "the draft's epoch was set right: {verified}");
    desk.ok(&format!("charter verify first.json --first {digest}"))?;
    desk.fails(&format!("charter verify first.json --first sha256:{}", "0".repeat(64)), "another charter")?;
    desk.fails("charter verify first.json --first x", "64 hexadecimal digits")?;

    let draft = desk.read("first.toml")?.replace("change = \"2 of all\"", "change = \"1 of all\"");
    desk.write("next.toml", &draft)?;
    let proposed = desk.json("charter propose next.toml --from first.json --out next.json")?;
    ensure!(proposed["epoch"] == 2, "{proposed}");
    ensure!(desk.ok("charter diff first.json next.json")?.contains("change"), "the diff shows the rule");
    for name in ["ada", "ben"] {
        desk.ok(&format!("charter sign next.json --from first.toml --ssh-key {name}"))
            .err()
            .context("a draft judged")?;
        desk.ok(&format!("charter sign next.json --from first.json --ssh-key {name}"))?;
    }
    let chain = desk.ok(&format!("charter verify first.json next.json --first {digest}"))?;
    ensure!(chain.contains("epoch 2: signed by ada, ben"), "{chain}");
    desk.fails("charter verify next.json first.json", "epoch 1")?;
    Ok(())
}

#[test]
fn whoever_may_not_sign_and_whatever_was_altered_is_named() -> Result<()> {
    let desk = Desk::new()?;
    desk.fails("charter sign first.json --ssh-key eve", "is of nobody in the charter")?;
    desk.ok("charter sign first.json --ssh-key ada")?;
    desk.fails("charter sign first.json --ssh-key ada", "ada has signed already")?;
    desk.fails("charter sign first.json", "say who you are")?;
    desk.fails("charter sign first.toml --ssh-key ben", "keyturn charter propose first.toml")?;
    desk.fails("charter propose first.toml", "first.json")?;
    desk.fails("charter sign first.json --ssh-key nobody", "nobody")?;

    let mut envelope: Value = serde_json::from_str(&desk.read("first.json")?)?;
    let other = data_encoding::BASE64.encode(desk.read("first.toml")?.replace("epoch = 7", "epoch = 1 ").as_bytes());
    envelope["payload"] = other.into();
    desk.write("altered.json", &envelope.to_string())?;
    desk.fails("charter sign altered.json --ssh-key ben", "the signature of ada does not hold")?;

    desk.write("bad.toml", "format = 1\nepoch = 1\n[[person]]\nname = \"Ada\"\n")?;
    desk.fails("charter check bad.toml", "bad.toml:4:")?;
    Ok(())
}
