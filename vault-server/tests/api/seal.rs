//! Init, unseal, seal and what is said about them.

use serde_json::json;

use crate::support::TestVault;

#[tokio::test]
async fn health_has_a_code_for_each_state() {
    let mut vault = TestVault::blank().await;
    let health = vault.expect(501, "GET", "sys/health", None).await;
    assert_eq!(health["initialized"], json!(false));
    vault.expect(299, "GET", "sys/health?uninitcode=299", None).await;
    vault.initialise(3, 2).await;
    vault.expect(503, "GET", "sys/health", None).await;
    vault.expect(200, "GET", "sys/health?sealedcode=200&standbyok=true", None).await;
    vault.unseal().await;
    let health = vault.expect(200, "GET", "sys/health", None).await;
    assert_eq!(health["sealed"], json!(false));
    assert_eq!(health["standby"], json!(false));
    vault.expect(204, "HEAD", "sys/health?activecode=204", None).await;
    for bad in ["0", "99", "600", "abc", "-1", ""] {
        vault.expect(400, "GET", &format!("sys/health?activecode={bad}"), None).await;
    }
}

#[tokio::test]
async fn a_vault_is_initialised_once() {
    let mut vault = TestVault::blank().await;
    assert_eq!(vault.expect(200, "GET", "sys/init", None).await["initialized"], json!(false));
    vault.initialise(5, 3).await;
    assert_eq!(vault.expect(200, "GET", "sys/init", None).await["initialized"], json!(true));
    let again = vault.expect(400, "PUT", "sys/init", Some(json!({"secret_shares": 1, "secret_threshold": 1}))).await;
    assert_eq!(again["errors"][0], json!("Vault is already initialized"));
}

#[tokio::test]
async fn init_refuses_what_makes_no_sense() {
    let vault = TestVault::blank().await;
    let bad = [
        json!({}),
        json!({"secret_shares": 0, "secret_threshold": 0}),
        json!({"secret_shares": 3, "secret_threshold": 0}),
        json!({"secret_shares": 3, "secret_threshold": 4}),
        json!({"secret_shares": 3, "secret_threshold": 1}),
        json!({"secret_shares": 256, "secret_threshold": 2}),
        json!({"secret_shares": -1, "secret_threshold": 2}),
        json!({"secret_shares": 3, "secret_threshold": 2, "pgp_keys": ["a", "b", "c"]}),
        json!({"secret_shares": 3, "secret_threshold": 2, "root_token_pgp_key": "a"}),
        json!({"secret_shares": 3, "secret_threshold": 2, "recovery_shares": 5}),
    ];
    for body in bad {
        vault.expect(400, "PUT", "sys/init", Some(body)).await;
    }
    assert_eq!(vault.expect(200, "GET", "sys/init", None).await["initialized"], json!(false));
}

#[tokio::test]
async fn shares_unseal_one_by_one_and_bad_ones_are_named() {
    let mut vault = TestVault::blank().await;
    vault.initialise(5, 3).await;
    let give = async |key: &str, status| vault.expect(status, "PUT", "sys/unseal", Some(json!({ "key": key }))).await;
    let first = give(&vault.keys[0], 200).await;
    assert_eq!((&first["progress"], &first["t"], &first["n"]), (&json!(1), &json!(3), &json!(5)));
    let again = give(&vault.keys[0], 400).await;
    assert!(again["errors"][0].as_str().unwrap().contains("already"), "{again}");
    let mut mistyped = vault.keys[1].clone();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == '0' { '1' } else { '0' });
    let refused = give(&mistyped, 400).await;
    assert!(refused["errors"][0].as_str().unwrap().contains("mistyped"), "{refused}");
    give("not a share", 400).await;
    give("", 400).await;
    assert_eq!(vault.expect(200, "GET", "sys/seal-status", None).await["progress"], json!(1));
    give(&vault.keys[3], 200).await;
    assert_eq!(give(&vault.keys[4], 200).await["sealed"], json!(false));
    assert_eq!(give(&vault.keys[4], 200).await["sealed"], json!(false), "one share more does no harm");
}

