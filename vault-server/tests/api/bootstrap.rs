//! A vault made as stock clients make it comes under a charter, and into service.

use std::sync::Arc;

use serde_json::{Value, json};
use vault_server::storage::memory::MemoryStorage;

use crate::custody::{People, RULES, charter_of, error, handout, known, proof, question, unseal};
use crate::support::TestVault;

async fn begin(vault: &TestVault, people: &People) -> Value {
    vault.expect_as("", 200, "POST", "sys/custody/bootstrap", Some(handout(&people.first()))).await
}

async fn agree(vault: &TestVault, share: usize, nonce: &Value) -> Value {
    let given = json!({"key": vault.keys[share], "nonce": nonce});
    vault.expect_as("", 200, "POST", "sys/custody/bootstrap/update", Some(given)).await
}

/// Has everybody acknowledge what was handed out.
async fn acknowledge(vault: &TestVault, people: &People, made: &Value) {
    let digest = charter_of(&people.first()).digest();
    for (position, name) in ["alice", "bob", "carol", "dan", "erin"].iter().enumerate() {
        let mine = people.open(name, &made["sealed_shares"][position]);
        let sent = proof(&question(vault).await, &mine, Some(&digest));
        vault.expect_as("", 200, "POST", "sys/custody/acknowledge", Some(sent)).await;
    }
}

/// Brings a vault in bootstrap into service.
pub(crate) async fn into_service(vault: &TestVault, people: &People) {
    let begun = begin(vault, people).await;
    agree(vault, 0, &begun["nonce"]).await;
    let made = agree(vault, 1, &begun["nonce"]).await["handed_out"].take();
    acknowledge(vault, people, &made).await;
}

#[tokio::test]
async fn root_works_until_every_custodian_holds_their_share_and_then_no_more() {
    let (vault, people) = (TestVault::ready().await, People::new());
    let child = vault.expect(200, "POST", "auth/token/create", Some(json!({"policies": ["default"]}))).await;
    let child = child["auth"]["client_token"].as_str().unwrap().to_owned();
    let policy = "path \"kv/*\" { capabilities = [\"read\", \"update\", \"create\"] }";
    vault.expect(204, "PUT", "sys/policies/acl/app", Some(json!({ "policy": policy }))).await;
    let orphan = json!({"policies": ["app"], "no_parent": true});
    let orphan = vault.expect(200, "POST", "auth/token/create", Some(orphan)).await;
    let orphan = orphan["auth"]["client_token"].as_str().unwrap().to_owned();

    let digest = charter_of(&people.first()).digest().to_string();
    let begun = begin(&vault, &people).await;
    assert_eq!((&begun["charter"], &begun["required"]), (&json!(digest), &json!(2)));
    let more = agree(&vault, 0, &begun["nonce"]).await;
    assert_eq!((&more["progress"], more.get("handed_out")), (&json!(1), None));
    let made = agree(&vault, 2, &begun["nonce"]).await["handed_out"].take();
    assert!(!made.to_string().contains("keyturn-share"));
    let pending = known(&vault, &people, "alice").await["pending"].take();
    assert_eq!((&pending["epoch"], &pending["charter"]["digest"]), (&json!(2), &json!(digest)));
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    assert_eq!(vault.expect(200, "GET", "sys/custody", None).await["shares_in_clear"], json!(true));

    acknowledge(&vault, &people, &made).await;
    let seen = vault.expect_as("", 200, "GET", "sys/custody", None).await;
    assert_eq!((&seen["shares_in_clear"], &seen["charter"]["digest"]), (&json!(false), &json!(digest)));
    for token in [&vault.root, &child] {
        vault.expect_as(token, 403, "GET", "auth/token/lookup-self", None).await;
        vault.expect_as(token, 403, "PUT", "kv/a", Some(json!({"x": "2"}))).await;
    }
    assert_eq!(vault.expect_as(&orphan, 200, "GET", "kv/a", None).await["data"], json!({"x": "1"}));
    let begin_again = vault.expect_as("", 400, "POST", "sys/custody/bootstrap", Some(handout(&people.first()))).await;
    assert!(error(&begin_again).contains("charter"), "{begin_again}");
}

#[tokio::test]
async fn a_bootstrap_needs_a_signed_charter_and_a_quorum_of_the_present_shares() {
    let (vault, people) = (TestVault::ready().await, People::new());
    let unsigned = handout(&people.charter(None, &["alice", "bob", "carol", "dan", "erin"], RULES, &["alice"]));
    let refused = vault.expect_as("", 400, "POST", "sys/custody/bootstrap", Some(unsigned)).await;
    assert!(error(&refused).contains("signatures are missing"), "{refused}");
    let begun = begin(&vault, &people).await;
    for (key, nonce, why) in [
        ("keyturn-share-1-mistyped", begun["nonce"].as_str().unwrap(), "mistyped"),
        (vault.keys[0].as_str(), "00000000-0000-0000-0000-000000000000", "no attempt"),
    ] {
        let given = json!({"key": key, "nonce": nonce});
        let refused = vault.expect_as("", 400, "POST", "sys/custody/bootstrap/update", Some(given)).await;
        assert!(error(&refused).contains(why), "{why}: {refused}");
    }
    // Attempts at the same charter run side by side; a share counts for the one that it names.
    let second = begin(&vault, &people).await;
    agree(&vault, 0, &begun["nonce"]).await;
    assert_eq!(agree(&vault, 0, &second["nonce"]).await["progress"], json!(1));
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.expect_as("", 503, "GET", "sys/custody/bootstrap", None).await;
    vault.unseal().await;
    assert_eq!(vault.expect_as("", 200, "GET", "sys/custody/bootstrap", None).await["nonce"], json!(""));
}

#[tokio::test]
async fn the_old_shares_open_until_the_new_ones_do() {
    let (storage, people) = (Arc::new(MemoryStorage::default()), People::new());
    let vault = TestVault::over(storage.clone()).await.furnished().await;
    let begun = begin(&vault, &people).await;
    agree(&vault, 0, &begun["nonce"]).await;
    let made = agree(&vault, 1, &begun["nonce"]).await["handed_out"].take();
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.unseal().await;
    acknowledge(&vault, &people, &made).await;

    let again = TestVault::over(storage).await;
    let stale = again.expect_as("", 400, "PUT", "sys/unseal", Some(json!({"key": vault.keys[0]}))).await;
    assert!(error(&stale).contains("epoch 1 ended on"), "{stale}");
    unseal(&again, &people, &["alice", "bob", "erin"]).await;
}
