//! The cubbyhole: each token's own secrets.

use std::collections::HashMap;

use serde_json::json;
use vaultrs::{cubbyhole, token};

use crate::vault::{client, refused, root};

#[tokio::test]
async fn each_token_has_a_cubbyhole_of_its_own() {
    let root = root().await;
    cubbyhole::set(&root, "cubbyhole", "mine/a", &HashMap::from([("b", "c")])).await.unwrap();
    let read = cubbyhole::get_raw(&root, "cubbyhole", "mine/a").await.unwrap();
    assert_eq!(read.data, json!({"b": "c"}));
    assert_eq!(cubbyhole::list(&root, "cubbyhole", "mine").await.unwrap().data.keys, ["a"]);

    let other = client(&token::new(&root, None).await.unwrap().client_token);
    refused(cubbyhole::get_raw(&other, "cubbyhole", "mine/a").await, 404);
    cubbyhole::delete(&root, "cubbyhole", "mine/a").await.unwrap();
    refused(cubbyhole::get_raw(&root, "cubbyhole", "mine/a").await, 404);
}
