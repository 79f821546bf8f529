//! Logins with names and passwords, over HTTP.

use std::sync::Arc;

use serde_json::{Value, json};
use vault_server::storage::Storage;
use vault_server::storage::memory::MemoryStorage;

use crate::support::TestVault;

const CANARY: &str = "canary-9b2e71";

/// Enables the method with a user, and few failures allowed.
async fn enabled(vault: &TestVault) {
    vault.expect(204, "POST", "sys/auth/userpass", Some(json!({"type": "userpass"}))).await;
    let lockout = json!({"user_lockout_config": {"lockout_threshold": "3", "lockout_duration": "10m", "lockout_counter_reset_duration": "5m"}});
    vault.expect(204, "POST", "sys/auth/userpass/tune", Some(lockout)).await;
    let user = json!({"password": CANARY, "token_policies": "team"});
    vault.expect(204, "POST", "auth/userpass/users/alice", Some(user)).await;
}

async fn login(vault: &TestVault, status: u16, name: &str, password: &str) -> Value {
    let path = format!("auth/userpass/login/{name}");
    let answer = vault.expect_as("", status, "PUT", &path, Some(json!({ "password": password }))).await;
    if status == 400 {
        assert_eq!(answer, json!({"errors": ["invalid username or password"]}), "{name}");
    }
    answer
}

/// Counts the outcomes in the log whose reason is `reason`.
fn outcomes(vault: &TestVault, reason: &str) -> usize {
    let refused = |record: &&Value| record["kind"] == "response" && record["reason"] == reason;
    vault.audit().iter().filter(refused).count()
}

