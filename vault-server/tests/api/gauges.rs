//! What metrics tell of seal, people, tokens and the door; and what strangers are told.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use crate::change_control::Service;
use crate::house::{House, ONE};
use crate::support::TestVault;

/// Longest wait for what housekeeping counts.
const WAIT_MAX: Duration = Duration::from_secs(30);

async fn read(vault: &TestVault, token: &str) -> (StatusCode, String) {
    let request = Request::get("/v1/sys/metrics?format=prometheus").header("x-vault-token", token);
    let (status, body) = vault.send_raw(request.body(Body::empty()).unwrap()).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn value_in(text: &str, series: &str) -> i64 {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

async fn value(vault: &TestVault, series: &str) -> i64 {
    value_in(&read(vault, &vault.root).await.1, series)
}

async fn until(vault: &TestVault, series: &str, expected: i64) {
    let seen = async {
        while value(vault, series).await != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, seen).await.unwrap_or_else(|_| panic!("{series} never is {expected}"));
}

const WAITING: &str = "keyturn_requests_held{state=\"waiting\"}";
const APPROVED: &str = "keyturn_requests_held{state=\"approved\"}";
const AGE: &str = "keyturn_requests_held_oldest_age_seconds";

#[tokio::test]
async fn held_requests_are_followed_to_their_end_and_found_again_after_unsealing() {
    let house = House::new(ONE).await;
    let vault = &house.vault;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let ask = || house.ask(&ann, "GET", "secret/data/prod/root", None);
    let (wrapping, first) = ask().await;
    vault.clock.advance_seconds(60);
    let (_, second) = ask().await;
    vault.clock.advance_seconds(7);
    assert_eq!((value(vault, WAITING).await, value(vault, AGE).await), (2, 67));
    house.authorize(&ben, 200, &first).await;
    assert_eq!((value(vault, WAITING).await, value(vault, APPROVED).await, value(vault, AGE).await), (1, 1, 7));
    house.authorize(&ben, 200, &first).await;
    assert_eq!(value(vault, "keyturn_request_approvals_total{person=\"\"}").await, 1, "a second yes is the same yes");

    vault.expect(204, "POST", "sys/seal", None).await;
    vault.unseal().await;
    until(vault, APPROVED, 1).await;
    assert_eq!((value(vault, WAITING).await, value(vault, AGE).await), (1, 7));

    house.unwrap(&ann, 200, &wrapping).await;
    assert_eq!((value(vault, WAITING).await, value(vault, APPROVED).await), (1, 0));
    let no = Some(json!({"reason": "not now"}));
    vault.expect_as(&ben, 204, "POST", &format!("sys/requests/{second}/deny"), no).await;
    assert_eq!((value(vault, WAITING).await, value(vault, AGE).await), (0, 0));
    assert_eq!(value(vault, "keyturn_request_denials_total{person=\"\"}").await, 1);

    // What was denied cannot be asked for again at once.
    vault.clock.advance_seconds(16 * 60);
    let (_, third) = ask().await;
    vault.expect_as(&ann, 204, "POST", &format!("sys/requests/{third}/cancel"), Some(json!({}))).await;
    assert_eq!(value(vault, WAITING).await, 0);
}

#[tokio::test]
async fn approvals_are_counted_by_person_of_the_charter_and_no_stranger_reads_who() {
    let service = Service::new().await;
    let alice = service.login("alice").await;
    let app = json!({"policy": "path \"kv/app\" { capabilities = [\"read\"] }"});
    let id = service.ask(&alice, "PUT", "sys/policies/acl/app", app).await;
    service.approve("bob", &id).await;
    service.approve("dan", &id).await;
    let (_, text) = read(&service.vault, &alice).await;
    for person in ["bob", "dan"] {
        assert_eq!(value_in(&text, &format!("keyturn_request_approvals_total{{person=\"{person}\"}}")), 1);
    }
    assert_eq!((value_in(&text, WAITING), value_in(&text, APPROVED)), (0, 0), "it took effect with the last yes");
    let vault = service.vault.telling_metrics();
    let (status, told) = read(&vault, "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(told.contains("keyturn_requests_held") && !told.contains("person") && !told.contains("bob"), "{told}");
}

#[tokio::test]
async fn tokens_are_counted_by_kind_and_leases_with_them() {
    let vault = TestVault::ready().await;
    let make = |body| vault.expect(200, "POST", "auth/token/create", Some(body));
    let child = make(json!({"policies": ["default"], "ttl": "1h"})).await;
    make(json!({"policies": ["default"], "ttl": "1h", "no_parent": true})).await;
    make(json!({"policies": ["default"], "period": "1h"})).await;
    make(json!({"policies": ["default"], "type": "batch", "ttl": "1h"})).await;
    vault.expect(200, "POST", "auth/token/tidy", None).await;
    until(&vault, "keyturn_leases", 3).await;
    for (kind, count) in [("root", 1), ("child", 1), ("orphan", 1), ("periodic", 1), ("login", 0), ("wrapping", 0)] {
        assert_eq!(value(&vault, &format!("keyturn_tokens{{kind=\"{kind}\"}}")).await, count, "{kind}");
    }
    let accessor = json!({"accessor": child["auth"]["accessor"]});
    vault.expect(204, "POST", "auth/token/revoke-accessor", Some(accessor)).await;
    vault.expect(200, "POST", "auth/token/tidy", None).await;
    until(&vault, "keyturn_leases", 2).await;
}

#[tokio::test]
async fn strangers_are_told_of_the_seal_only_where_the_settings_let_them() {
    let vault = TestVault::ready().await;
    assert_eq!(read(&vault, "").await.0, StatusCode::FORBIDDEN);
    assert_eq!(value(&vault, "keyturn_unsealed").await, 1);
    vault.expect(204, "POST", "sys/seal", None).await;
    assert_eq!(read(&vault, "").await.0, StatusCode::SERVICE_UNAVAILABLE);

    let vault = vault.telling_metrics();
    let told = |series: &'static str| {
        let vault = &vault;
        async move { value_in(&read(vault, "").await.1, series) }
    };
    assert_eq!(told("keyturn_unsealed").await, 0);
    vault.expect(200, "PUT", "sys/unseal", Some(json!({"key": vault.keys[0]}))).await;
    assert_eq!((told("keyturn_unseal_shares_received").await, told("keyturn_unseal_shares_needed").await), (1, 2));
    vault.expect(200, "PUT", "sys/unseal", Some(json!({"reset": true}))).await;
    assert_eq!(told("keyturn_unseal_shares_received").await, 0);
    vault.unseal().await;
    assert_eq!((told("keyturn_unsealed").await, told("keyturn_unseal_shares_received").await), (1, 0));
    assert!(told("keyturn_storage_revision").await > 0);
    let before = vault.audit().len();
    read(&vault, "made-up").await;
    assert_eq!(vault.audit().len(), before, "no token is looked at");
    vault.expect_as("", 400, "GET", "sys/metrics?format=xml", None).await;
    vault.expect_as("", 403, "GET", "sys/mounts", None).await;
}

#[tokio::test]
async fn the_door_counts_whom_it_turns_away() {
    let vault = TestVault::ready().await;
    let send = |method: &str, path: &str, token: String, body: &'static str| {
        let request = Request::builder().method(method).uri(path).header("x-vault-token", token);
        vault.send_raw(request.body(Body::from(body)).unwrap())
    };
    send("GET", "/elsewhere", vault.root.clone(), "").await;
    send("POST", "/v1/secret/data/a", vault.root.clone(), "[1]").await;
    send("TRACE", "/v1/secret/data/a", vault.root.clone(), "").await;
    send("GET", "/v1/secret/data/a", "x".repeat(100_000), "").await;
    let large: &'static str = Box::leak("x".repeat(100_001).into_boxed_str());
    send("POST", "/v1/secret/data/a", vault.root.clone(), large).await;
    // What the vault itself refuses is counted there.
    vault.expect(404, "GET", "secret/data/nothing", None).await;
    for reason in ["no_such_place", "malformed", "method", "token_malformed", "too_large"] {
        let series = format!("keyturn_http_requests_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(value(&vault, &series).await, 1, "{reason}");
    }
}

#[tokio::test]
async fn the_text_format_is_the_one_that_is_accepted() {
    let vault = TestVault::ready().await;
    let (_, classic) = read(&vault, &vault.root).await;
    assert!(classic.starts_with("# HELP keyturn_build_info "), "{classic}");
    assert!(!classic.contains("# EOF") && !classic.contains("# UNIT"), "{classic}");
    assert!(classic.contains("# TYPE keyturn_requests_total counter\n"), "{classic}");
}
