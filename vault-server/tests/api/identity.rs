//! Entities and groups as they bear on live tokens.

use serde_json::{Value, json};

use crate::support::TestVault;

/// Finds the accessor of the token store, the one auth method of every vault.
async fn token_accessor(vault: &TestVault) -> String {
    let mounts = vault.expect(200, "GET", "sys/auth", None).await;
    mounts["data"]["token/"]["accessor"].as_str().unwrap().to_owned()
}

/// Makes the role under which the tests make tokens for aliases.
async fn role(vault: &TestVault) {
    let role = json!({"allowed_entity_aliases": ["app-*", "Ann"], "allowed_policies": ["nothing"], "orphan": true});
    vault.expect(204, "POST", "auth/token/roles/apps", Some(role)).await;
}

/// Makes a token for an alias; gives the token and its entity's id.
async fn token_for(vault: &TestVault, alias: &str) -> (String, String) {
    let made = vault.expect(200, "POST", "auth/token/create/apps", Some(json!({"entity_alias": alias}))).await;
    let text = |field: &str| made["auth"][field].as_str().unwrap().to_owned();
    (text("client_token"), text("entity_id"))
}

async fn made(vault: &TestVault, path: &str, body: Value) -> String {
    let made = vault.expect(200, "POST", path, Some(body)).await;
    made["data"]["id"].as_str().unwrap().to_owned()
}

async fn policy(vault: &TestVault, name: &str, text: &str) {
    vault.expect(204, "PUT", &format!("sys/policies/acl/{name}"), Some(json!({ "policy": text }))).await;
}

#[tokio::test]
async fn a_policy_through_nested_groups_holds_at_once_and_ends_at_once() {
    let vault = TestVault::ready().await;
    role(&vault).await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    policy(&vault, "reader", "path \"kv/*\" { capabilities = [\"read\"] }").await;
    let (token, entity) = token_for(&vault, "app-one").await;
    vault.expect_as(&token, 403, "GET", "kv/a", None).await;
    let inner = made(&vault, "identity/group", json!({"name": "inner"})).await;
    let outer = json!({"name": "outer", "policies": ["reader"], "member_group_ids": [inner]});
    made(&vault, "identity/group", outer).await;
    vault.expect_as(&token, 403, "GET", "kv/a", None).await;
    let path = format!("identity/group/id/{inner}");
    vault.expect(204, "POST", &path, Some(json!({"member_entity_ids": [entity]}))).await;
    vault.expect_as(&token, 200, "GET", "kv/a", None).await;
    let seen = vault.expect(200, "POST", "auth/token/lookup", Some(json!({"token": token}))).await;
    assert_eq!((&seen["data"]["entity_id"], &seen["data"]["identity_policies"]), (&json!(entity), &json!(["reader"])));
    assert_eq!(seen["data"]["external_namespace_policies"], json!({}));
    let renewed = json!({"member_entity_ids": []});
    vault.expect(204, "POST", &path, Some(renewed)).await;
    vault.expect_as(&token, 403, "GET", "kv/a", None).await;
    vault.expect(204, "POST", &path, Some(json!({"member_entity_ids": entity}))).await;
    vault.expect_as(&token, 200, "GET", "kv/a", None).await;
    vault.expect(204, "DELETE", "identity/group/name/OUTER", None).await;
    vault.expect_as(&token, 403, "GET", "kv/a", None).await;
    let none = vault.expect(204, "POST", "identity/lookup/group", Some(json!({"name": "outer"}))).await;
    assert_eq!(none, Value::Null);
}

