//! The transit engine over HTTP: what stock clients send, and what they get.

use serde_json::{Value, json};

use crate::support::TestVault;

async fn vault() -> TestVault {
    let vault = TestVault::ready().await;
    vault.expect(204, "POST", "sys/mounts/transit", Some(json!({"type": "transit"}))).await;
    vault
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_text_goes_round_and_rotation_keeps_it_readable() {
    let vault = vault().await;
    let made = vault.expect(200, "POST", "transit/keys/app", Some(Value::Null)).await;
    assert_eq!((&made["data"]["type"], &made["data"]["supports_encryption"]), (&json!("aes256-gcm96"), &json!(true)));
    let body = json!({"plaintext": "dGV4dA=="});
    let sealed = vault.expect(200, "PUT", "transit/encrypt/app", Some(body)).await;
    let ciphertext = text(&sealed["data"]["ciphertext"]);
    assert!(ciphertext.starts_with("vault:v1:"));
    assert_eq!(sealed["data"]["key_version"], 1);
    vault.expect(200, "POST", "transit/keys/app/rotate", None).await;
    let opened = vault.expect(200, "POST", "transit/decrypt/app", Some(json!({ "ciphertext": ciphertext }))).await;
    assert_eq!(opened["data"], json!({"plaintext": "dGV4dA=="}));
    let again = vault.expect(200, "POST", "transit/rewrap/app", Some(json!({ "ciphertext": ciphertext }))).await;
    assert!(text(&again["data"]["ciphertext"]).starts_with("vault:v2:"));
    let listed = vault.expect(200, "LIST", "transit/keys", None).await;
    assert_eq!(listed["data"]["keys"], json!(["app"]));
    vault.expect(404, "GET", "transit/keys/none", None).await;
    vault.expect(400, "POST", "transit/decrypt/none", Some(json!({ "ciphertext": ciphertext }))).await;
    vault.expect(400, "DELETE", "transit/keys/app", None).await;
    vault.expect(200, "POST", "transit/keys/app/config", Some(json!({"deletion_allowed": true}))).await;
    vault.expect(204, "DELETE", "transit/keys/app", None).await;
}

#[tokio::test]
async fn only_who_may_create_makes_a_key_by_encrypting() {
    let vault = vault().await;
    let update = vault.token_with("u", "path \"transit/encrypt/*\" { capabilities = [\"update\"] }").await;
    let create = vault.token_with("c", "path \"transit/encrypt/*\" { capabilities = [\"create\", \"update\"] }").await;
    let body = || Some(json!({"plaintext": "dGV4dA=="}));
    vault.expect_as(&update, 403, "POST", "transit/encrypt/app", body()).await;
    vault.expect_as(&create, 200, "POST", "transit/encrypt/app", body()).await;
    vault.expect_as(&update, 200, "POST", "transit/encrypt/app", body()).await;
    vault.expect_as(&create, 403, "POST", "transit/decrypt/app", body()).await;
    vault.expect_as(&create, 403, "GET", "transit/export/encryption-key/app", None).await;
}

#[tokio::test]
async fn a_batch_has_the_status_of_its_failures() {
    let vault = vault().await;
    let good = json!({"plaintext": "dGV4dA=="});
    let sealed = vault.expect(200, "POST", "transit/encrypt/a", Some(json!({"batch_input": [good, good]}))).await;
    let first = text(&sealed["data"]["batch_results"][0]["ciphertext"]);
    let items = json!([{"ciphertext": first, "reference": "one"}, {"ciphertext": "vault:v1:AAAA", "reference": "two"}]);
    let opened = vault.expect(400, "POST", "transit/decrypt/a", Some(json!({ "batch_input": items }))).await;
    assert_eq!(opened["data"]["batch_results"][0], json!({"plaintext": "dGV4dA==", "reference": "one"}));
    assert_eq!(opened["data"]["batch_results"][1]["error"], "invalid ciphertext length");
    for status in [200, 207] {
        let body = json!({"batch_input": items, "partial_failure_response_code": status});
        vault.expect(status, "POST", "transit/decrypt/a", Some(body)).await;
    }
    let body = json!({"batch_input": [{"ciphertext": "x"}], "partial_failure_response_code": 200});
    vault.expect(400, "POST", "transit/decrypt/a", Some(body)).await;
}

#[tokio::test]
async fn signatures_verify_and_keys_move_to_another_mount() {
    let vault = vault().await;
    vault.expect(204, "POST", "sys/mounts/other", Some(json!({"type": "transit"}))).await;
    let settings = json!({"type": "ecdsa-p256", "exportable": "true", "allow_plaintext_backup": "true"});
    vault.expect(200, "POST", "transit/keys/s", Some(settings)).await;
    let signed = vault.expect(200, "POST", "transit/sign/s/sha2-384", Some(json!({"input": "dGV4dA=="}))).await;
    let signature = &signed["data"]["signature"];
    let body = json!({"input": "dGV4dA==", "signature": signature, "hash_algorithm": "sha2-384"});
    let verified = vault.expect(200, "POST", "transit/verify/s", Some(body.clone())).await;
    assert_eq!(verified["data"], json!({"valid": true}));
    let backup = vault.expect(200, "GET", "transit/backup/s", None).await;
    vault.expect(204, "POST", "other/restore/t", Some(json!({"backup": backup["data"]["backup"]}))).await;
    let verified = vault.expect(200, "POST", "other/verify/t", Some(body)).await;
    assert_eq!(verified["data"], json!({"valid": true}));
    vault.expect(400, "POST", "transit/sign/s/sha1", Some(json!({"input": "dGV4dA=="}))).await;
}

#[tokio::test]
async fn neither_texts_nor_keys_stand_in_the_log() {
    let vault = vault().await;
    let settings = json!({"exportable": true, "allow_plaintext_backup": true});
    vault.expect(200, "POST", "transit/keys/k", Some(settings)).await;
    let sealed = vault.expect(200, "POST", "transit/encrypt/k", Some(json!({"plaintext": "Y2FuYXJ5"}))).await;
    let batch = json!({"batch_input": [{"ciphertext": sealed["data"]["ciphertext"]}, {}]});
    vault.expect(400, "POST", "transit/decrypt/k", Some(batch)).await;
    let exported = vault.expect(200, "GET", "transit/export/encryption-key/k", None).await;
    vault.expect(200, "POST", "transit/datakey/plaintext/k", None).await;
    let log = format!("{:?}", vault.audit());
    assert!(!log.contains("Y2FuYXJ5") && !log.contains(&text(&exported["data"]["keys"]["1"])));
    assert!(log.contains("partial"));
}
