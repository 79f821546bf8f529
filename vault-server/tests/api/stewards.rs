//! A vault in service: what gives power takes stewards together, who sign the very request, and nobody else's token does it.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use vault_core::custody::Act;
use vault_core::envelope::Envelope;
use vault_core::id::VaultId;
use vault_core::request::Operation;

use crate::custody::{People, charter_of, error, made, unseal};
use crate::support::TestVault;

const NOW_SECONDS: i64 = 1_800_000_000;
const STEWARDS: [&str; 2] = ["bob", "erin"];

pub(crate) async fn in_service() -> (TestVault, People) {
    let (vault, people) = made().await;
    unseal(&vault, &people, &["alice", "bob", "dan"]).await;
    (vault, people)
}

/// Begins an act on this vault, under its first charter.
async fn act(vault: &TestVault, people: &People, nonce: u8, operation: Operation, path: &str) -> Act {
    let seen = vault.expect_as("", 200, "GET", "sys/custody", None).await;
    let id = seen["vault"].as_str().unwrap().replace('-', "");
    let id = VaultId(HEXLOWER.decode(id.as_bytes()).unwrap().try_into().unwrap());
    let mut act = Act::new(id, &charter_of(&people.first()).digest(), [nonce; 32], (operation, path));
    act.expires_at_seconds = NOW_SECONDS + 3600;
    act.reason = "set up the application".to_owned();
    act
}

fn signed(people: &People, act: &Act, signers: &[&str]) -> Value {
    let mut envelope: Envelope = act.envelope().unwrap();
    signers.iter().for_each(|name| people.sign(&mut envelope, name));
    serde_json::from_str(&envelope.to_json()).unwrap()
}

/// Writes by the will of enough stewards.
pub(crate) async fn write(vault: &TestVault, people: &People, nonce: u8, path: &str, body: Value) {
    let mut act = act(vault, people, nonce, Operation::Write, path).await;
    act.body = body.as_object().cloned();
    let text = signed(people, &act, &STEWARDS).to_string();
    let (status, answer) = vault.call("POST", "sys/custody/act", "", Some(&text)).await;
    assert!(status.is_success(), "{path}: {status} {answer}");
}