#[tokio::test]
async fn a_person_logs_in_renews_and_ends_with_the_method() {
    let vault = TestVault::ready().await;
    enabled(&vault).await;
    let auth = login(&vault, 200, "Alice", CANARY).await["auth"].clone();
    assert_eq!(auth["metadata"], json!({"username": "alice"}));
    assert_eq!(auth["policies"], json!(["default", "team"]));
    let token = auth["client_token"].as_str().unwrap();
    let own = vault.expect_as(token, 200, "GET", "auth/token/lookup-self", None).await["data"].clone();
    assert_eq!((&own["display_name"], &own["path"]), (&json!("userpass-alice"), &json!("auth/userpass/login/Alice")));
    let again = login(&vault, 200, "alice", CANARY).await;
    assert_eq!(again["auth"]["entity_id"], auth["entity_id"], "one person is one entity");
    vault.expect_as(token, 200, "POST", "auth/token/renew-self", None).await;
    vault.expect(204, "POST", "auth/userpass/users/alice/policies", Some(json!({"token_policies": "other"}))).await;
    vault.expect_as(token, 400, "POST", "auth/token/renew-self", None).await;
    vault.expect(204, "DELETE", "sys/auth/userpass", None).await;
    vault.expect_as(token, 403, "GET", "auth/token/lookup-self", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_at_the_same_time_do_not_exceed_the_threshold() {
    let vault = Arc::new(TestVault::ready().await);
    enabled(&vault).await;
    // Each way to write the name has a path, and so a turn, of its own.
    let names = ["alice", "Alice", "aLice", "alIce", "aliCe", "alicE", "ALICE", "%20alice"];
    let tries = names.map(|name| {
        let vault = Arc::clone(&vault);
        tokio::spawn(async move { login(&vault, 400, name, "wrong").await })
    });
    for done in tries {
        done.await.unwrap();
    }
    login(&vault, 400, "alice", CANARY).await;
    // An outcome is durable with the next record at the latest.
    vault.expect(200, "GET", "sys/mounts", None).await;
    assert_eq!(outcomes(&vault, "wrong user or password"), 3);
    assert_eq!(outcomes(&vault, "locked out after too many failures"), names.len() - 3 + 1);
    vault.clock.advance_seconds(599);
    login(&vault, 400, "alice", CANARY).await;
    vault.clock.advance_seconds(1);
    login(&vault, 200, "alice", CANARY).await;
}

#[tokio::test]
async fn the_locked_out_are_listed_and_let_in_again_and_a_restart_forgets_nothing() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let vault = TestVault::over(Arc::clone(&storage)).await.furnished().await;
    enabled(&vault).await;
    // The source alone would be locked out as well: let it be another one's turn by then.
    for name in ["alice", "ALICE", "alice"] {
        login(&vault, 400, name, "wrong").await;
    }
    let mut restarted = TestVault::over(storage).await;
    restarted.keys.clone_from(&vault.keys);
    restarted.root.clone_from(&vault.root);
    drop(vault);
    restarted.unseal().await;
    let vault = restarted;
    login(&vault, 400, "alice", CANARY).await;
    let listed = vault.expect(200, "GET", "sys/locked-users", None).await["data"].clone();
    let mount = &listed["by_namespace"][0]["mount_accessors"][0];
    assert_eq!((&listed["total"], &mount["alias_identifiers"]), (&json!(1), &json!(["alice"])));
    let accessor = mount["mount_accessor"].as_str().unwrap();
    assert!(accessor.starts_with("userpass_"));
    let only = vault.expect(200, "GET", &format!("sys/locked-users?mount_accessor={accessor}"), None).await;
    assert_eq!(only["data"], listed);
    vault.expect(400, "GET", "sys/locked-users?mount_accessor=x", None).await;
    let unlock = format!("sys/locked-users/{accessor}/unlock/alice");
    let weak = vault.token_with("weak", "path \"sys/locked-users/*\" { capabilities = [\"update\"] }").await;
    vault.expect_as(&weak, 403, "POST", &unlock, None).await;
    vault.expect(204, "POST", &unlock, None).await;
    vault.expect(204, "POST", &unlock, None).await;
    let listed = vault.expect(200, "GET", "sys/locked-users", None).await;
    assert_eq!(listed["data"], json!({"by_namespace": [], "total": 0}));
    login(&vault, 400, "alice", CANARY).await;
    vault.clock.advance_seconds(600);
    login(&vault, 200, "alice", CANARY).await;
}

#[tokio::test]
async fn the_lockout_is_tuned() {
    let vault = TestVault::ready().await;
    enabled(&vault).await;
    let shown = vault.expect(200, "GET", "sys/auth/userpass/tune", None).await["data"].clone();
    let expected = json!({"lockout_threshold": 3, "lockout_duration": 600, "lockout_counter_reset": 300, "lockout_disable": false, "disable_lockout": false});
    assert_eq!(shown["user_lockout_config"], expected);
    assert_eq!((&shown["user_lockout_threshold"], &shown["user_lockout_disable"]), (&json!(3), &json!(false)));
    for lockout in [
        json!({"lockout_threshold": 0}),
        json!({"lockout_duration": "0s"}),
        json!({"lockout_counter_reset": 0}),
        json!({"lockout_threshold": "many"}),
        json!({"lockout_disable": "perhaps"}),
    ] {
        let body = json!({ "user_lockout_config": lockout });
        vault.expect(400, "POST", "sys/auth/userpass/tune", Some(body)).await;
    }
    let body = json!({"user_lockout_config": {"lockout_threshold": 3}});
    vault.expect(400, "POST", "sys/mounts/kv/tune", Some(body)).await;
    let body = json!({"user_lockout_config": {"lockout_disable": true}});
    vault.expect(204, "POST", "sys/auth/userpass/tune", Some(body)).await;
    for _ in 0..4 {
        login(&vault, 400, "alice", "wrong").await;
    }
    login(&vault, 200, "alice", CANARY).await;
}

#[tokio::test]
async fn strangers_only_log_in_and_the_log_holds_no_password() {
    let vault = TestVault::ready().await;
    enabled(&vault).await;
    for (method, path) in [
        ("LIST", "auth/userpass/users"),
        ("GET", "auth/userpass/users/alice"),
        ("PUT", "auth/userpass/users/mallory"),
        ("PUT", "auth/userpass/users/alice/password"),
        ("GET", "auth/userpass/login/alice"),
    ] {
        let status = if path.contains("login") { 405 } else { 403 };
        vault.expect_as("", status, method, path, None).await;
    }
    login(&vault, 200, "alice", CANARY).await;
    login(&vault, 400, "alice", "canary-wrong").await;
    vault.expect(204, "PUT", "auth/userpass/users/alice/password", Some(json!({"password": "canary-new"}))).await;
    let log = std::fs::read_to_string(&vault.audit_path).unwrap();
    assert!(!log.contains("canary"), "{log}");
}
