//! Nobody speaks with two voices: by a token that they made for somebody else, or by a login that they took over.

use serde_json::{Value, json};

use crate::change_control::Service;
use crate::custody::error;
use crate::house::{AGREE, House, ONE, TWO};
use crate::stewards::write;

/// Two roles of tokens for the alias `cat-alias`, whose entity is cat's, and policies to use them.
async fn with_roles(control_group: &str) -> House {
    let house = House::new(control_group).await;
    let root = &house.vault;
    let accessor = root.expect(200, "GET", "sys/auth", None).await["data"]["token/"]["accessor"].clone();
    let alias = json!({"name": "cat-alias", "canonical_id": house.entity("cat").await, "mount_accessor": accessor});
    root.expect(200, "POST", "identity/entity-alias", Some(alias)).await;
    for (role, orphan, kind) in [("child", false, "service"), ("orphan", true, "service"), ("batch", true, "batch")] {
        let body = json!({"allowed_entity_aliases": "cat-alias", "allowed_policies": "staff", "orphan": orphan,
            "token_type": kind, "renewable": kind != "batch"});
        root.expect(204, "POST", &format!("auth/token/roles/{role}"), Some(body)).await;
    }
    let text = format!(
        "{AGREE}path \"secret/data/prod/*\" {{ capabilities = [\"read\"]\n control_group = {{ {control_group} }} }}\n\
         path \"auth/token/create/*\" {{ capabilities = [\"update\"] }}"
    );
    root.expect(204, "PUT", "sys/policies/acl/staff", Some(json!({ "policy": text }))).await;
    house
}

async fn made(house: &House, by: &str, role: &str, alias: Option<&str>) -> String {
    let body = match alias {
        Some(alias) => json!({"entity_alias": alias, "policies": ["staff"]}),
        None => json!({"policies": ["staff"]}),
    };
    let made = house.vault.expect_as(by, 200, "POST", &format!("auth/token/create/{role}"), Some(body)).await;
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_made_by_way_of_one_without_an_entity_is_still_its_first_makers() {
    let house = with_roles(ONE).await;
    let ann = house.login("ann").await;
    let (_, held) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    let nobody = made(&house, &ann, "orphan", None).await;
    for role in ["child", "orphan"] {
        let second = made(&house, &nobody, role, Some("cat-alias")).await;
        house.authorize(&second, 403, &held).await;
    }
}

#[tokio::test]
async fn who_makes_a_token_for_somebody_else_asks_for_nothing_with_it() {
    let house = with_roles(ONE).await;
    let ben = house.login("ben").await;
    let nobody = made(&house, &ben, "orphan", None).await;
    for (by, role) in [(&ben, "child"), (&ben, "orphan"), (&ben, "batch"), (&nobody, "orphan")] {
        let as_cat = made(&house, by, role, Some("cat-alias")).await;
        let refused = house.vault.expect_as(&as_cat, 403, "GET", "secret/data/prod/root", None).await;
        assert!(error(&refused).contains("log in"), "{role}: {refused}");
    }
    // Nor does such a token take what somebody else has asked for.
    let cat = house.login("cat").await;
    let (wrapping, held) = house.ask(&cat, "GET", "secret/data/prod/root", None).await;
    house.authorize(&ben, 200, &held).await;
    let as_cat = made(&house, &ben, "orphan", Some("cat-alias")).await;
    house.unwrap(&as_cat, 403, &wrapping).await;
    house.unwrap(&cat, 200, &wrapping).await;
}

#[tokio::test]
async fn who_makes_a_token_for_somebody_else_has_one_vote() {
    let house = with_roles(TWO).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let (wrapping, held) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    house.authorize(&ben, 200, &held).await;
    for role in ["child", "orphan", "batch"] {
        let as_cat = made(&house, &ben, role, Some("cat-alias")).await;
        house.authorize(&as_cat, 403, &held).await;
    }
    house.unwrap(&ann, 400, &wrapping).await;
}

#[tokio::test]
async fn in_service_nobody_alone_sets_the_password_of_somebody_else() {
    let service = Service::new().await;
    let (vault, alice) = (&service.vault, service.login("alice").await);
    let new = |password: &str| Some(json!({ "password": password }));
    for path in ["auth/userpass/users/bob/password", "auth/userpass/users/nobody/password"] {
        let (status, answer) =
            vault.call("POST", path, &alice, new("mine").map(|body| body.to_string()).as_deref()).await;
        assert!(status == 400 && error(&answer).contains("Reason"), "{path}: {status} {answer}");
    }
    vault.expect_as("", 400, "POST", "auth/userpass/login/bob", new("mine")).await;
    // One's own is one's own, in whatever case it is written.
    vault.expect_as(&alice, 204, "POST", "auth/userpass/users/ALICE/password", new("better")).await;
    vault.expect_as("", 200, "POST", "auth/userpass/login/alice", new("better")).await;
    // Where another method has a user of the same name, that is somebody else.
    write(vault, &service.people, 60, "sys/auth/others", json!({"type": "userpass"})).await;
    write(vault, &service.people, 61, "auth/others/users/alice", json!({"password": "x"})).await;
    let path = "auth/others/users/alice/password";
    let (status, answer): (_, Value) =
        vault.call("POST", path, &alice, new("mine").map(|body| body.to_string()).as_deref()).await;
    assert_eq!(status, 400, "{answer}");
}
