//! Auth methods, logins, leases and renewal.

use std::collections::HashMap;

use rustify::enums::RequestMethod::PUT;
use serde_json::json;
use vaultrs::api::ResponseWrapper;
use vaultrs::api::auth::approle::requests::{GenerateNewSecretIDRequest, SetAppRoleRequest};
use vaultrs::api::auth::kubernetes::requests::{ConfigureKubernetesAuthRequest, CreateKubernetesRoleRequest};
use vaultrs::api::auth::userpass::requests::CreateUserRequest;
use vaultrs::auth::{approle, kubernetes, userpass};
use vaultrs::client::{Client, VaultClient};
use vaultrs::sys::auth;

use crate::vault::{client, raw, refused, root};

/// Mounts approle with a role whose secret ids serve once, and gives the role id.
async fn machines(root: &VaultClient, path: &str) -> String {
    auth::enable(root, path, "approle", None).await.unwrap();
    let mut wishes = SetAppRoleRequest::builder();
    wishes.token_policies(vec!["default".to_owned()]).token_ttl("10m").secret_id_num_uses(1u64);
    approle::role::set(root, path, "ci", Some(&mut wishes)).await.unwrap();
    approle::role::read_id(root, path, "ci").await.unwrap().role_id
}

#[tokio::test]
async fn methods_are_mounted_and_listed() {
    let root = root().await;
    auth::enable(&root, "some", "userpass", None).await.unwrap();
    let listed = auth::list(&root).await.unwrap();
    assert_eq!((listed["some/"].mount_type.as_str(), listed["token/"].mount_type.as_str()), ("userpass", "token"));
    auth::disable(&root, "some").await.unwrap();
    assert!(!auth::list(&root).await.unwrap().contains_key("some/"));
}

#[tokio::test]
async fn a_person_logs_in() {
    let (root, stranger) = (root().await, client(""));
    auth::enable(&root, "people", "userpass", None).await.unwrap();
    let mut wishes = CreateUserRequest::builder();
    wishes.token_policies(vec!["default".to_owned()]).token_ttl("10m");
    userpass::user::set(&root, "people", "anna", "one", Some(&mut wishes)).await.unwrap();
    assert_eq!(userpass::user::list(&root, "people").await.unwrap().keys, ["anna"]);
    let read = userpass::user::read(&root, "people", "anna").await.unwrap();
    assert_eq!((read.token_policies, read.token_ttl), (vec!["default".to_owned()], 600));
    let login = userpass::login(&stranger, "people", "anna", "one").await.unwrap();
    assert_eq!((login.lease_duration, login.renewable, login.orphan), (600, true, true));
    assert_eq!(login.metadata, Some(HashMap::from([("username".to_owned(), "anna".to_owned())])));

    userpass::user::update_password(&root, "people", "anna", "two").await.unwrap();
    let wrong = refused(userpass::login(&stranger, "people", "anna", "one").await, 400);
    assert!(wrong.contains("invalid username or password"), "{wrong}");
    userpass::user::update_policies(&root, "people", "anna", "reader").await.unwrap();
    let login = userpass::login(&stranger, "people", "anna", "two").await.unwrap();
    assert_eq!(login.policies, ["default", "reader"]);
    userpass::user::delete(&root, "people", "anna").await.unwrap();
    refused(userpass::login(&stranger, "people", "anna", "two").await, 400);
    auth::disable(&root, "people").await.unwrap();
    refused(client(&login.client_token).lookup().await, 403);
}

