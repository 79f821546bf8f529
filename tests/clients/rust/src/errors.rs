//! What is refused, and how.

use serde_json::{Value, json};
use vaultrs::client::Client;
use vaultrs::{kv1, kv2};

use crate::vault::{client, mount, refused, root};

#[tokio::test]
async fn strangers_are_refused() {
    mount(&root().await, "errors-kv", "2").await;
    refused(kv2::read::<Value>(&client(""), "errors-kv", "a").await, 403);
    let unknown = client("hvs.not-a-token");
    assert!(refused(kv2::read::<Value>(&unknown, "errors-kv", "a").await, 403).contains("permission denied"));
    refused(unknown.lookup().await, 403);
}

#[tokio::test]
async fn what_is_not_there_is_missing() {
    let root = root().await;
    refused(kv1::get_raw(&root, "nowhere", "a").await, 404);
    refused(kv1::set(&root, "nowhere", "a", &[("a", "b")].into()).await, 404);
}

#[tokio::test]
async fn a_secret_that_is_no_object_is_refused() {
    let root = root().await;
    mount(&root, "errors-shape", "2").await;
    refused(kv2::set(&root, "errors-shape", "a", &json!("text")).await, 400);
}