#[tokio::test]
async fn templates_follow_name_metadata_and_alias() {
    let vault = TestVault::ready().await;
    role(&vault).await;
    let accessor = token_accessor(&vault).await;
    let text = format!(
        "path \"kv/name/{{{{identity.entity.name}}}}\" {{ capabilities = [\"update\"] }}\n\
         path \"kv/team/{{{{identity.entity.metadata.team}}}}\" {{ capabilities = [\"update\"] }}\n\
         path \"kv/alias/{{{{identity.entity.aliases.{accessor}.name}}}}\" {{ capabilities = [\"update\"] }}\n\
         path \"kv/group/{{{{identity.groups.names.staff.metadata.room}}}}\" {{ capabilities = [\"update\"] }}"
    );
    policy(&vault, "own", &text.replace("\"update\"", "\"create\", \"update\"")).await;
    let (token, entity) = token_for(&vault, "ANN").await;
    let path = format!("identity/entity/id/{entity}");
    let body = json!({"name": "ann-b", "policies": ["own"], "metadata": {"team": "x"}});
    vault.expect(204, "POST", &path, Some(body)).await;
    let group = json!({"name": "staff", "member_entity_ids": [entity], "metadata": {"room": "7"}});
    made(&vault, "identity/group", group).await;
    let value = || Some(json!({"x": "1"}));
    for allowed in ["kv/name/ann-b", "kv/team/x", "kv/alias/ann", "kv/group/7"] {
        vault.expect_as(&token, 204, "PUT", allowed, value()).await;
    }
    for denied in ["kv/name/ann", "kv/team/y", "kv/alias/app-one", "kv/group/8"] {
        vault.expect_as(&token, 403, "PUT", denied, value()).await;
    }
    vault.expect(204, "POST", &path, Some(json!({"name": "eve", "metadata": {}}))).await;
    for denied in ["kv/name/ann-b", "kv/team/x", "kv/team/"] {
        vault.expect_as(&token, 403, "PUT", denied, value()).await;
    }
    vault.expect_as(&token, 204, "PUT", "kv/name/eve", value()).await;
    // The default policy lets everybody see their own entity, and nobody another's.
    let (other, _) = token_for(&vault, "app-two").await;
    vault.expect_as(&token, 200, "GET", &path, None).await;
    vault.expect_as(&token, 200, "GET", "identity/entity/name/eve", None).await;
    vault.expect_as(&other, 403, "GET", &path, None).await;
}

#[tokio::test]
async fn disabled_deleted_and_merged_entities() {
    let vault = TestVault::ready().await;
    role(&vault).await;
    let (token, entity) = token_for(&vault, "app-one").await;
    let path = format!("identity/entity/id/{entity}");
    let own = "auth/token/lookup-self";
    vault.expect(204, "POST", &path, Some(json!({"disabled": true}))).await;
    vault.expect_as(&token, 403, "GET", own, None).await;
    vault.expect(403, "POST", "auth/token/create/apps", Some(json!({"entity_alias": "app-one"}))).await;
    let asked = json!({"token": token, "path": "kv/a"});
    vault.expect(400, "POST", "sys/capabilities", Some(asked)).await;
    vault.expect(204, "POST", &path, Some(json!({"disabled": false}))).await;
    vault.expect_as(&token, 200, "GET", own, None).await;
    // Merged into another, the token works on and acts for it.
    policy(&vault, "reader", "path \"kv/*\" { capabilities = [\"read\"] }").await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let target = made(&vault, "identity/entity", json!({"name": "target", "policies": ["reader"]})).await;
    vault.expect_as(&token, 403, "GET", "kv/a", None).await;
    let merge = json!({"from_entity_ids": [entity], "to_entity_id": target});
    vault.expect(204, "POST", "identity/entity/merge", Some(merge)).await;
    vault.expect_as(&token, 200, "GET", "kv/a", None).await;
    let seen = vault.expect_as(&token, 200, "GET", own, None).await;
    assert_eq!(seen["data"]["entity_id"], json!(target));
    vault.expect(404, "GET", &path, None).await;
    vault.expect(204, "DELETE", "identity/entity/name/target", None).await;
    vault.expect_as(&token, 403, "GET", own, None).await;
}