/// Gives a person a login whose policy is the given one.
async fn person_with(vault: &TestVault, people: &People, policy: &str) -> String {
    write(vault, people, 1, "sys/policies/acl/app", json!({ "policy": policy })).await;
    write(vault, people, 2, "sys/auth/userpass", json!({"type": "userpass"})).await;
    let user = json!({"password": "correct horse", "token_policies": "app"});
    write(vault, people, 3, "auth/userpass/users/ann", user).await;
    let login = Some(json!({"password": "correct horse"}));
    let answer = vault.expect_as("", 200, "POST", "auth/userpass/login/ann", login).await;
    answer["auth"]["client_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn stewards_set_a_vault_up_and_people_use_it() {
    let (vault, people) = in_service().await;
    write(&vault, &people, 4, "sys/mounts/kv", json!({"type": "kv"})).await;
    let token =
        person_with(&vault, &people, "path \"kv/*\" { capabilities = [\"create\", \"update\", \"read\"] }").await;
    vault.expect_as(&token, 204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let read = vault.expect_as(&token, 200, "GET", "kv/a", None).await;
    assert_eq!(read["data"], json!({"x": "1"}));
    let log = vault.audit();
    let acts: Vec<_> = log.iter().filter(|line| line["who"]["stewards"] == json!(STEWARDS)).collect();
    let intents =
        acts.iter().filter(|line| line["path"] == json!("sys/mounts/kv") && line["decision"] == json!("allowed"));
    assert_eq!(intents.count(), 1, "{acts:?}");
    assert!(acts.iter().all(|line| line["who"]["reason"] == json!("set up the application")));
}

#[tokio::test]
async fn nobody_alone_does_what_gives_power() {
    let (vault, people) = in_service().await;
    let all = "path \"*\" { capabilities = [\"create\", \"update\", \"read\", \"delete\", \"list\", \"sudo\"] }";
    let token = person_with(&vault, &people, all).await;
    for (method, path, body) in [
        ("PUT", "sys/policies/acl/more", json!({"policy": all})),
        ("DELETE", "sys/policies/acl/app", json!({})),
        ("POST", "sys/mounts/more", json!({"type": "kv"})),
        ("POST", "sys/auth/more", json!({"type": "userpass"})),
        ("POST", "auth/userpass/users/eve", json!({"password": "x", "token_policies": "app"})),
        ("POST", "auth/userpass/users/password", json!({"password": "x", "token_policies": "app"})),
        ("POST", "identity/entity", json!({"name": "eve", "policies": ["app"]})),
        ("PUT", "sys/audit/more", json!({"type": "file"})),
        ("POST", "sys/quotas/rate-limit/all", json!({"rate": 1})),
        ("POST", "sys/remount", json!({"from": "kv", "to": "kw"})),
    ] {
        let refused = vault.expect_as(&token, 403, method, path, Some(body)).await;
        assert!(error(&refused).contains("have stewards make the request"), "{path}: {refused}");
    }
    let log = vault.audit();
    assert!(log.iter().filter(|line| line["decision"] == json!("held")).count() >= 10, "each try is on record");
    // A token made from a token has no more power than that one.
    let made = vault.expect_as(&token, 200, "POST", "auth/token/create", Some(json!({"policies": ["app"]}))).await;
    let child = made["auth"]["client_token"].as_str().unwrap();
    vault.expect_as(child, 403, "POST", "sys/mounts/more", Some(json!({"type": "kv"}))).await;
    // Sealing takes power away; one person may do it.
    vault.expect_as(&token, 204, "PUT", "sys/seal", None).await;
}

#[tokio::test]
async fn an_act_is_good_for_one_request_on_one_vault_under_one_charter() {
    let (vault, people) = in_service().await;
    let body = json!({"type": "kv"});
    let mut good = act(&vault, &people, 1, Operation::Write, "sys/mounts/kv").await;
    good.body = body.as_object().cloned();
    let refused = |status: u16, sent: Value, why: &'static str| {
        let vault = &vault;
        async move {
            let answer = vault.expect_as("", status, "POST", "sys/custody/act", Some(sent)).await;
            assert!(error(&answer).contains(why), "{why}: {answer}");
        }
    };
    for signers in [&[][..], &["bob"], &["alice", "bob", "carol"], &["dan", "erin"]] {
        refused(400, signed(&people, &good, signers), "signatures are missing").await;
    }
    refused(400, signed(&people, &good, &["bob", "erin", "frank"]), "of nobody in the charter").await;
    refused(400, signed(&people, &good, &["bob", "erin", "bob"]), "twice").await;
    let with = |change: &dyn Fn(&mut Act)| {
        let mut act = good.clone();
        change(&mut act);
        signed(&people, &act, &STEWARDS)
    };
    refused(400, with(&|act| act.vault = "00".repeat(16)), "another vault").await;
    refused(400, with(&|act| act.charter = format!("sha256:{}", "0".repeat(64))), "another charter").await;
    refused(400, with(&|act| act.expires_at_seconds = NOW_SECONDS), "expired").await;
    refused(400, with(&|act| act.expires_at_seconds = i64::MAX), "more than 30 days").await;
    let mut altered = signed(&people, &good, &STEWARDS);
    let other = signed(&people, &act(&vault, &people, 9, Operation::Write, "sys/mounts/other").await, &[]);
    altered["payload"] = other["payload"].clone();
    refused(400, altered, "does not hold").await;
    for broken in [json!({}), json!({"payload": "", "payloadType": "", "signatures": []})] {
        vault.expect_as("", 400, "POST", "sys/custody/act", Some(broken)).await;
    }
    // Nothing of all that was done; now it is, and once only.
    let sent = signed(&people, &good, &STEWARDS).to_string();
    let send = || vault.call("POST", "sys/custody/act", "", Some(&sent));
    let (first, second, third) = tokio::join!(send(), send(), send());
    let mut statuses = [first, second, third].map(|(status, _)| status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400, 400]);
    refused(400, signed(&people, &good, &STEWARDS), "carried out already").await;
    refused(400, signed(&people, &good, &["alice", "dan"]), "carried out already").await;
    let other = TestVault::ready().await;
    other.expect_as("", 403, "POST", "sys/custody/act", Some(signed(&people, &good, &STEWARDS))).await;
}