#[tokio::test]
async fn a_machine_logs_in_and_renews() {
    let (root, stranger) = (root().await, client(""));
    let role_id = machines(&root, "machines").await;
    assert_eq!(approle::role::list(&root, "machines").await.unwrap().keys, ["ci"]);
    let read = approle::role::read(&root, "machines", "ci").await.unwrap();
    assert_eq!((read.bind_secret_id, read.token_ttl, read.secret_id_num_uses), (true, 600, 1));
    let mut wishes = GenerateNewSecretIDRequest::builder();
    let made = approle::role::secret::generate(&root, "machines", "ci", Some(wishes.metadata(r#"{"build":"7"}"#)));
    let secret_id = made.await.unwrap().secret_id;
    let login = approle::login(&stranger, "machines", &role_id, &secret_id).await.unwrap();
    assert_eq!(login.metadata.unwrap()["build"], "7");
    let spent = refused(approle::login(&stranger, "machines", &role_id, &secret_id).await, 400);
    assert!(spent.contains("invalid role or secret ID"), "{spent}");
    let own = client(&login.client_token);
    assert_eq!(own.renew(Some("20m")).await.unwrap().lease_duration, 1200);
    raw(&root, PUT, "sys/leases/revoke-prefix/auth/machines/login", json!({})).await;
    refused(own.lookup().await, 403);
    approle::role::delete(&root, "machines", "ci").await.unwrap();
    refused(approle::role::read(&root, "machines", "ci").await, 404);
    auth::disable(&root, "machines").await.unwrap();
}

#[tokio::test]
async fn secret_ids_are_looked_up_and_destroyed() {
    let (root, stranger) = (root().await, client(""));
    machines(&root, "robots").await;
    approle::role::update_id(&root, "robots", "ci", "our-role").await.unwrap();
    let made = approle::role::secret::custom(&root, "robots", "ci", "our-secret", None).await.unwrap();
    assert_eq!(made.secret_id, "our-secret");
    let listed = approle::role::secret::list(&root, "robots", "ci").await.unwrap();
    assert_eq!(listed.keys, [made.secret_id_accessor.clone()]);
    let seen = approle::role::secret::read(&root, "robots", "ci", "our-secret").await.unwrap();
    assert_eq!((&seen.secret_id_accessor, seen.secret_id_num_uses), (&made.secret_id_accessor, 1));
    let again = approle::role::secret::read_accessor(&root, "robots", "ci", &made.secret_id_accessor).await.unwrap();
    assert_eq!(again.creation_time, seen.creation_time);
    approle::role::secret::delete_accessor(&root, "robots", "ci", &made.secret_id_accessor).await.unwrap();
    refused(approle::login(&stranger, "robots", "our-role", "our-secret").await, 400);
    approle::role::secret::custom(&root, "robots", "ci", "another", None).await.unwrap();
    approle::role::secret::delete(&root, "robots", "ci", "another").await.unwrap();
    refused(approle::login(&stranger, "robots", "our-role", "another").await, 400);
    auth::disable(&root, "robots").await.unwrap();
}

#[tokio::test]
async fn a_secret_id_is_handed_over_wrapped() {
    let root = root().await;
    let role_id = machines(&root, "wrapped").await;
    let mut builder = GenerateNewSecretIDRequest::builder();
    let request = builder.mount("wrapped").role_name("ci").build().unwrap();
    let wrapped = request.wrap(&root).await.unwrap();
    assert_eq!(wrapped.info.creation_path, "auth/wrapped/role/ci/secret-id");
    let given = wrapped.unwrap(&client(&wrapped.info.token)).await.unwrap();
    let login = approle::login(&client(""), "wrapped", &role_id, &given.secret_id).await.unwrap();
    assert_eq!(login.policies, ["default"]);
    auth::disable(&root, "wrapped").await.unwrap();
}

#[tokio::test]
async fn a_kubernetes_role_is_kept_and_admits_no_stranger() {
    let root = root().await;
    auth::enable(&root, "cluster", "kubernetes", None).await.unwrap();
    // Left to itself the client asks for what the server does not do.
    let mut wishes = ConfigureKubernetesAuthRequest::builder();
    let left = kubernetes::configure(&root, "cluster", "https://127.0.0.1:1", None).await;
    assert!(refused(left, 400).contains("disable_iss_validation"));
    wishes.disable_iss_validation(true);
    kubernetes::configure(&root, "cluster", "https://127.0.0.1:1", Some(&mut wishes)).await.unwrap();
    assert_eq!(kubernetes::read_config(&root, "cluster").await.unwrap().kubernetes_host, "https://127.0.0.1:1");
    let mut wishes = CreateKubernetesRoleRequest::builder();
    wishes.bound_service_account_names(vec!["app".to_owned()]);
    wishes.bound_service_account_namespaces(vec!["default".to_owned()]).token_ttl("5m");
    kubernetes::role::create(&root, "cluster", "app", Some(&mut wishes)).await.unwrap();
    assert_eq!(kubernetes::role::list(&root, "cluster").await.unwrap().keys, ["app"]);
    let read = kubernetes::role::read(&root, "cluster", "app").await.unwrap();
    assert_eq!((read.bound_service_account_names, read.token_ttl), (vec!["app".to_owned()], 300));
    assert!(kubernetes::login(&client(""), "cluster", "app", "no.token.this").await.is_err());
    kubernetes::role::delete(&root, "cluster", "app").await.unwrap();
    refused(kubernetes::role::read(&root, "cluster", "app").await, 404);
    auth::disable(&root, "cluster").await.unwrap();
}
