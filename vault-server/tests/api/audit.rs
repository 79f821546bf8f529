//! The log tells what happened, and holds no secret.

use serde_json::json;

use crate::support::TestVault;

const CANARY: &str = "canary-4f1d9a";

#[tokio::test]
async fn every_request_leaves_its_records_and_no_secret() {
    let vault = TestVault::ready().await;
    vault.expect(200, "PUT", "secret/data/a", Some(json!({"data": {"password": CANARY}}))).await;
    vault.expect(200, "GET", "secret/data/a", None).await;
    vault.expect_as(CANARY, 403, "GET", "secret/data/a", None).await;
    vault.expect(404, "GET", "secret/data/absent", None).await;
    vault.expect(204, "PUT", "sys/seal", None).await;
    let text = std::fs::read_to_string(&vault.audit_path).unwrap();
    assert!(!text.contains(CANARY));
    assert!(!text.contains(&vault.root));
    assert!(vault.keys.iter().all(|key| !text.contains(key.as_str())));
    let records = vault.audit();
    let of = |operation: &str, decision: &str| {
        records
            .iter()
            .filter(|record| {
                record["kind"] == "request"
                    && record["path"] == "secret/data/a"
                    && record["operation"] == operation
                    && record["decision"] == decision
            })
            .count()
    };
    assert_eq!((of("write", "allowed"), of("read", "allowed"), of("read", "denied")), (1, 1, 1), "{records:#?}");
    let numbers: Vec<u64> = records.iter().map(|record| record["number"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{numbers:?}");
}

#[tokio::test]
async fn the_same_value_has_the_same_hash_in_request_and_response() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"password": CANARY}))).await;
    vault.expect(200, "GET", "kv/a", None).await;
    // An outcome is durable with the next record at the latest.
    vault.expect(200, "GET", "sys/mounts", None).await;
    let records = vault.audit();
    let written = records.iter().find(|record| record["kind"] == "request" && record["path"] == "kv/a").unwrap();
    let read = records.iter().rfind(|record| record["kind"] == "response" && record["path"] == "kv/a").unwrap();
    assert!(written["body"]["password"].as_str().unwrap().starts_with("hmac-sha256:"), "{written}");
    assert_eq!(written["body"]["password"], read["data"]["password"], "{read}");
}
