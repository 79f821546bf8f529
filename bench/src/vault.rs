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
