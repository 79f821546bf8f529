//! The command line as people type it, the README's commands among them.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::server::Server;
use tests::terminal::{Terminal, handed_out};

/// Gives the commands of the README's section "Run a server" that speak to one.
fn readme_commands() -> Result<Vec<String>> {
    let readme = std::fs::read_to_string(tests::tree::root().join("README.md"))?;
    let commands =
        readme.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with("keyturn "));
    Ok(commands.map(str::to_owned).collect())
}

#[test]
fn the_readmes_commands_work_as_they_stand() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::new(&server)?;
    let commands = readme_commands()?;
    ensure!(commands.len() >= 6, "the README's commands were not found: {commands:?}");
    let mut printed = String::new();
    for command in commands {
        let (shares, root) = handed_out(&printed);
        let shares: Vec<String> = shares.into_iter().map(str::to_owned).collect();
        let root = root.to_owned();
        match command.as_str() {
            "keyturn unseal" => {
                for share in shares.iter().take(3) {
                    terminal.ok(&command, share)?;
                }
            }
            "keyturn login" => drop(terminal.ok(&command, &root)?),
            line if line.starts_with("keyturn kv put") => drop(terminal.ok(line, "hunter2\n")?),
            line if line.starts_with("keyturn kv get") => ensure!(terminal.ok(line, "")?.contains("hunter2"), "{line}"),
            line if line.starts_with("keyturn init") => printed = terminal.ok(line, "")?,
            line => drop(terminal.ok(line, "")?),
        }
    }
    Ok(())
}

#[test]
fn people_are_told_where_they_stand_and_what_to_type() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::new(&server)?;
    ensure!(terminal.run("keyturn status", "")?.status.code() == Some(2), "an uninitialised vault is not open");
    let printed = terminal.ok("keyturn init --shares 3 --threshold 2", "")?;
    let (shares, root) = handed_out(&printed);
    let [one, two, _] = shares[..] else { anyhow::bail!("three shares were asked for:\n{printed}") };
    let sealed = terminal.fails("keyturn kv get secret/a", "", 2)?;
    ensure!(sealed.contains("keyturn unseal"), "{sealed}");
    let progress = terminal.ok("keyturn unseal", one)?;
    ensure!(progress.contains("1 of 2 shares given, 1 to go"), "{progress}");
    let again = terminal.fails("keyturn unseal", one, 1)?;
    ensure!(again.contains("given already"), "{again}");
    ensure!(terminal.ok("keyturn unseal --share-file -", two)?.contains("unsealed"), "two shares unseal");
    let denied = terminal.fails("keyturn secrets list", "", 1)?;
    ensure!(denied.contains("keyturn login"), "{denied}");
    terminal.ok("keyturn login", root)?;
    ensure!(terminal.fails("keyturn kv put cubbyhole/a password=hunter2", "", 2).is_ok(), "a value in the arguments");
    terminal.ok("keyturn seal", "")?;
    ensure!(terminal.run("keyturn status", "")?.status.code() == Some(2), "sealed again");
    Ok(())
}

#[test]
fn every_verb_of_kv_works_on_both_versions() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    terminal.ok("keyturn secrets enable --path one --version 1 kv", "")?;
    terminal.ok("keyturn secrets enable --path two --version 2 kv", "")?;
    for mount in ["one", "two"] {
        terminal.ok(&format!("keyturn kv put {mount}/a/b user password"), "berta\nhunter2\n")?;
        ensure!(terminal.ok(&format!("keyturn kv get --field password {mount}/a/b"), "")? == "hunter2\n", "{mount}");
        ensure!(terminal.ok(&format!("keyturn kv list {mount}"), "")? == "a/\n", "{mount}");
    }
    terminal.ok("keyturn kv patch two/a/b password=-", "changed")?;
    terminal.ok("keyturn kv put two/a/b -", "{\"n\": 1}")?;
    terminal.fails("keyturn kv put --cas 1 two/a/b x", "y\n", 1)?;
    ensure!(terminal.ok("keyturn kv get --version 2 --field password two/a/b", "")? == "changed\n", "an older version");
    terminal.ok("keyturn kv delete --versions 1,2 two/a/b", "")?;
    terminal.ok("keyturn kv undelete --versions 2 two/a/b", "")?;
    terminal.ok("keyturn kv destroy --versions 2 two/a/b", "")?;
    terminal.ok("keyturn kv metadata put --max-versions 5 --custom owner=berta two/a/b", "")?;
    let metadata: Value = serde_json::from_str(&terminal.ok("keyturn kv metadata get two/a/b --format json", "")?)?;
    ensure!(metadata.pointer("/data/versions/2/destroyed") == Some(&Value::Bool(true)), "{metadata}");
    terminal.ok("keyturn kv metadata delete two/a/b", "")?;
    terminal.ok("keyturn kv delete one/a/b", "")?;
    terminal.fails("keyturn kv list one", "", 1)?;
    terminal.fails("keyturn kv undelete --versions 1 one/a/b", "", 2)?;
    Ok(())
}