#[tokio::test]
async fn a_share_of_another_vault_is_named() {
    let mut ours = TestVault::blank().await;
    ours.initialise(3, 2).await;
    let mut theirs = TestVault::blank().await;
    // The same seed gives the same vault; drawing once more makes theirs another one.
    theirs.expect(501, "GET", "sys/health", None).await;
    theirs.initialise(3, 2).await;
    assert_ne!(ours.keys, theirs.keys);
    let refused = ours.expect(400, "PUT", "sys/unseal", Some(json!({"key": theirs.keys[0]}))).await;
    assert!(refused["errors"][0].as_str().unwrap().contains("another vault"), "{refused}");
}

#[tokio::test]
async fn an_attempt_can_be_reset_and_times_out() {
    let mut vault = TestVault::blank().await;
    vault.initialise(3, 2).await;
    let key = json!({"key": vault.keys[0]});
    assert_eq!(vault.expect(200, "PUT", "sys/unseal", Some(key.clone())).await["progress"], json!(1));
    assert_eq!(vault.expect(200, "PUT", "sys/unseal", Some(json!({"reset": true}))).await["progress"], json!(0));
    assert_eq!(vault.expect(200, "PUT", "sys/unseal", Some(key)).await["progress"], json!(1));
    vault.clock.advance_seconds(601);
    assert_eq!(vault.expect(200, "GET", "sys/seal-status", None).await["progress"], json!(0));
}

#[tokio::test]
async fn sealed_serves_nothing_and_unsealing_brings_it_all_back() {
    let vault = TestVault::ready().await;
    vault.expect(200, "PUT", "secret/data/a", Some(json!({"data": {"x": 1}}))).await;
    vault.expect(204, "PUT", "sys/seal", None).await;
    for path in ["secret/data/a", "sys/mounts", "auth/token/lookup-self"] {
        let refused = vault.expect(503, "GET", path, None).await;
        assert_eq!(refused["errors"][0], json!("Vault is sealed"));
    }
    vault.expect(503, "GET", "sys/leader", None).await;
    vault.unseal().await;
    assert_eq!(vault.expect(200, "GET", "secret/data/a", None).await["data"]["data"], json!({"x": 1}));
    assert_eq!(vault.expect(200, "GET", "sys/leader", None).await["is_self"], json!(true));
}

#[tokio::test]
async fn only_the_permitted_seal() {
    let vault = TestVault::ready().await;
    vault.expect_as("", 403, "PUT", "sys/seal", None).await;
    let token = vault.token_with("almost", "path \"sys/seal\" { capabilities = [\"update\"] }").await;
    vault.expect_as(&token, 403, "PUT", "sys/seal", None).await;
    let token = vault.token_with("sealer", "path \"sys/seal\" { capabilities = [\"update\", \"sudo\"] }").await;
    vault.expect_as(&token, 204, "PUT", "sys/seal", None).await;
    assert_eq!(vault.expect(200, "GET", "sys/seal-status", None).await["sealed"], json!(true));
}

#[tokio::test]
async fn custodians_are_told_which_vault_it_is_and_who_has_come() {
    let mut vault = TestVault::blank().await;
    vault.expect(400, "GET", "sys/custody", None).await;
    vault.initialise(5, 3).await;
    let sealed = vault.expect(200, "GET", "sys/custody", None).await;
    assert_eq!((&sealed["epoch"], &sealed["threshold"], &sealed["shares"]), (&json!(1), &json!(3), &json!(5)));
    assert_eq!((&sealed["sealed"], &sealed["attempt"]), (&json!(true), &json!(null)));
    assert!(sealed["vault"].as_str().unwrap().replace('-', "").starts_with(sealed["fingerprint"].as_str().unwrap()));

    for share in vault.keys.iter().take(2).rev() {
        vault.expect(200, "PUT", "sys/unseal", Some(json!({ "key": share }))).await;
    }
    let collecting = vault.expect(200, "GET", "sys/custody", None).await;
    assert_eq!(collecting["attempt"]["given"], json!([2, 1]));
    assert_eq!(collecting["attempt"]["nonce"].as_str().unwrap().len(), 36);
    assert_eq!(collecting["revision"], sealed["revision"], "shares leave no trace in the store");

    vault.expect(200, "PUT", "sys/unseal", Some(json!({ "reset": true }))).await;
    vault.unseal().await;
    vault.expect(204, "POST", "sys/policies/acl/a", Some(json!({"policy": "path \"a\" {}"}))).await;
    let later = vault.expect(200, "GET", "sys/custody", None).await;
    assert!(later["revision"].as_u64() > sealed["revision"].as_u64(), "{later}");
    vault.expect(405, "POST", "sys/custody", Some(json!({}))).await;
}
