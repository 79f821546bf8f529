//! What the demo does and says.

use std::os::unix::fs::OpenOptionsExt;

use serde_json::{Value, json};
use vault_api::types::{InitRequest, InitResponse};
use vault_api::{ApiError, Client, SecretText};
use vault_core::sharing::Share;

use super::process::Process;
use crate::failure::Failure;
use crate::output::line;

const CUSTODIANS: [&str; 5] = ["Ada", "Ben", "Chi", "Dee", "Eli"];
const THRESHOLD: u64 = 3;
const SECRET: &str = "secret/data/app/db";
const POLICY: &str = "path \"secret/data/app/*\" { capabilities = [\"read\"] }";

/// Tells the story and gives its last words.
pub(super) async fn tell(server: &Process, keep: bool) -> Result<String, Failure> {
    line(&format!(
        "A server runs at {}, with TLS, its store encrypted in {}.",
        server.address,
        server.folder.display()
    ))?;
    let stranger = server.client(None)?;
    let made = stranger.init(&InitRequest { secret_shares: 5, secret_threshold: THRESHOLD }).await?;
    line(&format!("\n1. The key is split among {}; any {THRESHOLD} of them open the vault.", CUSTODIANS.join(", ")))?;

    line("\n2. Sealed: an application asks for its secret.")?;
    refused(server.client(Some(&made.root_token))?.read(SECRET).await, "even the root token gets nothing")?;

    line("\n3. The custodians come, one by one.")?;
    unseal(&stranger, &made).await?;

    line("\n4. Ben stores the application's password and gives the application a token for its own path.")?;
    let password = format!("demo-{}", made.root_token.expose().get(4..12).unwrap_or_default());
    let application = furnish(&server.client(Some(&made.root_token))?, &password).await?;

    line("\n5. The application fetches its secret over HTTPS.")?;
    let client = server.client(Some(&application))?;
    let data: Value = client.read(SECRET).await?.data()?;
    let fetched = data.pointer("/data/password").and_then(Value::as_str).unwrap_or_default();
    if fetched != password {
        return Err(anyhow::anyhow!("the application got another secret than was stored").into());
    }
    line(&format!("   GET {SECRET} → {} characters, the ones that were stored", fetched.len()))?;
    refused(client.read("secret/data/other").await, "another path than its own")?;

    let records = std::fs::read_to_string(server.folder.join("audit.jsonl"))?;
    line(&format!("\n6. The audit log has {} records; each was on disk before its effect.", records.lines().count()))?;
    if records.contains(fetched) {
        return Err(anyhow::anyhow!("the audit log holds the secret").into());
    }
    line("   The password is in none of them, only its keyed hash.")?;
    if keep {
        return kept(server, &made, &application);
    }
    line("\n7. Sealed again.")?;
    server.client(Some(&made.root_token))?.seal().await?;
    refused(client.read(SECRET).await, "the application's token is as good as before, and gets nothing")?;
    Ok(LAST_WORDS.to_owned())
}

const LAST_WORDS: &str = "\nThat was all real: server, disk and TLS are gone now. To go on:\n\
    \x20 keyturn demo --keep                # the same, left running for you\n\
    \x20 keyturn server --dev               # an empty vault for a trial\n\
    \x20 keyturn help                       # everything else";

/// Gives three shares, one of them mistyped first.
async fn unseal(stranger: &Client, made: &InitResponse) -> Result<(), Failure> {
    for (name, key) in CUSTODIANS.iter().zip(&made.keys).take(3) {
        let share = Share::parse(key.expose()).map_err(|error| anyhow::anyhow!("the server's share: {error}"))?;
        let text = share.to_text();
        if *name == "Ben" {
            let error = stranger.unseal(mistyped(text.expose())).await.err();
            let error = error.ok_or_else(|| anyhow::anyhow!("a mistyped share was accepted"))?;
            line(&format!("   Ben mistypes a character: {error}"))?;
        }
        let status = stranger.unseal(SecretText::new(text.expose().to_owned())).await?;
        let state = if status.sealed {
            format!("{} of {} shares given, {} to go", status.progress, status.threshold, status.missing())
        } else {
            "the vault is unsealed".to_owned()
        };
        line(&format!("   {name} gives share {}: {state}", share.index()))?;
    }
    Ok(())
}

/// Changes one character near the end, as tired fingers do.
fn mistyped(text: &str) -> SecretText {
    let at = text.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric()).nth_back(9).map_or(0, |(at, _)| at);
    let wrong = if text.get(at..=at) == Some("q") { "p" } else { "q" };
    let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
    SecretText::new([before, wrong, after].concat())
}

/// Mounts an engine, stores the secret and makes a token for the application.
async fn furnish(root: &Client, password: &str) -> Result<SecretText, Failure> {
    root.write("sys/mounts/secret", &json!({"type": "kv", "options": {"version": "2"}})).await?;
    root.write(SECRET, &json!({"data": {"password": password}})).await?;
    root.write("sys/policies/acl/app", &json!({ "policy": POLICY })).await?;
    let reply = root.write("auth/token/create", &json!({"policies": ["app"], "ttl": "1h"})).await?;
    let auth = reply.envelope()?.auth.ok_or_else(|| anyhow::anyhow!("no token was made"))?;
    Ok(auth.client_token)
}

fn refused(outcome: Result<vault_api::Reply, ApiError>, why: &str) -> Result<(), Failure> {
    match outcome {
        Err(ApiError::Refused { status, errors, .. }) => {
            line(&format!("   refused ({status}, {}): {why}", errors.join("; ")))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err(anyhow::anyhow!("this should have been refused: {why}").into()),
    }
}

/// Leaves everything that is needed to go on, secrets in files that only their owner reads.
fn kept(server: &Process, made: &InitResponse, application: &SecretText) -> Result<String, Failure> {
    let keep = |name: &str, text: &str| -> Result<(), Failure> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(server.folder.join(name))?;
        Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
    };
    for (name, key) in CUSTODIANS.iter().zip(&made.keys) {
        keep(&format!("share-{}", name.to_lowercase()), key.expose())?;
    }
    keep("root-token", made.root_token.expose())?;
    keep("app-token", application.expose())?;
    let folder = server.folder.display();
    Ok(format!(
        "\nThe server is left running, unsealed. To go on:\n\
         \x20 export KEYTURN_ADDR={} KEYTURN_CACERT={}\n\
         \x20 keyturn login < {folder}/root-token\n\
         \x20 keyturn kv get secret/app/db\n\
         \x20 keyturn seal && keyturn unseal --share-file {folder}/share-ada",
        server.address,
        server.ca_file().display()
    ))
}
