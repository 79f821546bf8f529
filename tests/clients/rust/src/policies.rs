//! Policies.

use std::collections::HashMap;

use vaultrs::api::token::requests::CreateTokenRequest;
use vaultrs::sys::policy;
use vaultrs::{kv1, token};

use crate::vault::{client, mount, refused, root};

const RULES: &str = r#"path "policy-kv/mine/*" { capabilities = ["create", "read"] }"#;

#[tokio::test]
async fn a_policy_is_written_read_listed_and_deleted() {
    let root = root().await;
    policy::set(&root, "team", RULES).await.unwrap();
    let read = policy::read(&root, "team").await.unwrap();
    assert_eq!((read.name.as_str(), read.rules.as_str()), ("team", RULES));
    let names = policy::list(&root).await.unwrap().policies;
    for name in ["default", "root", "team"] {
        assert!(names.iter().any(|listed| listed == name), "{name} is not in {names:?}");
    }
    policy::delete(&root, "team").await.unwrap();
    refused(policy::read(&root, "team").await, 404);
}

#[tokio::test]
async fn a_policy_that_does_not_parse_is_refused() {
    let root = root().await;
    refused(policy::set(&root, "broken", r#"path "x" { capabilities = ["fly"] }"#).await, 400);
    refused(policy::read(&root, "broken").await, 404);
}

#[tokio::test]
async fn a_token_does_what_its_policies_allow_and_no_more() {
    let root = root().await;
    mount(&root, "policy-kv", "1").await;
    policy::set(&root, "narrow", RULES).await.unwrap();
    let mut options = CreateTokenRequest::builder();
    options.policies(vec!["narrow".to_owned()]).ttl("1h");
    let narrow = client(&token::new(&root, Some(&mut options)).await.unwrap().client_token);

    let secret = HashMap::from([("b", "c")]);
    kv1::set(&narrow, "policy-kv", "mine/a", &secret).await.unwrap();
    let read: HashMap<String, String> = kv1::get(&narrow, "policy-kv", "mine/a").await.unwrap();
    assert_eq!(read["b"], "c");
    refused(kv1::set(&narrow, "policy-kv", "mine/a", &secret).await, 403);
    refused(kv1::set(&narrow, "policy-kv", "other/a", &secret).await, 403);
    refused(kv1::get_raw(&narrow, "policy-kv", "other/a").await, 403);
    refused(kv1::list(&narrow, "policy-kv", "mine").await, 403);
    refused(kv1::delete(&narrow, "policy-kv", "mine/a").await, 403);
    refused(policy::list(&narrow).await, 403);
}
