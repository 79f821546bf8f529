//! Response wrapping.

use serde_json::{Value, json};
use vaultrs::api::ResponseWrapper;
use vaultrs::api::token::requests::CreateTokenRequest;
use vaultrs::client::Client;
use vaultrs::error::ClientError;
use vaultrs::sys::wrapping;

use crate::vault::{Raw, client, refused, root};

#[tokio::test]
async fn an_answer_is_wrapped_and_given_once() {
    let root = root().await;
    let body = json!({"a": "b"});
    let path = "sys/wrapping/wrap".to_owned();
    let wrapped = Raw { method: rustify::enums::RequestMethod::POST, path, body }.wrap(&root).await.unwrap();
    assert_eq!((wrapped.info.ttl, wrapped.info.creation_path.as_str()), (600, "sys/wrapping/wrap"));
    let seen = wrapped.lookup(&client("")).await.unwrap();
    assert_eq!((seen.creation_ttl, seen.creation_path.as_str()), (600, "sys/wrapping/wrap"));
    assert_eq!(seen.creation_time, wrapped.info.creation_time);
    assert_eq!(wrapped.unwrap(&root).await.unwrap(), json!({"a": "b"}));
    assert!(matches!(wrapped.lookup(&root).await, Err(ClientError::WrapInvalidError)));
    refused(wrapped.unwrap(&root).await, 400);
}

#[tokio::test]
async fn the_wrapping_token_alone_is_enough() {
    let path = "sys/wrapping/wrap".to_owned();
    let request = Raw { method: rustify::enums::RequestMethod::POST, path, body: json!({"a": "b"}) };
    let wrapped = request.wrap(&root().await).await.unwrap();
    let holder = client(&wrapped.info.token);
    refused(holder.lookup().await, 403);
    let given: Value = wrapping::unwrap(&holder, None).await.unwrap();
    assert_eq!(given, json!({"a": "b"}));
    let again = refused(wrapping::unwrap::<Value>(&holder, None).await, 400);
    assert!(again.contains("wrapping token is not valid or does not exist"), "{again}");
}

#[tokio::test]
async fn a_new_token_is_wrapped() {
    let root = root().await;
    let request = CreateTokenRequest::builder().policies(vec!["default".to_owned()]).build().unwrap();
    let wrapped = request.wrap(&root).await.unwrap();
    assert_eq!(wrapped.info.creation_path, "auth/token/create");
    assert_eq!(wrapping::lookup(&root, &wrapped.info.token).await.unwrap().creation_path, "auth/token/create");
}
