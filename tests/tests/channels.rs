//! Notices reach what teams really use: Alertmanager, which fires and resolves, and a mail server, over TLS and with a login.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::debian::{self, Service, until};
use tests::https::Connection;
use tests::server::{Home, Server};
use tests::vault::{initialise, mount_key_value, unseal};
use tests::webhook::Webhook;

const PASSWORD: &str = "password-of-the-vault";

const POLICY: &str = "path \"secret/data/*\" { capabilities = [\"read\"]\n\
                      control_group = { factor \"leads\" { identity { group_names = [\"leads\"] approvals = 1 } } } }\n\
                      path \"sys/control-group/*\" { capabilities = [\"create\", \"update\"] }";

/// A server with people, whose settings name channels.
struct House {
    server: Server,
    connection: Connection,
}

impl House {
    fn open(home: Home, channels: &str) -> Result<Self> {
        let settings = std::fs::read_to_string(home.path("keyturn.toml"))?;
        std::fs::write(home.path("keyturn.toml"), settings + channels)?;
        let server = home.start()?;
        let mut connection = server.connect()?;
        let keys = initialise(&mut connection, 3, 2)?;
        unseal(&mut connection, &keys)?;
        connection.authorise(&keys.root_token);
        mount_key_value(&mut connection, "secret", 2)?;
        connection.post("secret/data/prod", &json!({"data": {"password": "value-of-prod"}}))?.expect_status(200)?;
        connection.post("sys/auth/userpass", &json!({"type": "userpass"}))?.expect_status(204)?;
        for name in ["ann", "ben"] {
            let user = json!({"password": name, "token_policies": "staff"});
            connection.post(&format!("auth/userpass/users/{name}"), &user)?.expect_status(204)?;
        }
        let mut house = Self { server, connection };
        house.log_in("ben")?;
        let ben = house.connection.get("auth/token/lookup-self")?.expect_status(200)?.text("/data/entity_id")?;
        house.connection.authorise(&keys.root_token);
        let leads = json!({"name": "leads", "member_entity_ids": [ben]});
        house.connection.post("identity/group", &leads)?.expect_status(200)?;
        house.connection.post("sys/policies/acl/staff", &json!({ "policy": POLICY }))?.expect_status(204)?;
        Ok(house)
    }

    fn log_in(&mut self, name: &str) -> Result<()> {
        let path = format!("auth/userpass/login/{name}");
        let login = self.connection.post(&path, &json!({ "password": name }))?.expect_status(200)?;
        self.connection.authorise(&login.text("/auth/client_token")?);
        Ok(())
    }

    /// Lets ann ask for what is held back; gives wrapping token and the request's name.
    fn ask(&mut self) -> Result<(String, String)> {
        self.log_in("ann")?;
        let held = self.connection.get("secret/data/prod")?.expect_status(200)?;
        Ok((held.text("/wrap_info/token")?, held.text("/wrap_info/accessor")?))
    }

    /// Lets ben approve it and ann use it.
    fn release(&mut self, wrapping: &str, request: &str) -> Result<()> {
        self.log_in("ben")?;
        let approval = json!({ "accessor": request });
        self.connection.post("sys/control-group/authorize", &approval)?.expect_status(200)?;
        self.log_in("ann")?;
        let released =
            self.connection.post("sys/wrapping/unwrap", &json!({ "token": wrapping }))?.expect_status(200)?;
        ensure!(released.text("/data/data/password")? == "value-of-prod", "{}", released.body);
        Ok(())
    }
}

/// Starts Alertmanager, which passes on to a webhook what fires and what is resolved.
fn start_alertmanager(home: &Home, passes_to: &Webhook) -> Result<Service> {
    let settings = home.path("alertmanager.yml");
    let text = format!(
        "route: {{ receiver: team, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h }}\n\
         receivers: [{{ name: team, webhook_configs: [{{ url: {:?}, send_resolved: true }}] }}]\n",
        passes_to.url
    );
    std::fs::write(&settings, text)?;
    let address = debian::free_address()?;
    let mut command = Command::new(debian::program("prometheus-alertmanager")?);
    command.arg(format!("--config.file={}", settings.display())).arg(format!("--web.listen-address={address}"));
    command.arg(format!("--storage.path={}", home.path("alertmanager").display())).arg("--cluster.listen-address=");
    Service::start(&mut command, address, &home.path("alertmanager.log"))?.until_ready("/-/ready")
}

/// The alerts that fire in Alertmanager.
fn firing(alertmanager: &Service) -> Result<Vec<Value>> {
    let answer = alertmanager.get("/api/v2/alerts")?;
    Ok(answer.as_array().context("no list of alerts")?.clone())
}

