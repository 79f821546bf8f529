//! KV version 2.

use std::collections::HashMap;

use serde_json::{Value, json};
use vaultrs::api::kv2::requests::{SetSecretMetadataRequest, SetSecretRequestOptions};
use vaultrs::client::VaultClient;
use vaultrs::kv2;

use crate::vault::{mount, refused, root};

async fn versions(root: &VaultClient, mount: &str, path: &str) {
    for value in ["one", "two", "three"] {
        kv2::set(root, mount, path, &json!({"value": value})).await.unwrap();
    }
}

#[tokio::test]
async fn each_write_makes_a_version() {
    let root = root().await;
    mount(&root, "kv2-write", "2").await;
    let first = kv2::set(&root, "kv2-write", "app/db", &json!({"user": "änna", "port": 5432})).await.unwrap();
    assert_eq!((first.version, first.destroyed, first.deletion_time.as_str()), (1, false, ""));
    assert_eq!(kv2::set(&root, "kv2-write", "app/db", &json!({"user": "berta"})).await.unwrap().version, 2);
    assert_eq!(kv2::read::<Value>(&root, "kv2-write", "app/db").await.unwrap(), json!({"user": "berta"}));
    let old: Value = kv2::read_version(&root, "kv2-write", "app/db", 1).await.unwrap();
    assert_eq!(old, json!({"user": "änna", "port": 5432}));
    refused(kv2::read_version::<Value>(&root, "kv2-write", "app/db", 3).await, 404);
    refused(kv2::read::<Value>(&root, "kv2-write", "nothing").await, 404);
}

#[tokio::test]
async fn check_and_set_refuses_a_stale_writer() {
    let root = root().await;
    mount(&root, "kv2-cas", "2").await;
    let set = async |value: &str, cas: u32| {
        let options = SetSecretRequestOptions { cas };
        kv2::set_with_options(&root, "kv2-cas", "app", &json!({"value": value}), options).await
    };
    assert_eq!(set("1", 0).await.unwrap().version, 1);
    assert!(refused(set("2", 0).await, 400).contains("check-and-set"));
    assert_eq!(set("2", 1).await.unwrap().version, 2);
    assert!(refused(set("3", 1).await, 400).contains("check-and-set"));
    assert_eq!(kv2::read::<Value>(&root, "kv2-cas", "app").await.unwrap(), json!({"value": "2"}));
}

#[tokio::test]
async fn versions_are_deleted_and_brought_back() {
    let root = root().await;
    mount(&root, "kv2-delete", "2").await;
    versions(&root, "kv2-delete", "app").await;
    kv2::delete_latest(&root, "kv2-delete", "app").await.unwrap();
    kv2::delete_versions(&root, "kv2-delete", "app", vec![1]).await.unwrap();
    let seen = kv2::read_metadata(&root, "kv2-delete", "app").await.unwrap().versions;
    let deleted = ["1", "2", "3"].map(|version| !seen[version].deletion_time.is_empty());
    assert_eq!(deleted, [true, false, true]);
    assert!(kv2::read::<Value>(&root, "kv2-delete", "app").await.is_err());

    kv2::undelete_versions(&root, "kv2-delete", "app", vec![1, 3]).await.unwrap();
    assert_eq!(kv2::read::<Value>(&root, "kv2-delete", "app").await.unwrap(), json!({"value": "three"}));
    let first: Value = kv2::read_version(&root, "kv2-delete", "app", 1).await.unwrap();
    assert_eq!(first, json!({"value": "one"}));
}

#[tokio::test]
async fn what_is_destroyed_does_not_come_back() {
    let root = root().await;
    mount(&root, "kv2-destroy", "2").await;
    versions(&root, "kv2-destroy", "app").await;
    kv2::destroy_versions(&root, "kv2-destroy", "app", vec![2]).await.unwrap();
    kv2::undelete_versions(&root, "kv2-destroy", "app", vec![2]).await.unwrap();
    assert!(kv2::read_metadata(&root, "kv2-destroy", "app").await.unwrap().versions["2"].destroyed);
    assert!(kv2::read_version::<Value>(&root, "kv2-destroy", "app", 2).await.is_err());
    let last: Value = kv2::read_version(&root, "kv2-destroy", "app", 3).await.unwrap();
    assert_eq!(last, json!({"value": "three"}));
}

#[tokio::test]
async fn metadata_is_set_read_and_deleted() {
    let root = root().await;
    mount(&root, "kv2-metadata", "2").await;
    let owner = HashMap::from([("owner".to_owned(), "anna".to_owned())]);
    let mut settings = SetSecretMetadataRequest::builder();
    settings.max_versions(2u64).cas_required(false).delete_version_after("1h0m0s").custom_metadata(owner.clone());
    kv2::set_metadata(&root, "kv2-metadata", "app", Some(&mut settings)).await.unwrap();
    versions(&root, "kv2-metadata", "app").await;

    let read = kv2::read_metadata(&root, "kv2-metadata", "app").await.unwrap();
    assert_eq!((read.max_versions, read.current_version, read.oldest_version), (2, 3, 2));
    assert_eq!((read.cas_required, read.delete_version_after.as_str()), (false, "1h0m0s"));
    assert_eq!(read.custom_metadata, Some(owner));
    assert_eq!(read.versions.len(), 2);
    kv2::delete_metadata(&root, "kv2-metadata", "app").await.unwrap();
    refused(kv2::read_metadata(&root, "kv2-metadata", "app").await, 404);
    refused(kv2::read::<Value>(&root, "kv2-metadata", "app").await, 404);
}

#[tokio::test]
async fn a_listing_shows_secrets_and_folders() {
    let root = root().await;
    mount(&root, "kv2-list", "2").await;
    for path in ["one", "two", "folder/three"] {
        kv2::set(&root, "kv2-list", path, &json!({"a": "b"})).await.unwrap();
    }
    assert_eq!(kv2::list(&root, "kv2-list", "").await.unwrap(), ["folder/", "one", "two"]);
    assert_eq!(kv2::list(&root, "kv2-list", "folder").await.unwrap(), ["three"]);
    refused(kv2::list(&root, "kv2-list", "nothing").await, 404);
}

#[tokio::test]
async fn the_engine_has_settings() {
    let root = root().await;
    mount(&root, "kv2-settings", "2").await;
    let mut settings = vaultrs::api::kv2::requests::SetConfigurationRequest::builder();
    settings.max_versions(4u64).cas_required(true).delete_version_after("2h0m0s");
    kv2::config::set(&root, "kv2-settings", Some(&mut settings)).await.unwrap();
    let read = kv2::config::read(&root, "kv2-settings").await.unwrap();
    assert_eq!((read.max_versions, read.cas_required, read.delete_version_after.as_str()), (4, true, "2h0m0s"));
    let refusal = refused(kv2::set(&root, "kv2-settings", "app", &json!({"a": "b"})).await, 400);
    assert!(refusal.contains("check-and-set"), "{refusal}");
}
