//! Snapshots of the whole vault: the client has no functions for them, but carries bytes.

use std::collections::HashMap;

use rustify::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use serde_json::Value;
use vaultrs::client::{Client, VaultClient};
use vaultrs::sys::{self, ServerStatus};
use vaultrs::{api, kv1};

use crate::vault::{client, mount, refused, root, vault};

/// Saves the vault when it carries no archive, and restores one otherwise.
struct Snapshot(Option<Vec<u8>>);

impl Endpoint for Snapshot {
    type Response = Value;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        "sys/storage/raft/snapshot".to_owned()
    }

    fn method(&self) -> RequestMethod {
        if self.0.is_some() { RequestMethod::POST } else { RequestMethod::GET }
    }

    fn body(&self) -> Result<Option<Vec<u8>>, rustify::errors::ClientError> {
        Ok(self.0.clone())
    }
}

async fn save(root: &VaultClient) -> Vec<u8> {
    let answer = Snapshot(None).with_middleware(root.middle()).exec(root.http()).await.unwrap();
    answer.response.body().clone()
}

async fn value(root: &VaultClient, path: &str) -> String {
    kv1::get::<HashMap<String, String>>(root, "snapshots", path).await.unwrap()["x"].clone()
}

#[tokio::test]
async fn a_snapshot_puts_everything_back() {
    let root = root().await;
    mount(&root, "snapshots", "1").await;
    kv1::set(&root, "snapshots", "old", &HashMap::from([("x", "1")])).await.unwrap();
    let archive = save(&root).await;
    kv1::set(&root, "snapshots", "old", &HashMap::from([("x", "2")])).await.unwrap();
    kv1::set(&root, "snapshots", "new", &HashMap::from([("x", "2")])).await.unwrap();

    let mut altered = archive.clone();
    altered[archive.len() / 2] ^= 1;
    refused(api::exec_with_empty(&root, Snapshot(Some(altered))).await, 400);
    assert_eq!(value(&root, "old").await, "2");

    api::exec_with_empty(&root, Snapshot(Some(archive))).await.unwrap();
    let stranger = client("");
    assert!(matches!(sys::status(&stranger).await.unwrap(), ServerStatus::SEALED));
    for key in &vault().await.answer.keys[1..] {
        sys::unseal(&stranger, Some(key.clone()), None, None).await.unwrap();
    }
    assert_eq!(value(&root, "old").await, "1");
    refused(kv1::get::<Value>(&root, "snapshots", "new").await, 404);
    sys::mount::disable(&root, "snapshots").await.unwrap();
}