#[test]
fn tokens_policies_and_any_path_have_their_verbs() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    terminal.ok("keyturn policy write app -", "path \"cubbyhole/*\" { capabilities = [\"read\"] }")?;
    ensure!(terminal.ok("keyturn policy list", "")?.contains("app"), "the policy is listed");
    ensure!(terminal.ok("keyturn policy read app", "")?.contains("cubbyhole"), "the policy is shown");
    terminal.fails("keyturn policy write bad -", "path {", 1)?;
    let made: Value =
        serde_json::from_str(&terminal.ok("keyturn token create --policy app --ttl 1h --format json", "")?)?;
    let accessor = made.pointer("/auth/accessor").and_then(Value::as_str).context("no accessor")?.to_owned();
    ensure!(terminal.ok(&format!("keyturn token lookup --accessor {accessor}"), "")?.contains("app"), "looked up");
    terminal.ok(&format!("keyturn token renew --accessor {accessor}"), "")?;
    terminal.ok(&format!("keyturn token revoke --accessor {accessor}"), "")?;
    terminal.fails(&format!("keyturn token lookup --accessor {accessor}"), "", 1)?;
    ensure!(terminal.ok("keyturn token capabilities sys/mounts", "")?.contains("root"), "capabilities");
    terminal.ok("keyturn write cubbyhole/x", "{\"a\": \"b\"}")?;
    ensure!(terminal.ok("keyturn read cubbyhole/x", "")?.contains('b'), "read back");
    ensure!(terminal.ok("keyturn list cubbyhole", "")? == "x\n", "listed");
    terminal.ok("keyturn delete cubbyhole/x", "")?;
    terminal.ok("keyturn secrets tune cubbyhole --description mine", "")?;
    terminal.ok("keyturn policy delete app", "")?;
    Ok(())
}

#[test]
fn limits_are_written_raised_for_a_time_and_shown() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    terminal.ok("keyturn secrets enable kv --version 2", "")?;
    terminal.ok("keyturn kv put kv/app password", "hunter2\n")?;
    terminal.ok("keyturn limit write reads --metric reads_per_hour --path kv/* --soft 1 --hard 2", "")?;
    terminal.ok("keyturn kv get kv/app", "")?;
    terminal.ok("keyturn kv get kv/app", "")?;
    let refused = terminal.fails("keyturn kv get kv/app", "", 1)?;
    ensure!(refused.contains("keyturn limit raise reads"), "{refused}");
    let why = terminal.fails("keyturn limit raise reads --hard 5 --for 8h", "", 2)?;
    ensure!(why.contains("--reason"), "{why}");
    terminal.fails("keyturn limit raise reads --hard 5 --for 31d --reason migration", "", 1)?;
    terminal.ok("keyturn limit raise reads --hard 5 --for 8h --reason migration", "")?;
    terminal.ok("keyturn kv get kv/app", "")?;
    let shown: Value = serde_json::from_str(&terminal.ok("keyturn limit read reads --format json", "")?)?;
    let (hard, now) = (shown.pointer("/data/hard"), shown.pointer("/data/hard_now"));
    ensure!((hard, now) == (Some(&2.into()), Some(&5.into())), "{shown}");
    let listed = terminal.ok("keyturn limit list", "")?;
    ensure!(listed.contains("reads_per_hour of kv/*  soft 1  hard 5, raised until"), "{listed}");
    ensure!(listed.contains("failed-logins") && listed.contains("(default)"), "{listed}");
    terminal.fails("keyturn limit remove reads", "", 1)?;
    terminal.ok("keyturn limit remove reads --for 1h --reason migration", "")?;
    terminal.ok("keyturn canary mark kv/data/app", "")?;
    ensure!(terminal.ok("keyturn canary list", "")?.contains("kv/data/app"), "the canary is listed");
    ensure!(terminal.ok("keyturn kv get kv/app", "")?.contains("hunter2"), "a canary is read as ever");
    terminal.ok("keyturn canary unmark kv/data/app", "")?;
    Ok(())
}

