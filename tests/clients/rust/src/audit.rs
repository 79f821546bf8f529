//! Audit devices, rate limits and tools: the client has a function only for random bytes.

use rustify::enums::RequestMethod::{DELETE, GET, LIST, POST};
use serde_json::{Value, json};
use vaultrs::api::sys::requests::RandomRequest;
use vaultrs::sys::tools;

use crate::vault::{raw, raw_data, refused, root};

#[tokio::test]
async fn a_device_follows_the_log() {
    let root = root().await;
    raw(&root, POST, "sys/audit/copy", json!({"type": "file", "options": {"file_path": "copy.jsonl"}})).await;
    let devices = raw_data(&root, GET, "sys/audit", Value::Null).await.unwrap();
    assert_eq!(devices["copy/"]["type"], "file");
    let told = raw_data(&root, POST, "sys/audit-hash/copy", json!({"input": "needle"})).await.unwrap();
    assert!(told["hash"].as_str().unwrap().starts_with("hmac-sha256:"), "{told}");
    raw(&root, DELETE, "sys/audit/copy", Value::Null).await;
    assert_eq!(raw_data(&root, GET, "sys/audit", Value::Null).await.unwrap().get("copy/"), None);
    let elsewhere = json!({"type": "file", "options": {"file_path": "/etc/bad"}});
    refused(raw_data(&root, POST, "sys/audit/bad", elsewhere).await, 400);
}

#[tokio::test]
async fn a_rate_limit_is_kept() {
    let root = root().await;
    raw(&root, POST, "sys/quotas/rate-limit/all", json!({"path": "nowhere", "rate": 1000})).await;
    let listed = raw_data(&root, LIST, "sys/quotas/rate-limit", Value::Null).await.unwrap();
    assert_eq!(listed["keys"], json!(["all"]));
    let read = raw_data(&root, GET, "sys/quotas/rate-limit/all", Value::Null).await.unwrap();
    assert_eq!((read["rate"].as_f64(), read["path"].as_str()), (Some(1000.0), Some("nowhere")));
    raw(&root, DELETE, "sys/quotas/rate-limit/all", Value::Null).await;
    refused(raw_data(&root, GET, "sys/quotas/rate-limit/all", Value::Null).await, 404);
}

#[tokio::test]
async fn tools_hash_and_draw() {
    let root = root().await;
    let sum = raw_data(&root, POST, "sys/tools/hash/sha2-256", json!({"input": "YWJj"})).await.unwrap();
    assert_eq!(sum["sum"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let one = tools::random(&root, Some(RandomRequest::builder().format("hex"))).await.unwrap();
    let other = tools::random(&root, Some(RandomRequest::builder().format("hex"))).await.unwrap();
    assert_eq!(one.random_bytes.len(), 64);
    assert_ne!(one.random_bytes, other.random_bytes);
}
