//! First steps that most whole-system tests take: initialise, unseal, mount.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::https::Connection;

/// What initialisation handed out.
pub struct Keys {
    /// The shares, each in the form that unsealing takes.
    pub shares: Vec<String>,
    /// How many shares unseal.
    pub threshold: usize,
    /// The first token.
    pub root_token: String,
}

/// Initialises the vault.
///
/// # Errors
/// Shows the server's answer when it refuses.
pub fn initialise(connection: &mut Connection, shares: usize, threshold: usize) -> Result<Keys> {
    let body = json!({"secret_shares": shares, "secret_threshold": threshold});
    let reply = connection.call("PUT", "sys/init", Some(&body))?.expect_status(200)?;
    let listed = reply.body.pointer("/keys_base64").and_then(Value::as_array).into_iter().flatten();
    let handed_out: Vec<String> = listed.filter_map(Value::as_str).map(str::to_owned).collect();
    ensure!(handed_out.len() == shares, "asked for {shares} shares, got {}", handed_out.len());
    Ok(Keys { shares: handed_out, threshold, root_token: reply.text("/root_token")? })
}

/// Hands in as many shares as needed.
///
/// # Errors
/// Shows the server's answer when it refuses or stays sealed.
pub fn unseal(connection: &mut Connection, keys: &Keys) -> Result<()> {
    let mut sealed = Value::Null;
    for share in keys.shares.iter().take(keys.threshold) {
        let reply = connection.call("PUT", "sys/unseal", Some(&json!({"key": share})))?.expect_status(200)?;
        sealed = reply.body.get("sealed").cloned().unwrap_or_default();
    }
    ensure!(sealed == Value::Bool(false), "still sealed after {} shares", keys.threshold);
    Ok(())
}

/// Mounts a key-value engine.
///
/// # Errors
/// Shows the server's answer when it refuses.
pub fn mount_key_value(connection: &mut Connection, path: &str, version: u8) -> Result<()> {
    let body = json!({"type": "kv", "options": {"version": version.to_string()}});
    connection.post(&format!("sys/mounts/{path}"), &body)?.expect_status(204).map(drop)
}