#[test]
fn the_demo_tells_its_story_and_leaves_nothing_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = Command::new(tests::binary::keyturn()?).arg("demo").env("TMPDIR", folder.path()).output()?;
    let told = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    for part in ["mistypes", "mistyped", "the vault is unsealed", "refused (403", "refused (503"] {
        ensure!(told.contains(part), "{part:?} is missing in\n{told}");
    }
    ensure!(std::fs::read_dir(folder.path())?.next().is_none(), "the demo left files behind");
    Ok(())
}

#[test]
fn charters_are_checked_shown_and_compared_without_a_server() -> Result<()> {
    let example = tests::tree::root().join("docs/example-charter.toml");
    let folder = tempfile::tempdir()?;
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, std::fs::read_to_string(&example)?.replace("format = 1", "format = 1\nsurprise = 2"))?;
    let run = |arguments: &[&std::ffi::OsStr]| {
        Command::new(tests::binary::keyturn()?).arg("charter").args(arguments).output().map_err(anyhow::Error::from)
    };
    let checked = run(&["check".as_ref(), example.as_os_str()])?;
    ensure!(checked.status.success() && String::from_utf8(checked.stdout)?.contains("holds together"), "check");
    let shown = run(&["show".as_ref(), example.as_os_str()])?;
    ensure!(String::from_utf8(shown.stdout)?.contains("unseal"), "show");
    let compared = run(&["diff".as_ref(), example.as_os_str(), example.as_os_str()])?;
    ensure!(String::from_utf8(compared.stdout)? == "Nothing changes.\n", "diff");
    let refused = run(&["check".as_ref(), bad.as_os_str()])?;
    let told = String::from_utf8(refused.stderr)?;
    ensure!(refused.status.code() == Some(1) && told.contains("bad.toml:") && told.contains("surprise"), "{told}");
    Ok(())
}

#[test]
fn help_completions_and_manual_pages_are_there() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = tests::binary::keyturn()?;
    let run = |arguments: &[&str]| Command::new(program).args(arguments).output();
    ensure!(run(&["completions", "bash"])?.stdout.len() > 1_000, "completions");
    ensure!(run(&["man", &folder.path().display().to_string()])?.status.success(), "manual pages");
    ensure!(folder.path().join("keyturn-unseal.1").exists(), "a page for each command");
    let help = String::from_utf8(run(&["--help"])?.stdout)?;
    ensure!(help.contains("Exit codes"), "{help}");
    Ok(())
}

#[test]
fn a_certificate_logs_in_by_flags_and_by_the_environment() -> Result<()> {
    let server = Server::start()?;
    let terminal = Terminal::logged_in(&server)?;
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "app-1");
    let certificate = params.self_signed(&key)?.pem();
    let (certificate_file, key_file) = (terminal.home().join("app.pem"), terminal.home().join("app.key"));
    std::fs::write(&certificate_file, &certificate)?;
    std::fs::write(&key_file, key.serialize_pem())?;
    terminal.ok("keyturn write sys/auth/cert", "{\"type\": \"cert\"}")?;
    let role = serde_json::json!({"certificate": certificate}).to_string();
    terminal.ok("keyturn write auth/cert/certs/app", &role)?;

    let files = format!("--client-cert {} --client-key {}", certificate_file.display(), key_file.display());
    let printed = terminal.ok(&format!("keyturn --format json {files} write auth/cert/login"), "{}")?;
    let reply: Value = serde_json::from_str(&printed)?;
    ensure!(reply.pointer("/auth/metadata/common_name") == Some(&Value::from("app-1")), "{printed}");
    let by_environment = Command::new(tests::binary::keyturn()?)
        .args(["policy", "list"])
        .env_clear()
        .env("HOME", terminal.home())
        .env("KEYTURN_ADDR", server.url())
        .env("KEYTURN_CACERT", server.authority_file())
        .env("VAULT_CLIENT_CERT", &certificate_file)
        .env("VAULT_CLIENT_KEY", terminal.home().join("absent.key"))
        .output()?;
    let told = String::from_utf8_lossy(&by_environment.stderr).into_owned();
    ensure!(!by_environment.status.success() && told.contains("absent.key"), "{told}");

    terminal.fails("keyturn write auth/cert/login", "{}", 1)?;
    let told = terminal.fails(&format!("keyturn --client-cert {} status", certificate_file.display()), "", 2)?;
    ensure!(told.contains("--client-key"), "{told}");
    Ok(())
}
