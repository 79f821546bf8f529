//! What custodians do on an open vault: the client has no functions for it.

use rustify::enums::RequestMethod::{DELETE, GET, POST};
use serde_json::{Value, json};

use crate::vault::{THRESHOLD, raw, raw_data, root, vault};

#[tokio::test]
async fn a_rekey_is_begun_and_given_up() {
    let root = root().await;
    let wishes = json!({"secret_shares": 3, "secret_threshold": 2, "require_verification": true});
    let begun = raw(&root, POST, "sys/rekey/init", wishes).await;
    assert_eq!(
        [&begun["started"], &begun["n"], &begun["t"], &begun["required"]],
        [&json!(true), &json!(3), &json!(2), &json!(2)]
    );
    let share = json!({"key": vault().await.answer.keys[0], "nonce": begun["nonce"]});
    assert_eq!(raw(&root, POST, "sys/rekey/update", share).await["progress"], 1);
    assert_eq!(raw(&root, GET, "sys/rekey/init", Value::Null).await["progress"], 1);
    raw(&root, DELETE, "sys/rekey/init", Value::Null).await;
    assert_eq!(raw(&root, GET, "sys/rekey/init", Value::Null).await["started"], false);
}

#[tokio::test]
async fn a_root_token_needs_enough_custodians() {
    let root = root().await;
    let begun = raw(&root, POST, "sys/generate-root/attempt", json!({})).await;
    let length = begun["otp_length"].as_u64().unwrap();
    assert_eq!(begun["otp"].as_str().unwrap().len() as u64, length);
    let mut answer = Value::Null;
    for key in &vault().await.answer.keys[..THRESHOLD as usize] {
        assert_ne!(answer["complete"], true);
        let share = json!({"key": key, "nonce": begun["nonce"]});
        answer = raw(&root, POST, "sys/generate-root/update", share).await;
    }
    assert_eq!(answer["complete"], true);
    // Base64 without padding.
    assert_eq!(answer["encoded_token"].as_str().unwrap().len() as u64, (length * 4).div_ceil(3));
}

#[tokio::test]
async fn the_key_is_rotated() {
    let root = root().await;
    let before = raw_data(&root, GET, "sys/key-status", Value::Null).await.unwrap()["term"].as_u64().unwrap();
    raw(&root, POST, "sys/rotate", json!({})).await;
    let after = raw_data(&root, GET, "sys/key-status", Value::Null).await.unwrap();
    assert_eq!(after["term"], before + 1);
}
