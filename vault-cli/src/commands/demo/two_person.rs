//! The demo's chapter on two-person access: an application reads alone, a person's request waits for somebody else.

use anyhow::Context;
use rand::distr::{Alphanumeric, SampleString};
use serde_json::{Value, json};
use vault_api::requests::Said;
use vault_api::{ApiError, Client, SecretText};
use vault_core::approval::APPROVAL_PAYLOAD_TYPE;
use vault_core::charter::Digest;
use vault_core::envelope::Envelope;
use vault_custody::voice::four_words;

use super::custody::Stewards;
use crate::failure::Failure;
use crate::output::line;

const ROOT_PASSWORD: &str = "secret/data/prod/root";

const SHOP: &str = "path \"secret/data/app/*\" { capabilities = [\"read\"] }";

const STAFF: &str = r#"
path "secret/data/app/*" { capabilities = ["create", "update"] }
path "secret/data/prod/*" {
  capabilities = ["create", "read"]
  control_group = {
    reason_required = true
    factor "stewards" {
      controlled_capabilities = ["read"]
      quorum = "group.production"
    }
  }
}
path "sys/policies/acl/*" { capabilities = ["create", "read", "update"] }
"#;

/// Tells the chapter, with the vault that stewards have brought into service.
pub(super) async fn tell(stranger: &Client, stewards: &Stewards) -> Result<(), Failure> {
    line("\n12. Ben and dee make logins, tie them to the people of the charter, and set the rules.")?;
    stewards.write(stranger, "sys/auth/userpass", &json!({"type": "userpass"})).await?;
    stewards.write(stranger, "sys/policies/acl/staff", &json!({ "policy": STAFF })).await?;
    stewards.write(stranger, "sys/policies/acl/shop", &json!({ "policy": SHOP })).await?;
    let shop = login(stranger, stewards, "shop", "shop").await?;
    let ben = login(stranger, stewards, "ben", "staff").await?;
    let dee = login(stranger, stewards, "dee", "staff").await?;
    let ada = login(stranger, stewards, "ada", "staff").await?;

    line("\n13. An application reads its secret alone, as applications must.")?;
    ben.write("secret/data/app/db", &json!({"data": {"password": "for the shop"}})).await?;
    let read: Value = shop.read("secret/data/app/db").await?.data()?;
    let fetched = read.pointer("/data/password").and_then(Value::as_str).context("no password")?;
    line(&format!("   the shop has its {} characters; nobody was asked", fetched.len()))?;

    line("\n14. Ben wants production's root password. He is refused, and asks with a reason.")?;
    ben.write(ROOT_PASSWORD, &json!({"data": {"password": "for two"}})).await?;
    told(ben.read(ROOT_PASSWORD).await, "ben alone")?;
    let id = ask(&ben.with_reason("the primary does not start"), ROOT_PASSWORD).await?;
    told(ben.say_of_request(&id, "redeem", &Said::default()).await, "ben, at once")?;
    told(approve(&ben, stewards, "ben", &id).await, "ben, agreeing to himself")?;

    line("\n15. Dee looks at it, compares four words with ben by voice, and signs.")?;
    let seen = dee.held_request(&id).await?;
    let digest = Digest::parse(&seen.digest).context("a digest")?;
    line(&format!("   {}: \"{}\"  words: {}", seen.summary.path, seen.summary.reason, four_words(&digest)))?;
    approve(&dee, stewards, "dee", &id).await?;
    let released: Value = ben.say_of_request(&id, "redeem", &Said::default()).await?.data()?;
    let password = released.pointer("/data/password").and_then(Value::as_str).context("no password")?;
    line(&format!("   ben has the {} characters, once", password.len()))?;
    told(ben.say_of_request(&id, "redeem", &Said::default()).await, "ben, a second time")?;

    line(
        "\n16. Ben changes a policy. It waits for stewards, one of each team, and takes effect with the last signature.",
    )?;
    let more = format!("{SHOP}\npath \"secret/data/shared\" {{ capabilities = [\"read\"] }}");
    let change = ben.with_reason("the shop needs the shared settings");
    let reply = change.write("sys/policies/acl/shop", &json!({ "policy": more })).await?;
    let id = reply.envelope()?.wrap_info.context("the change did not wait")?.accessor;
    let policy = || async { Ok::<Value, Failure>(ben.read("sys/policies/acl/shop").await?.data()?) };
    approve(&ada, stewards, "ada", &id).await?;
    let before = policy().await?;
    approve(&dee, stewards, "dee", &id).await?;
    let after = policy().await?;
    if before.get("policy") != Some(&json!(SHOP)) || after.get("policy") != Some(&json!(more)) {
        return Err(anyhow::anyhow!("the policy did not wait for its stewards").into());
    }
    line("   when ada had signed: as it was; with dee: one path more. The log holds both signatures.")
}

/// Makes a login, and for a person of the charter ties it to them.
async fn login(stranger: &Client, stewards: &Stewards, name: &str, policy: &str) -> Result<Client, Failure> {
    let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
    let user = json!({ "password": password, "token_policies": policy });
    stewards.write(stranger, &format!("auth/userpass/users/{name}"), &user).await?;
    let reply = stranger.write(&format!("auth/userpass/login/{name}"), &json!({ "password": password })).await?;
    let auth = reply.envelope()?.auth.context("no token")?;
    let client = stranger.with_token(SecretText::new(auth.client_token.expose().to_owned()));
    if policy == "staff" {
        let seen: Value = client.read("auth/token/lookup-self").await?.data()?;
        let entity = seen.get("entity_id").and_then(Value::as_str).context("no entity")?;
        let body = json!({"metadata": {"person": name}});
        stewards.write(stranger, &format!("identity/entity/id/{entity}"), &body).await?;
    }
    Ok(client)
}

async fn ask(client: &Client, path: &str) -> Result<String, Failure> {
    Ok(client.read(path).await?.envelope()?.wrap_info.context("the request was not held back")?.accessor)
}

/// Agrees to a request with a person's own key.
async fn approve(client: &Client, stewards: &Stewards, name: &str, id: &str) -> Result<vault_api::Reply, ApiError> {
    let seen = client.held_request(id).await?;
    let mut envelope = Envelope::new(APPROVAL_PAYLOAD_TYPE, seen.statement.as_bytes());
    let setup = |reason: String| ApiError::Setup { reason };
    stewards.people.sign(&mut envelope, &[name]).map_err(|_| setup("the demo's key does not sign".to_owned()))?;
    let envelope = serde_json::from_str(&envelope.to_json()).map_err(|error| setup(error.to_string()))?;
    let said = Said { envelope: Some(envelope), ..Said::default() };
    client.say_of_request(id, "approve", &said).await
}

/// Tells of a refusal; anything else is a failure of the demo.
fn told(outcome: Result<vault_api::Reply, ApiError>, who: &str) -> Result<(), Failure> {
    match outcome {
        Err(ApiError::Refused { errors, .. }) => line(&format!("   {who}: refused, {}", errors.join("; "))),
        Err(other) => Err(other.into()),
        Ok(_) => Err(anyhow::anyhow!("{who} should have been refused").into()),
    }
}
