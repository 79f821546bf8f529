//! The few calls that bring a vault into use.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Call, Endpoint};

/// The rules of the application: the secrets, tokens of its own, and what is asked about them.
const POLICY: &str = r#"path "secret/data/*" { capabilities = ["create", "read", "update"] }
path "auth/token/create" { capabilities = ["update"] }
path "auth/token/tidy" { capabilities = ["update", "sudo"] }
path "sys/internal/counters/tokens" { capabilities = ["read"] }"#;

/// What an application logs in with; chosen, so that one body serves every login.
pub(crate) const LOGIN: &str = r#"{"role_id":"application","secret_id":"a secret id of the benchmark"}"#;

/// What initialisation handed out.
pub(crate) struct Keys {
    share: String,
    root_token: String,
}

impl Keys {
    /// Gives how to reach the vault with the root token.
    pub(crate) fn root(&self, stranger: &Endpoint) -> Result<Endpoint> {
        stranger.with_token(&self.root_token)
    }
}

/// Initialises the vault with a single share.
pub(crate) async fn initialise(stranger: &Endpoint) -> Result<Keys> {
    let made = call(stranger, Method::PUT, "sys/init", &json!({"secret_shares": 1, "secret_threshold": 1})).await?;
    Ok(Keys { share: text(&made, "/keys_base64/0")?, root_token: text(&made, "/root_token")? })
}

/// Unseals the vault.
pub(crate) async fn unseal(stranger: &Endpoint, keys: &Keys) -> Result<()> {
    let status = call(stranger, Method::PUT, "sys/unseal", &json!({"key": keys.share})).await?;
    ensure!(status.get("sealed") == Some(&Value::Bool(false)), "still sealed: {status}");
    Ok(())
}

/// Mounts a key-value engine and gives a token for an application that may read and write its secrets.
pub(crate) async fn prepare(stranger: &Endpoint, keys: &Keys) -> Result<String> {
    let root = stranger.with_token(&keys.root_token)?;
    let mount = json!({"type": "kv", "options": {"version": "2"}});
    call(&root, Method::POST, "sys/mounts/secret", &mount).await?;
    call(&root, Method::PUT, "sys/policies/acl/application", &json!({"policy": POLICY})).await?;
    call(&root, Method::POST, "sys/auth/approle", &json!({"type": "approle"})).await?;
    let role = json!({"role_id": "application", "token_policies": "application", "token_ttl": "1h"});
    call(&root, Method::POST, "auth/approle/role/application", &role).await?;
    let secret_id: Value = serde_json::from_str(LOGIN)?;
    call(&root, Method::POST, "auth/approle/role/application/custom-secret-id", &secret_id).await?;
    let token = json!({"policies": ["application"], "ttl": "24h"});
    let made = call(&root, Method::POST, "auth/token/create", &token).await?;
    text(&made, "/auth/client_token")
}

/// Gives a token that may do what the application may, by a policy that holds other paths back.
pub(crate) async fn token_with_rules(root: &Endpoint, rules: usize) -> Result<String> {
    call(root, Method::POST, "identity/entity", &json!({"name": "lead"})).await?;
    let lead = call(root, Method::GET, "identity/entity/name/lead", &Value::Null).await?;
    let group = json!({"name": "leads", "member_entity_ids": [text(&lead, "/data/id")?]});
    call(root, Method::POST, "identity/group", &group).await?;
    let mut policy = POLICY.to_owned();
    for number in 0..rules {
        policy.push_str(&held_back(&format!("secret/data/held/{number}/*")));
    }
    call(root, Method::PUT, "sys/policies/acl/ruled", &json!({ "policy": policy })).await?;
    let made = call(root, Method::POST, "auth/token/create", &json!({"policies": ["ruled"], "ttl": "24h"})).await?;
    text(&made, "/auth/client_token")
}

fn held_back(path: &str) -> String {
    format!(
        "\npath \"{path}\" {{ capabilities = [\"read\"]\n control_group {{ factor \"leads\" {{ identity {{ \
         group_names = [\"leads\"] approvals = 1 }} }} }} }}"
    )
}

/// People who ask, and one who agrees.
pub(crate) struct Crowd {
    pub(crate) requesters: Vec<String>,
    pub(crate) approver: String,
}

/// Makes people with entities of their own, and a group of one approver.
pub(crate) async fn crowd(root: &Endpoint, requesters: usize) -> Result<Crowd> {
    let agree = "path \"sys/control-group/authorize\" { capabilities = [\"create\", \"update\"] }";
    let policy = format!("{agree}{}", held_back("secret/data/guarded/*"));
    call(root, Method::PUT, "sys/policies/acl/crowd", &json!({ "policy": policy })).await?;
    let role = json!({"allowed_entity_aliases": "p*", "allowed_policies": "crowd", "orphan": true});
    call(root, Method::POST, "auth/token/roles/crowd", &role).await?;
    let mut tokens = Vec::new();
    let mut entity = String::new();
    for number in 0..=requesters {
        let body = json!({"entity_alias": format!("p{number}"), "policies": ["crowd"], "ttl": "24h"});
        let made = call(root, Method::POST, "auth/token/create/crowd", &body).await?;
        tokens.push(text(&made, "/auth/client_token")?);
        entity = text(&made, "/auth/entity_id")?;
    }
    call(root, Method::POST, "identity/group", &json!({"name": "leads", "member_entity_ids": [entity]})).await?;
    let approver = tokens.pop().context("nobody approves")?;
    Ok(Crowd { requesters: tokens, approver })
}

/// Counts the tokens that lie in the store.
pub(crate) async fn tokens(application: &Endpoint) -> Result<u64> {
    let counted = call(application, Method::GET, "sys/internal/counters/tokens", &Value::Null).await?;
    let total = counted.pointer("/data/counters/service_tokens/total").and_then(Value::as_u64);
    total.context("the answer counts no tokens")
}

/// Has the tokens that have ended removed now; it goes on after the answer.
pub(crate) async fn tidy(application: &Endpoint) -> Result<()> {
    call(application, Method::POST, "auth/token/tidy", &json!({})).await.map(drop)
}

/// Gives the status code of `sys/health`.
pub(crate) async fn health(stranger: &Endpoint) -> Result<StatusCode> {
    let call = Call { method: Method::GET, uri: "/v1/sys/health".try_into()?, body: Bytes::new() };
    stranger.run(|mut connection| async move { connection.send(call).await.map(|(status, _)| status) }).await
}

/// Gives how many bytes the answer to a call has.
pub(crate) async fn answer_length_bytes(endpoint: &Endpoint, call: Call) -> Result<usize> {
    endpoint.run(|mut connection| async move { connection.send_well(call).await.map(|body| body.len()) }).await
}

async fn call(endpoint: &Endpoint, method: Method, path: &str, body: &Value) -> Result<Value> {
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let call = Call { method, uri: format!("/v1/{path}").try_into()?, body };
    let answer = endpoint.run(|mut connection| async move { connection.send_well(call).await }).await?;
    if answer.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&answer)?) }
}

fn text(answer: &Value, pointer: &str) -> Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("the answer has no {pointer}"))
}
