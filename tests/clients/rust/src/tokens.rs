//! Tokens, accessors and roles.

use std::collections::HashMap;

use vaultrs::api::token::requests::{
    CreateOrphanTokenRequest, CreateRoleTokenRequest, CreateTokenRequest, CreateTokenRequestBuilder,
    SetTokenRoleRequest,
};
use vaultrs::client::{Client, VaultClient};
use vaultrs::sys::policy;
use vaultrs::token;

use crate::vault::{client, refused, root};

/// Asks for a token of an hour with the policy `reader`.
async fn reader(root: &VaultClient) -> CreateTokenRequestBuilder {
    policy::set(root, "reader", r#"path "tokens-kv/*" { capabilities = ["read"] }"#).await.unwrap();
    let mut options = CreateTokenRequest::builder();
    options.policies(vec!["reader".to_owned()]).ttl("1h");
    options
}

#[tokio::test]
async fn a_token_is_what_was_asked_for() {
    let root = root().await;
    let mut options = reader(&root).await;
    let meta = HashMap::from([("team".to_owned(), "operations".to_owned())]);
    options.display_name("build").meta(meta.clone()).num_uses(5u64).explicit_max_ttl("2h");
    let made = token::new(&root, Some(&mut options)).await.unwrap();
    assert_eq!(made.policies, ["default", "reader"]);
    assert_eq!((made.lease_duration, made.renewable, made.orphan), (3600, true, false));
    assert_eq!((made.token_type.as_str(), made.metadata), ("service", Some(meta.clone())));

    let seen = token::lookup(&root, &made.client_token).await.unwrap();
    assert_eq!((seen.display_name.as_str(), seen.num_uses, seen.explicit_max_ttl), ("token-build", 5, 7200));
    assert_eq!((seen.path.as_str(), seen.accessor, seen.meta), ("auth/token/create", made.accessor, Some(meta)));
}

#[tokio::test]
async fn uses_are_counted() {
    let root = root().await;
    let made = token::new(&root, Some(reader(&root).await.num_uses(2u64))).await.unwrap();
    let limited = client(&made.client_token);
    limited.lookup().await.unwrap();
    limited.lookup().await.unwrap();
    refused(limited.lookup().await, 403);
}

#[tokio::test]
async fn tokens_are_renewed() {
    let root = root().await;
    let made = token::new(&root, Some(reader(&root).await.ttl("10m"))).await.unwrap();
    assert_eq!(token::renew(&root, &made.client_token, Some("30m")).await.unwrap().lease_duration, 1800);
    let own = client(&made.client_token).renew(Some("40m")).await.unwrap();
    assert_eq!((own.lease_duration, own.client_token), (2400, made.client_token));
    assert_eq!(token::renew_accessor(&root, &made.accessor, Some("50m")).await.unwrap().lease_duration, 3000);
    let fixed = token::new(&root, Some(reader(&root).await.renewable(false))).await.unwrap();
    refused(token::renew(&root, &fixed.client_token, None).await, 400);
}

#[tokio::test]
async fn an_accessor_names_a_token_without_its_power() {
    let root = root().await;
    let made = token::new(&root, Some(&mut reader(&root).await)).await.unwrap();
    let seen = token::lookup_accessor(&root, &made.accessor).await.unwrap();
    assert_eq!((seen.accessor.as_str(), seen.id.as_str()), (made.accessor.as_str(), ""));
    token::revoke_accessor(&root, &made.accessor).await.unwrap();
    refused(client(&made.client_token).lookup().await, 403);
}

#[tokio::test]
async fn children_die_with_their_parent_and_orphans_do_not() {
    let root = root().await;
    let rules = r#"path "auth/token/create*" { capabilities = ["update", "sudo"] }"#;
    policy::set(&root, "maker", rules).await.unwrap();
    let maker = || vec!["maker".to_owned()];
    let parent = token::new(&root, Some(reader(&root).await.policies(maker()))).await.unwrap();
    let acting = client(&parent.client_token);
    let child = token::new(&acting, Some(CreateTokenRequest::builder().policies(maker()))).await.unwrap();
    let orphan = token::new_orphan(&acting, Some(CreateOrphanTokenRequest::builder().policies(maker()))).await.unwrap();
    assert!(orphan.orphan);
    token::revoke(&root, &parent.client_token).await.unwrap();
    refused(acting.lookup().await, 403);
    refused(client(&child.client_token).lookup().await, 403);
    assert!(client(&orphan.client_token).lookup().await.unwrap().orphan);
}

#[tokio::test]
async fn children_can_be_spared() {
    let root = root().await;
    policy::set(&root, "spared", r#"path "auth/token/create" { capabilities = ["update"] }"#).await.unwrap();
    let spared = || vec!["spared".to_owned()];
    let parent = token::new(&root, Some(reader(&root).await.policies(spared()))).await.unwrap();
    let acting = client(&parent.client_token);
    let child = token::new(&acting, Some(CreateTokenRequest::builder().policies(spared()))).await.unwrap();
    token::revoke_orphan(&root, &parent.client_token).await.unwrap();
    refused(acting.lookup().await, 403);
    assert!(client(&child.client_token).lookup().await.unwrap().orphan);
}

#[tokio::test]
async fn a_token_gives_itself_up() {
    let root = root().await;
    let own = client(&token::new(&root, Some(&mut reader(&root).await)).await.unwrap().client_token);
    own.revoke().await.unwrap();
    refused(own.lookup().await, 403);
}

#[tokio::test]
async fn roles_shape_tokens() {
    let root = root().await;
    reader(&root).await;
    let mut role = SetTokenRoleRequest::builder();
    role.allowed_policies(vec!["reader".to_owned()]).orphan(true).renewable(false).path_suffix("ci");
    token::role::set(&root, "deploy", Some(&mut role)).await.unwrap();
    assert_eq!(token::role::list(&root).await.unwrap().keys, ["deploy"]);
    let read = token::role::read(&root, "deploy").await.unwrap();
    assert_eq!(read.allowed_policies, ["reader"]);
    assert_eq!((read.orphan, read.renewable, read.path_suffix.as_str()), (true, false, "ci"));

    let mut options = CreateRoleTokenRequest::builder();
    options.policies(vec!["reader".to_owned()]).ttl("1h");
    let made = token::new_role(&root, "deploy", Some(&mut options)).await.unwrap();
    assert_eq!((made.orphan, made.renewable), (true, false));
    assert_eq!(token::lookup(&root, &made.client_token).await.unwrap().role.as_deref(), Some("deploy"));
    let wide = token::new_role(&root, "deploy", Some(options.policies(vec!["other".to_owned()]))).await;
    refused(wide, 400);

    token::role::delete(&root, "deploy").await.unwrap();
    refused(token::role::read(&root, "deploy").await, 404);
}
