//! Replies that are kept for whoever shows a wrapping token first.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::support::TestVault;

/// Calls with a wrapping TTL and gives the wrap info.
async fn wrapped(vault: &TestVault, method: &str, path: &str, body: &str, ttl: &str) -> Value {
    let request = Request::builder()
        .method(method)
        .uri(format!("/v1/{path}"))
        .header("x-vault-token", &vault.root)
        .header("x-vault-wrap-ttl", ttl)
        .body(Body::from(body.to_owned()))
        .unwrap();
    let (status, value) = vault.send(request).await;
    assert_eq!(status.as_u16(), 200, "{value}");
    assert_eq!((&value["data"], &value["auth"]), (&Value::Null, &Value::Null), "nothing of the reply is given");
    value["wrap_info"].clone()
}

fn text(info: &Value, field: &str) -> String {
    info[field].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_reply_is_kept_and_given_once() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let info = wrapped(&vault, "GET", "kv/a", "", "120").await;
    assert_eq!((&info["ttl"], &info["creation_path"]), (&json!(120), &json!("kv/a")));
    let token = text(&info, "token");
    let seen = vault.expect_as("", 200, "POST", "sys/wrapping/lookup", Some(json!({ "token": token }))).await;
    assert_eq!((&seen["data"]["creation_ttl"], &seen["data"]["creation_path"]), (&json!(120), &json!("kv/a")));
    let given = vault.expect_as(&token, 200, "POST", "sys/wrapping/unwrap", None).await;
    assert_eq!(given["data"]["x"], json!("1"));
    let spent = vault.expect_as(&token, 400, "POST", "sys/wrapping/unwrap", None).await;
    assert_eq!(spent["errors"], json!(["wrapping token is not valid or does not exist"]));
    vault.expect_as("", 403, "POST", "sys/wrapping/unwrap", None).await;
    vault.expect(400, "POST", "sys/wrapping/unwrap", Some(json!({ "token": token }))).await;
    vault.expect_as("", 400, "POST", "sys/wrapping/lookup", Some(json!({ "token": token }))).await;
}

#[tokio::test]
async fn a_wrapping_token_does_nothing_else_and_ends_in_time() {
    let vault = TestVault::ready().await;
    let body = json!({"policies": ["default"]}).to_string();
    let info = wrapped(&vault, "POST", "auth/token/create", &body, "60s").await;
    let token = text(&info, "token");
    assert_eq!(info["wrapped_accessor"].as_str().unwrap().len(), 24);
    for (method, path) in [("GET", "auth/token/lookup-self"), ("GET", "kv/a"), ("POST", "auth/token/revoke-self")] {
        vault.expect_as(&token, 403, method, path, None).await;
    }
    vault.clock.advance_seconds(59);
    let again = vault.expect(200, "POST", "sys/wrapping/rewrap", Some(json!({ "token": token }))).await;
    vault.clock.advance_seconds(59);
    let fresh = text(&again["wrap_info"], "token");
    let given = vault.expect(200, "POST", "sys/wrapping/unwrap", Some(json!({ "token": fresh }))).await;
    let inner = given["auth"]["client_token"].as_str().unwrap();
    vault.expect_as(inner, 200, "GET", "auth/token/lookup-self", None).await;
    let late = wrapped(&vault, "POST", "sys/wrapping/wrap", "{\"a\":1}", "60").await;
    vault.clock.advance_seconds(60);
    vault.expect(400, "POST", "sys/wrapping/unwrap", Some(json!({"token": text(&late, "token")}))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_unwrap_at_once_exactly_one_gets_the_reply() {
    let vault = Arc::new(TestVault::ready().await);
    let info = wrapped(&vault, "POST", "sys/wrapping/wrap", "{\"secret\":\"once\"}", "60").await;
    let token = text(&info, "token");
    let tries = (0..32).map(|number| {
        let (vault, token) = (Arc::clone(&vault), token.clone());
        tokio::spawn(async move {
            if number % 2 == 0 {
                vault.call("POST", "sys/wrapping/unwrap", &token, None).await
            } else {
                let body = json!({ "token": token }).to_string();
                vault.call("POST", "sys/wrapping/unwrap", &vault.root, Some(&body)).await
            }
        })
    });
    let mut given = 0;
    for outcome in tries.collect::<Vec<_>>() {
        let (status, value) = outcome.await.unwrap();
        if status.as_u16() == 200 {
            assert_eq!(value["data"]["secret"], json!("once"));
            given += 1;
        } else {
            assert!(!value.to_string().contains("once"), "{value}");
        }
    }
    assert_eq!(given, 1);
}

#[tokio::test]
async fn what_is_kept_is_gone_from_the_store_and_never_in_the_log() {
    let vault = TestVault::ready().await;
    let info = wrapped(&vault, "POST", "sys/wrapping/wrap", "{\"secret\":\"canary\"}", "60").await;
    vault.expect(200, "POST", "sys/wrapping/unwrap", Some(json!({"token": text(&info, "token")}))).await;
    let log = format!("{:?}", vault.audit());
    assert!(!log.contains("canary") && !log.contains(&text(&info, "token")));
}

#[tokio::test]
async fn a_ttl_is_bounded() {
    let vault = TestVault::ready().await;
    for ttl in ["3000000", "9999999999h"] {
        let request = Request::builder()
            .uri("/v1/sys/mounts")
            .header("x-vault-token", &vault.root)
            .header("x-vault-wrap-ttl", ttl)
            .body(Body::empty())
            .unwrap();
        assert_eq!(vault.send(request).await.0.as_u16(), 400, "{ttl}");
    }
    vault.expect(400, "POST", "sys/wrapping/wrap", Some(json!({"a": 1}))).await;
}
