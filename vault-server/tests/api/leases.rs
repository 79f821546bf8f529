//! Leases: each token that ends has one, named by the path that made it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::TestVault;

async fn token(vault: &TestVault, ttl: &str) -> String {
    let made =
        vault.expect(200, "POST", "auth/token/create", Some(json!({ "ttl": ttl, "policies": ["default"] }))).await;
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

async fn listed(vault: &TestVault, prefix: &str) -> Vec<String> {
    let (status, value) = vault.call("LIST", &format!("sys/leases/lookup/{prefix}"), &vault.root, None).await;
    if status.as_u16() == 404 {
        return Vec::new();
    }
    value["data"]["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_lease_is_listed_looked_up_and_ended() {
    let vault = TestVault::ready().await;
    let token = token(&vault, "10m").await;
    assert_eq!(listed(&vault, "auth/token").await, ["create/"]);
    let names = listed(&vault, "auth/token/create").await;
    assert_eq!(names.len(), 1);
    let id = format!("auth/token/create/{}", names[0]);
    let seen = vault.expect_as(&token, 200, "PUT", "sys/leases/lookup", Some(json!({ "lease_id": id }))).await;
    assert_eq!((&seen["data"]["id"], &seen["data"]["ttl"]), (&json!(id), &json!(600)));
    let refused = vault.expect(400, "PUT", "sys/leases/renew", Some(json!({ "lease_id": id }))).await;
    assert!(refused["errors"][0].as_str().unwrap().contains("tokens cannot be renewed"), "{refused}");
    vault.expect(204, "PUT", "sys/leases/revoke", Some(json!({ "lease_id": id }))).await;
    vault.expect_as(&token, 403, "GET", "auth/token/lookup-self", None).await;
    assert!(listed(&vault, "auth/token/create").await.is_empty());
    vault.expect(204, "PUT", &format!("sys/leases/revoke/{id}"), None).await;
    vault.expect(400, "PUT", "sys/leases/lookup", Some(json!({ "lease_id": id }))).await;
}

#[tokio::test]
async fn a_lease_is_found_by_its_own_name_only() {
    let vault = TestVault::ready().await;
    let token = token(&vault, "10m").await;
    let names = listed(&vault, "auth/token/create").await;
    for wrong in [
        format!("auth/other/{}", names[0]),
        names[0].clone(),
        "x".to_owned(),
        format!("auth/token/create/{}/", names[0]),
    ] {
        vault.expect(400, "PUT", "sys/leases/lookup", Some(json!({ "lease_id": wrong }))).await;
        vault.expect(204, "PUT", "sys/leases/revoke", Some(json!({ "lease_id": wrong }))).await;
    }
    vault.expect_as(&token, 200, "GET", "auth/token/lookup-self", None).await;
}

#[tokio::test]
async fn a_prefix_ends_all_below_it_before_it_is_answered_and_nothing_else() {
    let vault = TestVault::ready().await;
    vault.expect(204, "POST", "auth/token/roles/batch", Some(json!({"path_suffix": "nightly"}))).await;
    let mut below = Vec::new();
    for _ in 0..150 {
        let made = vault.expect(200, "POST", "auth/token/create/batch", Some(json!({"ttl": "1h"}))).await;
        below.push(made["auth"]["client_token"].as_str().unwrap().to_owned());
    }
    let beside = token(&vault, "1h").await;
    vault.expect(400, "PUT", "sys/leases/revoke-prefix/", Some(json!({"prefix": "/"}))).await;
    vault.expect(204, "PUT", "sys/leases/revoke-prefix/auth/token/create/batch", None).await;
    for token in &below {
        vault.expect_as(token, 403, "GET", "auth/token/lookup-self", None).await;
    }
    vault.expect_as(&beside, 200, "GET", "auth/token/lookup-self", None).await;
}

#[tokio::test]
async fn prefixes_and_lists_need_sudo() {
    let vault = TestVault::ready().await;
    let rules = "path \"sys/leases/*\" { capabilities = [\"update\", \"list\"] }";
    let token = vault.token_with("leases", rules).await;
    vault.expect_as(&token, 403, "PUT", "sys/leases/revoke-prefix/auth/token", None).await;
    vault.expect_as(&token, 403, "PUT", "sys/leases/revoke-force/auth/token", None).await;
    vault.expect_as(&token, 403, "LIST", "sys/leases/lookup/auth/token", None).await;
    vault.expect_as(&token, 403, "LIST", "sys/leases/lookup/", None).await;
    let listed = vault.expect(200, "LIST", "sys/leases/lookup/", None).await;
    assert_eq!(listed["data"]["keys"], json!(["auth/"]));
    vault.expect(200, "POST", "auth/token/lookup", Some(json!({ "token": token }))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_in_use_end_with_their_prefix_too() {
    let vault = Arc::new(TestVault::ready().await);
    let mut tokens = Vec::new();
    for _ in 0..20 {
        let body = json!({"ttl": "1h", "num_uses": 10_000, "policies": ["default"]});
        let made = vault.expect(200, "POST", "auth/token/create", Some(body)).await;
        tokens.push(made["auth"]["client_token"].as_str().unwrap().to_owned());
    }
    let users = tokens.iter().map(|token| {
        let (vault, token) = (Arc::clone(&vault), token.clone());
        tokio::spawn(async move {
            for _ in 0..200 {
                if vault.call("GET", "auth/token/lookup-self", &token, None).await.0.as_u16() != 200 {
                    return;
                }
            }
        })
    });
    let users: Vec<_> = users.collect();
    vault.expect(204, "PUT", "sys/leases/revoke-prefix/auth/token/create", None).await;
    for user in users {
        user.await.unwrap();
    }
    for token in &tokens {
        let (status, value): (_, Value) = vault.call("GET", "auth/token/lookup-self", token, None).await;
        assert_eq!(status.as_u16(), 403, "{value}");
    }
}
