//! Init, unseal, seal and health.

use vaultrs::sys::{self, ServerStatus};

use crate::vault::{SHARES, THRESHOLD, client, refused, root, vault};

#[tokio::test]
async fn init_hands_out_shares_and_a_root_token() {
    let seen = vault().await;
    assert!(matches!(seen.status_before, ServerStatus::UNINITIALIZED), "{:?}", seen.status_before);
    assert_eq!(seen.answer.keys.len() as u64, SHARES);
    assert_eq!(seen.answer.keys_base64.len() as u64, SHARES);
    assert!(!seen.answer.root_token.is_empty());
    refused(sys::start_initialization(&client(""), 1, 1, None).await, 400);
}

#[tokio::test]
async fn unsealing_shows_its_progress() {
    let seen = vault().await;
    assert!(matches!(seen.status_sealed, ServerStatus::SEALED), "{:?}", seen.status_sealed);
    let [first, last] = &seen.unsealing[..] else { panic!("{:?}", seen.unsealing) };
    assert_eq!((first.sealed, first.progress), (true, 1));
    assert_eq!((first.threshold, first.n_shares), (THRESHOLD, SHARES));
    assert!(!last.sealed);
    assert!(last.cluster_id.is_some());
}

#[tokio::test]
async fn the_health_of_an_open_vault() {
    vault().await;
    let health = sys::health(&client("")).await.unwrap();
    assert!(health.initialized);
    assert!(!health.sealed);
    assert!(!health.standby);
    assert!(!health.version.is_empty());
    assert!(matches!(sys::status(&client("")).await.unwrap(), ServerStatus::OK));
}

#[tokio::test]
async fn a_sealed_vault_serves_nothing_until_enough_shares_come() {
    let (root, keys) = (root().await, &vault().await.answer.keys_base64);
    sys::seal(&root).await.unwrap();
    let stranger = client("");
    assert!(matches!(sys::status(&stranger).await.unwrap(), ServerStatus::SEALED));
    refused(sys::mount::list(&root).await, 503);

    let unseal = async |key: &str| sys::unseal(&stranger, Some(key.to_owned()), None, None).await;
    assert_eq!(unseal(&keys[2]).await.unwrap().progress, 1);
    refused(unseal(&"00".repeat(33)).await, 400);
    assert_eq!(sys::unseal(&stranger, None, Some(true), None).await.unwrap().progress, 0);
    assert!(unseal(&keys[1]).await.unwrap().sealed);
    assert!(!unseal(&keys[2]).await.unwrap().sealed);
    sys::mount::list(&root).await.unwrap();
}