#[tokio::test]
async fn only_a_role_that_allows_it_makes_tokens_for_an_alias() {
    let vault = TestVault::ready().await;
    role(&vault).await;
    vault.expect(204, "POST", "auth/token/roles/plain", Some(json!({"allowed_policies": ["nothing"]}))).await;
    for (path, alias) in [
        ("auth/token/create", "app-one"),
        ("auth/token/create-orphan", "app-one"),
        ("auth/token/create/plain", "app-one"),
        ("auth/token/create/apps", "other"),
        ("auth/token/create/apps", "app"),
    ] {
        vault.expect(400, "POST", path, Some(json!({"entity_alias": alias}))).await;
    }
    vault.expect(404, "LIST", "identity/entity/id", None).await;
    let (first, second) = (token_for(&vault, "app-one").await, token_for(&vault, "APP-ONE").await);
    assert_eq!(first.1, second.1);
    let read = vault.expect(200, "GET", &format!("identity/entity/id/{}", first.1), None).await;
    let alias = &read["data"]["aliases"][0];
    assert_eq!((&alias["name"], &alias["mount_type"]), (&json!("app-one"), &json!("token")));
    assert_eq!(alias["mount_accessor"], json!(token_accessor(&vault).await));
    let role = vault.expect(200, "GET", "auth/token/roles/apps", None).await;
    assert_eq!(role["data"]["allowed_entity_aliases"], json!(["app-*", "ann"]));
    // What such a token makes acts for the same entity, and dies with it.
    let sudo = "path \"auth/token/create\" { capabilities = [\"update\"] }";
    policy(&vault, "nothing", sudo).await;
    let child = vault.expect_as(&first.0, 200, "POST", "auth/token/create", Some(json!({}))).await;
    assert_eq!(child["auth"]["entity_id"], json!(first.1));
    let child = child["auth"]["client_token"].as_str().unwrap();
    vault.expect(204, "DELETE", &format!("identity/entity/id/{}", first.1), None).await;
    vault.expect_as(child, 403, "GET", "auth/token/lookup-self", None).await;
}

#[tokio::test]
async fn whoever_has_no_rule_for_it_changes_nobody() {
    let vault = TestVault::ready().await;
    role(&vault).await;
    let (token, entity) = token_for(&vault, "app-one").await;
    let group = made(&vault, "identity/group", json!({"name": "g", "policies": ["p"]})).await;
    let give = || Some(json!({"policies": ["p"], "member_entity_ids": [entity]}));
    for path in
        ["identity/entity".to_owned(), format!("identity/entity/id/{entity}"), format!("identity/group/id/{group}")]
    {
        vault.expect_as(&token, 403, "POST", &path, give()).await;
        vault.expect_as("", 403, "POST", &path, give()).await;
    }
    vault.expect_as(&token, 403, "LIST", "identity/entity/id", None).await;
    vault.expect(400, "POST", "identity/entity", Some(json!({"policies": ["root"]}))).await;
    vault.expect(400, "DELETE", "sys/mounts/identity", None).await;
    vault.expect(400, "POST", "sys/mounts/identity/x", Some(json!({"type": "kv"}))).await;
    let mounts = vault.expect(200, "GET", "sys/mounts", None).await;
    assert_eq!(mounts["data"]["identity/"]["type"], json!("identity"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_would_close_a_circle_together_one_is_refused() {
    let vault = std::sync::Arc::new(TestVault::ready().await);
    for round in 0..12 {
        let one = made(&vault, "identity/group", json!({"name": format!("one{round}")})).await;
        let other = made(&vault, "identity/group", json!({"name": format!("other{round}")})).await;
        let tries = [(one.clone(), other.clone()), (other, one)].map(|(group, member)| {
            let vault = std::sync::Arc::clone(&vault);
            let body = json!({"member_group_ids": [member]}).to_string();
            tokio::spawn(async move {
                let path = format!("identity/group/id/{group}");
                vault.call("POST", &path, &vault.root, Some(&body)).await.0.as_u16()
            })
        });
        let mut outcomes = Vec::new();
        for outcome in tries {
            outcomes.push(outcome.await.unwrap());
        }
        outcomes.sort_unstable();
        assert_eq!(outcomes, [204, 400]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_take_a_name_at_once_one_gets_it() {
    let vault = std::sync::Arc::new(TestVault::ready().await);
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(made(&vault, "identity/entity", json!({})).await);
    }
    let tries = ids.into_iter().map(|id| {
        let vault = std::sync::Arc::clone(&vault);
        tokio::spawn(async move {
            let path = format!("identity/entity/id/{id}");
            vault.call("POST", &path, &vault.root, Some("{\"name\": \"wanted\"}")).await.0.as_u16()
        })
    });
    let mut won = 0;
    for outcome in tries.collect::<Vec<_>>() {
        match outcome.await.unwrap() {
            204 => won += 1,
            status => assert_eq!(status, 400),
        }
    }
    assert_eq!(won, 1);
}
