//! What the log shows to everybody: receipts of releases, and that it only grows.

use axum::body::Body;
use axum::extract::ConnectInfo;
use data_encoding::BASE64;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use vault_log::checkpoint::CheckpointKey;
use vault_log::proof::{Growth, Receipt};

use crate::house::{House, ONE};
use crate::support::TestVault;

async fn key(vault: &TestVault) -> CheckpointKey {
    let custody = vault.expect_as("", 200, "GET", "sys/custody", None).await;
    CheckpointKey::parse(custody["audit_key"].as_str().unwrap()).unwrap()
}

async fn grown(vault: &TestVault, from: u64) -> (String, Growth) {
    let found = vault.expect_as("", 200, "GET", &format!("sys/audit-log/checkpoint?from={from}"), None).await;
    let growth: Vec<&str> = found["growth"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap()).collect();
    (found["checkpoint"].as_str().unwrap().to_owned(), Growth::parse(growth).unwrap())
}

/// Makes a request and gives the receipt that comes with its answer.
async fn receipt(vault: &TestVault, token: &str, method: &str, path: &str) -> Option<Receipt> {
    let remote: std::net::SocketAddr = "127.0.0.1:50000".parse().unwrap();
    let request = Request::builder().method(method).uri(format!("/v1/{path}")).header("x-vault-token", token);
    let request = request.extension(ConnectInfo(remote)).body(Body::empty()).unwrap();
    let response = vault.app.clone().oneshot(request).await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.status());
    let header = response.headers().get("x-keyturn-receipt").map(|value| value.as_bytes().to_vec());
    response.into_body().collect().await.unwrap();
    let text = String::from_utf8(BASE64.decode(&header?).unwrap()).unwrap();
    Some(Receipt::parse(&text).unwrap())
}

#[tokio::test]
async fn a_release_has_a_receipt_that_verifies_without_the_vault() {
    let house = House::new(ONE).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let key = key(&house.vault).await;
    let mut last = None;
    for _ in 0..3 {
        let (wrapping, accessor) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
        house.authorize(&ben, 200, &accessor).await;
        let receipt = receipt(&house.vault, &wrapping, "POST", "sys/wrapping/unwrap").await.unwrap();
        let checkpoint = receipt.verify(&key).unwrap();
        let text = std::fs::read_to_string(&house.vault.audit_path).unwrap();
        let line = text.lines().nth(usize::try_from(receipt.index).unwrap()).unwrap();
        let record: Value = serde_json::from_str(line).unwrap();
        assert!(receipt.is_for(line.as_bytes()));
        assert_eq!(record["grant"]["request"], json!(accessor), "the record is that of the release: {record}");
        if let Some(before) = last.replace(checkpoint.clone()) {
            let (note, growth) = grown(&house.vault, before.size).await;
            growth.verify(&before, &key.verify(&note).unwrap()).unwrap();
        }
        // The same is told later, to anybody.
        let path = format!("sys/audit-log/receipt?record={}", receipt.index);
        let later = house.vault.expect_as("", 200, "GET", &path, None).await;
        let later = Receipt::parse(later["receipt"].as_str().unwrap()).unwrap();
        assert_eq!((later.index, later.leaf), (receipt.index, receipt.leaf));
        later.verify(&key).unwrap();
    }
    let login = receipt(&house.vault, &ann, "GET", "auth/token/lookup-self").await;
    assert_eq!(login, None, "what needs nobody else has no receipt");
}

#[tokio::test]
async fn the_log_shows_that_it_grows_also_while_the_vault_is_sealed() {
    let vault = TestVault::ready().await;
    let key = key(&vault).await;
    vault.expect(204, "PUT", "sys/seal", None).await;
    let (first, _) = grown(&vault, 0).await;
    let first = key.verify(&first).unwrap();
    vault.unseal().await;
    for _ in 0..300 {
        vault.expect(200, "GET", "sys/mounts", None).await;
    }
    vault.expect(204, "PUT", "sys/seal", None).await;
    let (second, growth) = grown(&vault, first.size).await;
    let second = key.verify(&second).unwrap();
    assert!(second.size > first.size + 300);
    growth.verify(&first, &second).unwrap();
    // Asked from beyond its end it tells how long it is, and proves nothing.
    let (note, growth) = grown(&vault, second.size + 1).await;
    assert_eq!((key.verify(&note).unwrap(), growth), (second.clone(), Growth::default()));
    for (status, path) in [
        (400, "sys/audit-log/checkpoint?from=x".to_owned()),
        (400, "sys/audit-log/receipt".to_owned()),
        (400, "sys/audit-log/receipt?record=-1".to_owned()),
        (404, format!("sys/audit-log/receipt?record={}", second.size)),
        (404, format!("sys/audit-log/receipt?record={}", u64::MAX)),
    ] {
        vault.expect_as("", status, "GET", &path, None).await;
    }
    vault.expect_as("", 405, "POST", "sys/audit-log/checkpoint", None).await;
}
