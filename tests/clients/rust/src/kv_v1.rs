//! KV version 1.

use std::collections::HashMap;

use serde_json::json;
use vaultrs::kv1;

use crate::vault::{mount, refused, root};

#[tokio::test]
async fn a_secret_is_written_read_replaced_and_deleted() {
    let root = root().await;
    mount(&root, "kv1-round", "1").await;
    let first = HashMap::from([("user", json!("änna")), ("port", json!(5432))]);
    kv1::set(&root, "kv1-round", "app/db", &first).await.unwrap();
    let read: HashMap<String, serde_json::Value> = kv1::get(&root, "kv1-round", "app/db").await.unwrap();
    assert_eq!(read, HashMap::from([("user".to_owned(), json!("änna")), ("port".to_owned(), json!(5432))]));

    kv1::set(&root, "kv1-round", "app/db", &HashMap::from([("user", "berta")])).await.unwrap();
    let raw = kv1::get_raw(&root, "kv1-round", "app/db").await.unwrap();
    assert_eq!(raw.data, json!({"user": "berta"}));
    assert!(!raw.request_id.is_empty());
    assert!(!raw.renewable);

    kv1::delete(&root, "kv1-round", "app/db").await.unwrap();
    refused(kv1::get_raw(&root, "kv1-round", "app/db").await, 404);
}

#[tokio::test]
async fn a_listing_shows_secrets_and_folders() {
    let root = root().await;
    mount(&root, "kv1-list", "1").await;
    for path in ["one", "two", "folder/three"] {
        kv1::set(&root, "kv1-list", path, &HashMap::from([("a", "b")])).await.unwrap();
    }
    assert_eq!(kv1::list(&root, "kv1-list", "").await.unwrap().data.keys, ["folder/", "one", "two"]);
    assert_eq!(kv1::list(&root, "kv1-list", "folder").await.unwrap().data.keys, ["three"]);
    refused(kv1::list(&root, "kv1-list", "nothing").await, 404);
}