#[test]
fn alertmanager_fires_while_a_request_waits_and_resolves_it_once_people_agree() -> Result<()> {
    let (team, home) = (Webhook::start()?, Home::new()?);
    team.takes.store(true, Ordering::SeqCst);
    let alertmanager = start_alertmanager(&home, &team)?;
    let url = format!("http://{}/api/v2/alerts", alertmanager.address);
    let channels = format!("[[notices.webhook]]\nurl = \"{url}\"\nformat = \"alertmanager\"\n");
    let mut house = House::open(home, &channels)?;
    ensure!(firing(&alertmanager)?.is_empty());

    let (wrapping, request) = house.ask()?;
    let alert = until("an alert", || Ok(firing(&alertmanager)?.into_iter().next()))?;
    let text = |pointer: &str| alert.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    ensure!(text("/labels/alertname") == "KeyturnRequestWaits" && text("/labels/request") == request, "{alert}");
    ensure!(text("/status/state") == "active", "{alert}");
    ensure!(
        text("/annotations/path") == "secret/data/prod" && text("/annotations/waits_for") == "1 of leads",
        "{alert}"
    );
    ensure!(!alert.to_string().contains("value-of-prod") && !alert.to_string().contains(&wrapping), "{alert}");
    let passed_on = team.next()?;
    ensure!(passed_on.pointer("/alerts/0/labels/request") == Some(&json!(request)), "{passed_on}");
    ensure!(passed_on.get("status") == Some(&json!("firing")), "{passed_on}");

    house.release(&wrapping, &request)?;
    until("no alert", || Ok(firing(&alertmanager)?.is_empty().then_some(())))?;
    let resolved = team.next()?;
    ensure!(resolved.pointer("/alerts/0/labels/request") == Some(&json!(request)), "{resolved}");
    ensure!(resolved.get("status") == Some(&json!("resolved")), "{resolved}");
    Ok(())
}

/// Starts the mail server with a certificate that only who is told of its authority trusts.
fn start_mail(home: &Home, protection: &str) -> Result<Service> {
    let (certificate, key) = vault_server::tls::self_signed(&home.path("mail-tls"))?;
    let address = debian::free_address()?;
    let mut command = debian::python()?;
    command.arg(tests::tree::root().join("tests/services/mail.py")).arg(address.port().to_string()).arg(protection);
    command.arg(certificate).arg(key).arg(PASSWORD).arg(home.path("letters.jsonl"));
    Service::start(&mut command, address, &home.path("mail.log"))
}

fn letters(file: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // A line is whole once its end is there.
    let whole = text.rsplit_once('\n').map(|(whole, _)| whole).unwrap_or_default();
    whole.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn mail_arrives(protection: &str) -> Result<()> {
    let home = Home::new()?;
    let mail = start_mail(&home, protection)?;
    std::fs::write(home.path("mail.password"), format!("{PASSWORD}\n"))?;
    let channels = format!(
        "[notices.mail]\nserver = \"localhost\"\nport = {}\ntls = \"{protection}\"\nfrom = \"Vault <vault@example.org>\"\n\
         to = [\"Leads <leads@example.org>\"]\nusername = \"vault\"\npassword_file = \"mail.password\"\nca = \"mail-tls/ca.pem\"\n",
        mail.address.port()
    );
    let mut house = House::open(home, &channels)?;
    let (wrapping, request) = house.ask()?;
    let file = house.server.home().path("letters.jsonl");
    let arrived = |count: usize| {
        until("a letter", || Ok(Some(letters(&file)?).filter(|letters| letters.len() >= count)))
            .with_context(|| format!("the mail server wrote:\n{}", mail.log()))
    };
    let letter = arrived(1)?.into_iter().next().context("no letter")?;
    let header = |name: &str| letter.pointer(&format!("/headers/{name}")).and_then(Value::as_str).unwrap_or_default();
    ensure!(letter.get("tls") == Some(&json!(true)) && letter.get("login") == Some(&json!("vault")), "{letter}");
    ensure!(letter.get("from") == Some(&json!("vault@example.org")), "{letter}");
    ensure!(letter.get("to") == Some(&json!(["leads@example.org"])), "{letter}");
    ensure!(header("From") == "Vault <vault@example.org>" && header("To") == "Leads <leads@example.org>", "{letter}");
    ensure!(header("Subject").starts_with("[keyturn] "), "{letter}");
    ensure!(header("Message-ID") == format!("<{request}.waits@example.org>"), "{letter}");
    ensure!(header("Auto-Submitted") == "auto-generated" && header("MIME-Version") == "1.0", "{letter}");
    ensure!(header("Content-Type").starts_with("text/plain") && !header("Date").is_empty(), "{letter}");
    let body = letter.get("body").and_then(Value::as_str).unwrap_or_default();
    for line in [format!("Request: {request}"), "Path: secret/data/prod".to_owned(), "Waits for: 1 of leads".to_owned()]
    {
        ensure!(body.lines().any(|own| own == line), "{line} in {body}");
    }

    house.release(&wrapping, &request)?;
    let all = arrived(3)?;
    let ids: Vec<_> = all.iter().filter_map(|letter| letter.pointer("/headers/Message-ID")?.as_str()).collect();
    let expected = ["waits", "approved", "use.0"].map(|event| format!("<{request}.{event}@example.org>"));
    ensure!(ids == expected, "{ids:?}");
    let everything = std::fs::read_to_string(&file)?;
    ensure!([PASSWORD, "value-of-prod", &wrapping].iter().all(|secret| !everything.contains(secret)));
    Ok(())
}

#[test]
fn mail_arrives_over_tls_with_a_login() -> Result<()> {
    mail_arrives("tls")
}

#[test]
fn mail_arrives_over_starttls_with_a_login() -> Result<()> {
    mail_arrives("starttls")
}
