//! Batch tokens over HTTP: used, looked up, hashed in the log, and dead with what made them.

use serde_json::{Value, json};

use crate::support::TestVault;

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

/// Enables `approle` with a role whose tokens are batch tokens, and logs in.
async fn logged_in(vault: &TestVault) -> Value {
    let policy = json!({"policy": "path \"kv/*\" { capabilities = [\"read\", \"create\", \"update\"] }"});
    vault.expect(204, "PUT", "sys/policies/acl/team", Some(policy)).await;
    vault.expect(204, "POST", "sys/auth/approle", Some(json!({"type": "approle"}))).await;
    let role = json!({"token_policies": "team", "token_type": "batch", "token_ttl": "1h"});
    vault.expect(204, "POST", "auth/approle/role/ci", Some(role)).await;
    let role_id = vault.expect(200, "GET", "auth/approle/role/ci/role-id", None).await["data"]["role_id"].clone();
    let made = vault.expect(200, "POST", "auth/approle/role/ci/secret-id", None).await["data"].clone();
    let evidence = json!({"role_id": role_id, "secret_id": made["secret_id"]});
    vault.expect_as("", 200, "POST", "auth/approle/login", Some(evidence)).await["auth"].clone()
}

#[tokio::test]
async fn a_login_gives_a_batch_token_that_works_and_dies_with_the_method() {
    let vault = TestVault::ready().await;
    let auth = logged_in(&vault).await;
    assert_eq!((&auth["token_type"], &auth["accessor"]), (&json!("batch"), &json!("")));
    assert_eq!((&auth["renewable"], &auth["orphan"]), (&json!(false), &json!(true)));
    let token = text(&auth, "client_token");
    vault.expect_as(&token, 204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    assert_eq!(vault.expect_as(&token, 200, "GET", "kv/a", None).await["data"]["x"], json!("1"));
    vault.expect_as(&token, 403, "GET", "secret/data/a", None).await;
    let own = vault.expect_as(&token, 200, "GET", "auth/token/lookup-self", None).await["data"].clone();
    assert_eq!((&own["type"], &own["accessor"], &own["ttl"]), (&json!("batch"), &json!(""), &json!(3600)));
    assert!(!text(&own, "entity_id").is_empty());
    let asked = Some(json!({"path": "kv/a", "token": token}));
    let able = vault.expect(200, "POST", "sys/capabilities", asked).await["data"]["kv/a"].clone();
    assert_eq!(able, json!(["create", "read", "update"]));
    for path in ["auth/token/revoke-self", "auth/token/renew-self"] {
        vault.expect_as(&token, 400, "POST", path, None).await;
    }
    vault.expect_as(&token, 400, "PUT", "cubbyhole/a", Some(json!({"x": "1"}))).await;
    vault.expect_as(&token, 400, "GET", "cubbyhole/a", None).await;
    vault.expect(204, "DELETE", "sys/auth/approle", None).await;
    vault.expect_as(&token, 403, "GET", "kv/a", None).await;
}

#[tokio::test]
async fn a_batch_token_dies_with_its_entity_its_parent_and_in_time() {
    let vault = TestVault::ready().await;
    let auth = logged_in(&vault).await;
    let token = text(&auth, "client_token");
    let entity = format!("identity/entity/id/{}", text(&auth, "entity_id"));
    vault.expect(204, "POST", &entity, Some(json!({"disabled": true}))).await;
    vault.expect_as(&token, 403, "GET", "auth/token/lookup-self", None).await;
    vault.expect(204, "POST", &entity, Some(json!({"disabled": false}))).await;
    vault.expect_as(&token, 200, "GET", "auth/token/lookup-self", None).await;

    let parent = vault.expect(200, "POST", "auth/token/create", Some(json!({"policies": ["team"]}))).await;
    let parent = text(&parent["auth"], "client_token");
    let make = "path \"auth/token/create\" { capabilities = [\"update\"] }";
    vault.expect(204, "PUT", "sys/policies/acl/default", Some(json!({ "policy": make }))).await;
    let child = vault.expect_as(&parent, 200, "POST", "auth/token/create", Some(json!({"type": "batch"}))).await;
    let child = text(&child["auth"], "client_token");
    vault.expect_as(&child, 404, "GET", "kv/absent", None).await;
    vault.expect(204, "POST", "auth/token/revoke", Some(json!({ "token": parent }))).await;
    vault.expect_as(&child, 403, "GET", "kv/absent", None).await;

    vault.clock.advance_seconds(3600);
    vault.expect_as(&token, 403, "GET", "kv/a", None).await;
}

#[tokio::test]
async fn the_log_names_a_batch_token_by_its_hash_and_altered_ones_are_strangers() {
    let vault = TestVault::ready().await;
    let token = text(&logged_in(&vault).await, "client_token");
    vault.expect_as(&token, 204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let altered = format!("{}{}", &token[..token.len() - 1], if token.ends_with('A') { 'B' } else { 'A' });
    vault.expect_as(&altered, 403, "GET", "kv/a", None).await;
    let other = TestVault::ready().await;
    other.expect_as(&token, 403, "GET", "kv/a", None).await;
    let log = vault.audit();
    let made = log.iter().find_map(|line| line["auth"]["batch_token"].as_str()).unwrap();
    assert!(made.starts_with("hmac-sha256:"), "{made}");
    let used =
        log.iter().find(|line| line["path"] == json!("kv/a") && line["who"]["batch_token"] == json!(made)).unwrap();
    assert_eq!((&used["who"]["accessor"], &used["who"]["policies"]), (&Value::Null, &json!(["default", "team"])));
    assert!(!std::fs::read_to_string(&vault.audit_path).unwrap().contains(&token));
}

#[tokio::test]
async fn a_mount_is_tuned_to_batch_tokens_and_wrapping_keeps_them() {
    let vault = TestVault::ready().await;
    logged_in(&vault).await;
    let role = json!({"token_policies": "team", "token_type": "default"});
    vault.expect(204, "POST", "auth/approle/role/ci", Some(role)).await;
    vault.expect(204, "POST", "sys/auth/approle/tune", Some(json!({"token_type": "default-batch"}))).await;
    let shown = vault.expect(200, "GET", "sys/auth/approle/tune", None).await;
    assert_eq!(shown["data"]["token_type"], json!("default-batch"));
    for (path, word) in
        [("sys/auth/approle/tune", "sealed"), ("sys/mounts/kv/tune", "batch"), ("sys/auth/token/tune", "batch")]
    {
        vault.expect(400, "POST", path, Some(json!({ "token_type": word }))).await;
    }
    let role_id = vault.expect(200, "GET", "auth/approle/role/ci/role-id", None).await["data"]["role_id"].clone();
    let made = vault.expect(200, "POST", "auth/approle/role/ci/secret-id", None).await["data"].clone();
    let evidence = json!({"role_id": role_id, "secret_id": made["secret_id"]}).to_string();
    let request = http::Request::builder()
        .method("POST")
        .uri("/v1/auth/approle/login")
        .header("x-vault-wrap-ttl", "60")
        .body(axum::body::Body::from(evidence))
        .unwrap();
    let (_, wrapped) = vault.send(request).await;
    let wrapping = text(&wrapped["wrap_info"], "token");
    let auth = vault.expect_as(&wrapping, 200, "POST", "sys/wrapping/unwrap", None).await["auth"].clone();
    assert_eq!((&auth["token_type"], &auth["accessor"]), (&json!("batch"), &json!("")));
    vault.expect_as(&text(&auth, "client_token"), 200, "GET", "auth/token/lookup-self", None).await;
}

/// The door once took no token of more than 512 bytes, whatever it carried.
#[tokio::test]
async fn a_batch_token_that_carries_much_is_taken() {
    let vault = TestVault::ready().await;
    let policies: Vec<String> = (0..40).map(|number| format!("a-policy-with-a-long-name-{number}")).collect();
    let asked = json!({"type": "batch", "ttl": "1h", "policies": policies, "meta": {"team": "x".repeat(500)}});
    let made = vault.expect(200, "POST", "auth/token/create", Some(asked)).await;
    let token = text(&made["auth"], "client_token");
    assert!(token.len() > 2_000, "{}", token.len());
    let own = vault.expect_as(&token, 200, "GET", "auth/token/lookup-self", None).await;
    assert_eq!(own["data"]["policies"].as_array().unwrap().len(), 41);
    let much = json!({"type": "batch", "ttl": "1h", "meta": {"team": "x".repeat(500), "other": "y".repeat(500)}, "policies":
        (0..200).map(|number| format!("a-policy-with-a-long-name-{number}")).collect::<Vec<_>>()});
    vault.expect(400, "POST", "auth/token/create", Some(much)).await;
}
