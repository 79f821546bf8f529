//! The rotation of the barrier's key.

use serde_json::json;

use crate::ceremonies::{keys, rekey};
use crate::support::TestVault;

#[tokio::test]
async fn rotation_keeps_old_rows_and_seals_new_ones_in_the_new_term() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/old", Some(json!({"x": "1"}))).await;
    let before = vault.expect(200, "GET", "sys/key-status", None).await;
    assert_eq!(before["data"]["term"], json!(1));
    assert!(before["encryptions"].as_u64().unwrap() > 0);
    vault.clock.advance_seconds(60);
    vault.expect(204, "PUT", "sys/rotate", None).await;
    let after = vault.expect(200, "GET", "sys/key-status", None).await;
    assert_eq!((&after["term"], &after["encryptions"]), (&json!(2), &json!(0)));
    assert_ne!(after["install_time"], before["install_time"]);
    vault.expect(204, "PUT", "kv/new", Some(json!({"x": "2"}))).await;
    assert!(vault.expect(200, "GET", "sys/key-status", None).await["encryptions"].as_u64().unwrap() >= 2);
    vault.expect(204, "POST", "sys/rotate/keyring", None).await;
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.unseal().await;
    assert_eq!(vault.expect(200, "GET", "sys/key-status", None).await["term"], json!(3));
    for (name, value) in [("old", "1"), ("new", "2")] {
        let read = vault.expect(200, "GET", &format!("kv/{name}"), None).await;
        assert_eq!(read["data"], json!({ "x": value }));
    }
    let token = vault.token_with("almost", "path \"sys/rotate*\" { capabilities = [\"update\", \"read\"] }").await;
    for path in ["sys/rotate", "sys/rotate/keyring", "sys/rotate/config"] {
        vault.expect_as(&token, 403, "PUT", path, Some(json!({"enabled": false}))).await;
    }
    vault.expect_as(&token, 200, "GET", "sys/rotate/config", None).await;
    assert_eq!(vault.expect(200, "GET", "sys/key-status", None).await["term"], json!(3));
}

#[tokio::test]
async fn a_term_that_has_served_its_time_is_rotated_without_being_asked() {
    let vault = TestVault::ready().await;
    let path = "sys/rotate/config";
    let settings = vault.expect(200, "GET", path, None).await;
    let expected = json!({"enabled": true, "max_operations": 3_865_470_566_u64, "interval": 0});
    assert_eq!(settings["data"], expected);
    for bad in [json!({"interval": "1h"}), json!({"max_operations": 5}), json!({"max_operations": 3_865_470_567_u64})] {
        vault.expect(400, "PUT", path, Some(bad)).await;
    }
    vault.expect(204, "PUT", path, Some(json!({"interval": "24h"}))).await;
    vault.clock.advance_seconds(86_400);
    // Writing the settings makes housekeeping look at once.
    vault.expect(204, "PUT", path, Some(json!({"enabled": true}))).await;
    let rotated = async {
        while vault.expect(200, "GET", "sys/key-status", None).await["term"] != json!(2) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), rotated).await.unwrap();
    assert_eq!(vault.expect(200, "GET", path, None).await["data"]["interval"], json!(86_400));
    assert!(vault.audit().iter().any(|record| record["what"] == json!("rotate-keyring")));
}

#[tokio::test]
async fn a_rotation_between_rekeys_is_kept() {
    let mut vault = TestVault::ready().await;
    vault.expect(204, "PUT", "sys/rotate", None).await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let made = rekey(&vault, 3, 2, false).await;
    vault.expect(204, "PUT", "sys/rotate", None).await;
    vault.expect(204, "PUT", "kv/b", Some(json!({"x": "2"}))).await;
    vault.keys = keys(&made);
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.unseal().await;
    assert_eq!(vault.expect(200, "GET", "sys/key-status", None).await["term"], json!(3));
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "1"}));
    assert_eq!(vault.expect(200, "GET", "kv/b", None).await["data"], json!({"x": "2"}));
}
