//! Mounts of secrets engines.

use std::collections::HashMap;

use vaultrs::api::sys::requests::{EnableEngineDataConfigBuilder, EnableEngineRequest};
use vaultrs::kv1;
use vaultrs::sys::{auth, mount};

use crate::vault::{mount as mount_kv, refused, root};

#[tokio::test]
async fn an_engine_is_enabled_shown_and_disabled() {
    let root = root().await;
    let config = EnableEngineDataConfigBuilder::default().default_lease_ttl("1h").max_lease_ttl("2h").build().unwrap();
    let mut options = EnableEngineRequest::builder();
    options.description("of team a").config(config).options(HashMap::from([("version".to_owned(), "2".to_owned())]));
    mount::enable(&root, "team/a", "kv", Some(&mut options)).await.unwrap();

    let listed = mount::list(&root).await.unwrap();
    assert!(listed.contains_key("sys/") && listed.contains_key("cubbyhole/"));
    let found = &listed["team/a/"];
    assert_eq!((found.mount_type.as_str(), found.description.as_str()), ("kv", "of team a"));
    assert_eq!(found.options.as_ref().unwrap()["version"], "2");
    assert_eq!((found.config.default_lease_ttl, found.config.max_lease_ttl), (3600, 7200));
    let one = mount::get_configuration_of_a_secret_engine(&root, "team/a").await.unwrap();
    assert_eq!((one.accessor, one.uuid), (found.accessor.clone(), found.uuid.clone()));

    mount::disable(&root, "team/a").await.unwrap();
    assert!(!mount::list(&root).await.unwrap().contains_key("team/a/"));
}

#[tokio::test]
async fn what_is_disabled_is_gone() {
    let root = root().await;
    mount_kv(&root, "gone", "1").await;
    kv1::set(&root, "gone", "a", &HashMap::from([("b", "c")])).await.unwrap();
    mount::disable(&root, "gone").await.unwrap();
    refused(kv1::get_raw(&root, "gone", "a").await, 404);
    mount_kv(&root, "gone", "1").await;
    refused(kv1::get_raw(&root, "gone", "a").await, 404);
}

#[tokio::test]
async fn paths_in_use_and_unknown_engines_are_refused() {
    let root = root().await;
    mount_kv(&root, "taken", "1").await;
    for path in ["taken", "taken/below", "sys"] {
        refused(mount::enable(&root, path, "kv", None).await, 400);
    }
    refused(mount::enable(&root, "other", "no-such-engine", None).await, 400);
}

#[tokio::test]
async fn the_token_method_is_listed() {
    let listed = auth::list(&root().await).await.unwrap();
    assert_eq!(listed["token/"].mount_type, "token");
}
