//! A notice outlives the server that enqueued it: killed before the notice could be delivered, the next one delivers it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tests::https::Connection;
use tests::server::Home;
use tests::vault::{initialise, mount_key_value, unseal};
use tests::webhook::Webhook;

/// Longest wait for a notice; it comes within seconds.
const NOTICE_WAIT_MAX: Duration = Duration::from_secs(60);

/// Holds back whatever ann reads.
const POLICY: &str = "path \"secret/data/*\" { capabilities = [\"read\"]\n\
                      control_group = { factor \"leads\" { identity { group_names = [\"leads\"] approvals = 2 } } } }";

/// Lets ann ask for something that is held back, and gives the request's name.
fn ask(connection: &mut Connection) -> Result<String> {
    mount_key_value(connection, "secret", 2)?;
    connection.post("sys/auth/userpass", &json!({"type": "userpass"}))?.expect_status(204)?;
    let mut leads = Vec::new();
    for name in ["ben", "cat"] {
        let made = connection.post("identity/entity", &json!({ "name": name }))?.expect_status(200)?;
        leads.push(made.text("/data/id")?);
    }
    connection.post("identity/group", &json!({"name": "leads", "member_entity_ids": leads}))?.expect_status(200)?;
    connection.post("sys/policies/acl/staff", &json!({ "policy": POLICY }))?.expect_status(204)?;
    let user = json!({"password": "ann", "token_policies": "staff"});
    connection.post("auth/userpass/users/ann", &user)?.expect_status(204)?;
    let login = connection.post("auth/userpass/login/ann", &json!({"password": "ann"}))?.expect_status(200)?;
    connection.authorise(&login.text("/auth/client_token")?);
    connection.get("secret/data/prod")?.expect_status(200)?.text("/wrap_info/accessor")
}

#[test]
fn a_notice_outlives_the_server_that_enqueued_it() -> Result<()> {
    let webhook = Webhook::start()?;
    let home = Home::new()?;
    let settings = std::fs::read_to_string(home.path("keyturn.toml"))?;
    let more = format!("[[notices.webhook]]\nurl = \"{}\"\nformat = \"plain\"\n", webhook.url);
    std::fs::write(home.path("keyturn.toml"), settings + &more)?;

    let server = home.start()?;
    let mut connection = server.connect()?;
    let keys = initialise(&mut connection, 3, 2)?;
    unseal(&mut connection, &keys)?;
    connection.authorise(&keys.root_token);
    let request = ask(&mut connection)?;
    let refused = webhook.next()?;
    ensure!(refused.get("request") == Some(&json!(request)), "{refused}");
    let home = server.kill()?;
    // What the killed server has posted besides is not what this is about.
    while webhook.posted.try_recv().is_ok() {}
    webhook.takes.store(true, Ordering::SeqCst);

    let server = home.start()?;
    let mut connection = server.connect()?;
    unseal(&mut connection, &keys)?;
    let taken = webhook.next()?;
    ensure!(taken == refused, "{taken} is not {refused}");
    ensure!(taken.get("event") == Some(&json!("waits")), "{taken}");
    connection.authorise(&keys.root_token);
    until_delivered(&mut connection)
}

/// Waits until the server that runs now says that it has delivered the notice: the one before may have posted to its end.
fn until_delivered(connection: &mut Connection) -> Result<()> {
    let began = Instant::now();
    let labels = json!({"channel": "webhook", "outcome": "delivered"});
    while began.elapsed() < NOTICE_WAIT_MAX {
        let reply = connection.get("sys/metrics")?.expect_status(200)?;
        let counters = reply.body.get("Counters").and_then(Value::as_array).into_iter().flatten();
        let mut delivered = counters.filter(|counter| counter.get("Labels") == Some(&labels));
        if delivered.any(|counter| counter.get("Count").and_then(Value::as_u64) == Some(1)) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("the notice is not delivered")
}
