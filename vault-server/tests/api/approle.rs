//! Logins of machines with role ids and secret ids, over HTTP.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::support::TestVault;

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

/// Enables the method with a role `ci` and gives its role id.
async fn enabled(vault: &TestVault) -> String {
    vault.expect(204, "POST", "sys/auth/approle", Some(json!({"type": "approle"}))).await;
    let role = json!({"token_policies": "team", "secret_id_num_uses": 1});
    vault.expect(204, "POST", "auth/approle/role/ci", Some(role)).await;
    text(&vault.expect(200, "GET", "auth/approle/role/ci/role-id", None).await["data"], "role_id")
}

#[tokio::test]
async fn a_machine_logs_in_renews_and_ends_with_the_method() {
    let vault = TestVault::ready().await;
    let role_id = enabled(&vault).await;
    let made = vault.expect(200, "POST", "auth/approle/role/ci/secret-id", None).await["data"].clone();
    let evidence = json!({"role_id": role_id, "secret_id": made["secret_id"]});
    let auth = vault.expect_as("", 200, "POST", "auth/approle/login", Some(evidence)).await["auth"].clone();
    assert_eq!(auth["metadata"], json!({"role_name": "ci"}));
    let token = text(&auth, "client_token");
    let own = vault.expect_as(&token, 200, "GET", "auth/token/lookup-self", None).await;
    assert_eq!(own["data"]["display_name"], json!("approle"));
    vault.expect_as(&token, 200, "POST", "auth/token/renew-self", None).await;
    vault.expect(204, "DELETE", "auth/approle/role/ci", None).await;
    vault.expect_as(&token, 400, "POST", "auth/token/renew-self", None).await;
    vault.expect(204, "DELETE", "sys/auth/approle", None).await;
    vault.expect_as(&token, 403, "GET", "auth/token/lookup-self", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_use_a_one_use_secret_id_at_once_exactly_one_logs_in() {
    let vault = Arc::new(TestVault::ready().await);
    let role_id = enabled(&vault).await;
    let made = vault.expect(200, "POST", "auth/approle/role/ci/secret-id", None).await["data"].clone();
    let body = json!({"role_id": role_id, "secret_id": made["secret_id"]}).to_string();
    let tries = (0..32).map(|number| {
        let (vault, body) = (Arc::clone(&vault), body.clone());
        // With and without a trailing slash the path has a turn of its own.
        let path = if number % 2 == 0 { "auth/approle/login" } else { "auth/approle/login/" };
        tokio::spawn(async move { vault.call("POST", path, "", Some(&body)).await })
    });
    let mut granted = 0;
    for outcome in tries.collect::<Vec<_>>() {
        let (status, value) = outcome.await.unwrap();
        match status.as_u16() {
            200 => granted += 1,
            _ => assert_eq!(value, json!({"errors": ["invalid role or secret ID"]})),
        }
    }
    assert_eq!(granted, 1);
}

#[tokio::test]
async fn a_secret_id_is_handed_over_wrapped() {
    let vault = TestVault::ready().await;
    let role_id = enabled(&vault).await;
    let request = Request::builder()
        .method("POST")
        .uri("/v1/auth/approle/role/ci/secret-id")
        .header("x-vault-token", &vault.root)
        .header("x-vault-wrap-ttl", "60")
        .body(Body::empty())
        .unwrap();
    let (status, value) = vault.send(request).await;
    assert_eq!((status.as_u16(), &value["data"]), (200, &Value::Null));
    let token = text(&value["wrap_info"], "token");
    let given = vault.expect_as(&token, 200, "POST", "sys/wrapping/unwrap", None).await["data"].clone();
    assert_eq!(given["secret_id_num_uses"], json!(1));
    let evidence = json!({"role_id": role_id, "secret_id": given["secret_id"]});
    vault.expect_as("", 200, "POST", "auth/approle/login", Some(evidence)).await;
    let log = std::fs::read_to_string(&vault.audit_path).unwrap();
    assert!(!log.contains(&text(&given, "secret_id")) && !log.contains(&token));
}

#[tokio::test]
async fn strangers_only_log_in_and_the_log_holds_no_secret_id() {
    let vault = TestVault::ready().await;
    let role_id = enabled(&vault).await;
    for (method, path) in [
        ("LIST", "auth/approle/role"),
        ("GET", "auth/approle/role/ci"),
        ("GET", "auth/approle/role/ci/role-id"),
        ("POST", "auth/approle/role/ci/secret-id"),
        ("LIST", "auth/approle/role/ci/secret-id"),
        ("POST", "auth/approle/tidy/secret-id"),
    ] {
        vault.expect_as("", 403, method, path, None).await;
    }
    let custom = json!({"secret_id": "canary-5d"});
    vault.expect(200, "POST", "auth/approle/role/ci/custom-secret-id", Some(custom)).await;
    let evidence = json!({"role_id": role_id, "secret_id": "canary-5d"});
    vault.expect_as("", 200, "POST", "auth/approle/login", Some(evidence.clone())).await;
    vault.expect_as("", 400, "POST", "auth/approle/login", Some(evidence)).await;
    let path = "auth/approle/role/ci/secret-id/destroy?secret_id=canary-6e";
    vault.expect(204, "DELETE", path, None).await;
    vault.expect(200, "POST", "auth/approle/tidy/secret-id", None).await;
    let log = std::fs::read_to_string(&vault.audit_path).unwrap();
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test]
async fn a_source_that_guesses_is_locked_out_and_the_application_is_not() {
    let vault = TestVault::ready().await;
    let role_id = enabled(&vault).await;
    let made = vault.expect(200, "POST", "auth/approle/role/ci/secret-id", None).await["data"].clone();
    let good = json!({"role_id": role_id, "secret_id": made["secret_id"]});
    let wrong = json!({"role_id": role_id, "secret_id": "guess"});
    let login = "auth/approle/login";
    let tune = json!({"user_lockout_config": {"lockout_threshold": "3"}});
    vault.expect(204, "POST", "sys/auth/approle/tune", Some(tune)).await;
    for _ in 0..4 {
        vault.expect_from("192.0.2.1", 400, "POST", login, Some(wrong.clone())).await;
    }
    let refused = vault.expect_from("192.0.2.1", 400, "POST", login, Some(good.clone())).await;
    assert_eq!(refused["errors"], json!(["invalid role or secret ID"]));
    let listed = vault.expect(200, "GET", "sys/locked-users", None).await;
    assert_eq!(listed["data"]["by_namespace"][0]["mount_accessors"][0]["alias_identifiers"], json!([role_id]));
    vault.expect_from("192.0.2.2", 200, "POST", login, Some(good)).await;
    let accessor = &listed["data"]["by_namespace"][0]["mount_accessors"][0]["mount_accessor"];
    let unlock = format!("sys/locked-users/{}/unlock/{role_id}", accessor.as_str().unwrap());
    vault.expect(204, "POST", &unlock, None).await;
    assert_eq!(vault.expect(200, "GET", "sys/locked-users", None).await["data"]["total"], json!(0));
}
