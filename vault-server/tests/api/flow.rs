//! What the flow promises, seen from outside.

use std::sync::Arc;

use serde_json::json;

use vault_server::storage::memory::MemoryStorage;

use crate::support::TestVault;

#[tokio::test]
async fn a_policy_change_holds_from_its_answer_on() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let token = vault.token_with("reader", "path \"kv/*\" { capabilities = [\"read\"] }").await;
    vault.expect_as(&token, 200, "GET", "kv/a", None).await;
    let deny = json!({"policy": "path \"kv/*\" { capabilities = [\"deny\"] }"});
    vault.expect(204, "PUT", "sys/policies/acl/reader", Some(deny)).await;
    vault.expect_as(&token, 403, "GET", "kv/a", None).await;
    vault.expect(204, "DELETE", "sys/policies/acl/reader", None).await;
    vault.expect_as(&token, 403, "GET", "kv/a", None).await;
}

#[tokio::test]
async fn create_and_update_are_told_apart() {
    let vault = TestVault::ready().await;
    let token = vault.token_with("maker", "path \"secret/data/*\" { capabilities = [\"create\"] }").await;
    let body = json!({"data": {"x": 1}});
    vault.expect_as(&token, 200, "PUT", "secret/data/a", Some(body.clone())).await;
    vault.expect_as(&token, 403, "PUT", "secret/data/a", Some(body)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_use_is_used_once_however_many_try() {
    let vault = Arc::new(TestVault::ready().await);
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    for uses in [1, 3] {
        let made =
            vault.expect(200, "POST", "auth/token/create", Some(json!({"policies": ["root"], "num_uses": uses}))).await;
        let token = made["auth"]["client_token"].as_str().unwrap().to_owned();
        let tries = (0..40).map(|_| {
            let (vault, token) = (Arc::clone(&vault), token.clone());
            tokio::spawn(async move { vault.call("GET", "kv/a", &token, None).await.0.as_u16() })
        });
        let mut passed = 0;
        for outcome in tries.collect::<Vec<_>>() {
            match outcome.await.unwrap() {
                200 => passed += 1,
                status => assert_eq!(status, 403),
            }
        }
        assert_eq!(passed, uses);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_check_and_set_lets_exactly_one_win() {
    let vault = Arc::new(TestVault::ready().await);
    let tries = (0..32).map(|writer| {
        let vault = Arc::clone(&vault);
        let body = json!({"data": {"writer": writer}, "options": {"cas": 0}}).to_string();
        tokio::spawn(async move { vault.call("PUT", "secret/data/a", &vault.root, Some(&body)).await.0.as_u16() })
    });
    let mut outcomes = Vec::new();
    for outcome in tries.collect::<Vec<_>>() {
        outcomes.push(outcome.await.unwrap());
    }
    assert_eq!(outcomes.iter().filter(|status| **status == 200).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|status| **status == 400).count(), 31, "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_of_one_folder_all_succeed_and_are_all_listed() {
    let vault = Arc::new(TestVault::ready().await);
    let tries = (0..48).map(|writer| {
        let vault = Arc::clone(&vault);
        tokio::spawn(async move {
            let path = format!("secret/data/team/app/{writer:02}");
            let (status, value) = vault.call("PUT", &path, &vault.root, Some("{\"data\":{}}")).await;
            assert_eq!(status.as_u16(), 200, "{value}");
        })
    });
    for outcome in tries.collect::<Vec<_>>() {
        outcome.await.unwrap();
    }
    let listed = vault.expect(200, "LIST", "secret/metadata/team/app", None).await;
    assert_eq!(listed["data"]["keys"].as_array().unwrap().len(), 48);
}

#[tokio::test]
async fn a_disabled_mount_is_gone_at_once_and_a_new_one_starts_empty() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/a/b", Some(json!({"x": "1"}))).await;
    vault.expect(204, "DELETE", "sys/mounts/kv", None).await;
    vault.expect(404, "GET", "kv/a/b", None).await;
    vault.expect(204, "POST", "sys/mounts/kv", Some(json!({"type": "kv"}))).await;
    vault.expect(404, "GET", "kv/a/b", None).await;
    vault.expect(404, "LIST", "kv", None).await;
}

#[tokio::test]
async fn what_was_given_up_is_removed_from_the_store() {
    let storage = Arc::new(MemoryStorage::default());
    let vault = TestVault::over(Arc::<MemoryStorage>::clone(&storage)).await.furnished().await;
    let before = storage.row_count();
    for path in ["a", "team/app/db", "team/app/web", "team/x/y/z"] {
        vault.expect(200, "PUT", &format!("secret/data/{path}"), Some(json!({"data": {}}))).await;
        vault.expect(204, "PUT", &format!("kv/{path}"), Some(json!({"x": "1"}))).await;
    }
    let made = vault.expect(200, "POST", "auth/token/create", Some(json!({"policies": ["default"]}))).await;
    let token = made["auth"]["client_token"].as_str().unwrap();
    vault.expect_as(token, 204, "PUT", "cubbyhole/a/b", Some(json!({"x": "1"}))).await;
    vault.expect_as(token, 204, "PUT", "auth/token/revoke-self", None).await;
    vault.expect(204, "DELETE", "sys/mounts/kv", None).await;
    vault.expect(204, "DELETE", "sys/mounts/secret", None).await;
    // The two mounts themselves are gone too; the folders of leases stay.
    let lease_folders = 3;
    let after = before - 2 + lease_folders;
    for _ in 0..10_000 {
        if storage.row_count() == after {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(storage.row_count(), after);
}

#[tokio::test]
async fn an_expired_token_is_refused_at_its_very_end() {
    let vault = TestVault::ready().await;
    let made = vault.expect(200, "POST", "auth/token/create", Some(json!({"ttl": "60s"}))).await;
    let token = made["auth"]["client_token"].as_str().unwrap();
    vault.clock.advance_seconds(59);
    vault.expect_as(token, 200, "GET", "auth/token/lookup-self", None).await;
    vault.clock.advance_seconds(1);
    vault.expect_as(token, 403, "GET", "auth/token/lookup-self", None).await;
}

/// A reload that is under way must not let others be judged by the rules from before the change.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_that_begins_after_a_policy_change_is_judged_by_the_old_rules() {
    let vault = Arc::new(TestVault::ready().await);
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    // Many policies make a reload long enough for others to come in between.
    for number in 0..200 {
        let policy = json!({"policy": "path \"x/*\" { capabilities = [\"read\"] }"});
        vault.expect(204, "PUT", &format!("sys/policies/acl/filler{number}"), Some(policy)).await;
    }
    let token = vault.token_with("reader", "path \"kv/*\" { capabilities = [\"read\"] }").await;
    for round in 0..20 {
        let (word, expected) = if round % 2 == 0 { ("deny", 403) } else { ("read", 200) };
        let policy = json!({ "policy": format!("path \"kv/*\" {{ capabilities = [\"{word}\"] }}") });
        vault.expect(204, "PUT", "sys/policies/acl/reader", Some(policy)).await;
        let readers = (0..16).map(|_| {
            let (vault, token) = (Arc::clone(&vault), token.clone());
            tokio::spawn(async move { vault.call("GET", "kv/a", &token, None).await.0.as_u16() })
        });
        for reader in readers.collect::<Vec<_>>() {
            assert_eq!(reader.await.unwrap(), expected, "round {round}");
        }
    }
}
