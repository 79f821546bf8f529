//! Soft and hard limits, and canaries: at their boundaries, for many at once, after a restart, and raised by nobody alone.

use std::sync::Arc;

use axum::body::Body;
use serde_json::{Value, json};
use vault_server::storage::Storage;
use vault_server::storage::memory::MemoryStorage;

use crate::change_control::Service;
use crate::house::{House, ONE, error};
use crate::notices::{Listener, until};
use crate::stewards::write;
use crate::support::TestVault;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A moment so many seconds after tests begin.
fn moment(seconds: i64) -> Value {
    json!(1_800_000_000 + seconds)
}

async fn limit(vault: &TestVault, name: &str, body: Value) {
    vault.expect(204, "POST", &format!("sys/limits/{name}"), Some(body)).await;
}

/// A vault over a store, as it is after a restart.
async fn restarted(storage: Arc<dyn Storage>, before: &TestVault, seed: u64) -> TestVault {
    let mut vault = TestVault::over_drawing(storage, seed).await;
    (vault.root, vault.keys) = (before.root.clone(), before.keys.clone());
    vault.unseal().await;
    vault
}

/// Makes the sweep look now, and waits until it has.
async fn sweep(vault: &TestVault, series: &str, value: &str) {
    vault.call("POST", "sys/leases/tidy", &vault.root, None).await;
    until(vault, series, value).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_readers_at_once_exactly_as_many_pass_as_the_hard_limit_says() {
    let vault = Arc::new(TestVault::ready().await);
    vault.expect(200, "PUT", "secret/data/a", Some(json!({"data": {"x": "1"}}))).await;
    for (hour, hard) in (0..).zip([1_usize, 10, 50]) {
        vault.clock.advance_seconds(hour * HOUR);
        limit(
            &vault,
            &format!("of-{hard}"),
            json!({"metric": "reads_per_hour", "path": "secret/data/*", "hard": hard}),
        )
        .await;
        // A token of one's own making counts for oneself.
        let made = vault.expect(200, "POST", "auth/token/create", Some(json!({"policies": ["root"]}))).await;
        let tokens = [vault.root.clone(), made["auth"]["client_token"].as_str().unwrap().to_owned()];
        let readers = tokens.iter().cycle().take(64).cloned().map(|token| {
            let vault = Arc::clone(&vault);
            tokio::spawn(async move { vault.call("GET", "secret/data/a", &token, None).await })
        });
        let mut passed = 0;
        for reader in readers.collect::<Vec<_>>() {
            let (status, answer) = reader.await.unwrap();
            match status.as_u16() {
                200 => passed += 1,
                429 => assert!(error(&answer).contains("hard limit"), "never too busy: {answer}"),
                other => panic!("{other}: {answer}"),
            }
        }
        assert_eq!(passed, hard);
        let (name, until) = (format!("of-{hard}"), moment(30 * DAY));
        limit(&vault, &name, json!({"hard": null, "until": until, "reason": "the next round"})).await;
    }
}

#[tokio::test]
async fn what_was_counted_still_counts_after_a_restart() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let first = TestVault::over(Arc::clone(&storage)).await.furnished().await;
    first.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    limit(&first, "reads", json!({"metric": "reads_per_hour", "path": "kv/*", "hard": 3})).await;
    for _ in 0..2 {
        first.expect(200, "GET", "kv/a", None).await;
    }
    let second = restarted(storage, &first, 9).await;
    second.expect(200, "GET", "kv/a", None).await;
    let refused = second.expect(429, "GET", "kv/a", None).await;
    assert!(error(&refused).contains("keyturn limit raise reads"), "{refused}");
    let log = second.audit();
    let due = json!({"name": "reads", "metric": "reads_per_hour", "value": 4, "bound": 3});
    let refused = log.iter().filter(|line| line["limit"] == due && line["class"] == json!("busy"));
    assert_eq!(refused.count(), 1, "the refusal is on record");
    until(&second, "keyturn_limit_refusals_total{metric=\"reads_per_hour\"}", "1").await;
    second.clock.advance_seconds(HOUR);
    second.expect(200, "GET", "kv/a", None).await;
}

#[tokio::test]
async fn a_soft_limit_is_told_of_once_and_resolved() {
    let mut listener = Listener::start(&[200]).await;
    let vault = TestVault::telling(Arc::new(MemoryStorage::default()), &listener.settings()).await.furnished().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    limit(&vault, "reads", json!({"metric": "reads_per_hour", "path": "kv/*", "soft": 2})).await;
    for _ in 0..6 {
        vault.expect(200, "GET", "kv/a", None).await;
    }
    let told = listener.next().await.body;
    assert_eq!(
        (&told["event"], &told["limit"], &told["level"], &told["value"], &told["bound"], &told["path"]),
        (&json!("limit_breached"), &json!("reads"), &json!("soft"), &json!(3), &json!(2), &json!("kv/a"))
    );
    sweep(&vault, "keyturn_limits_breached{level=\"soft\"}", "1").await;
    vault.clock.advance_seconds(HOUR);
    sweep(&vault, "keyturn_limits_breached{level=\"soft\"}", "0").await;
    let resolved = listener.next().await.body;
    assert_eq!((&resolved["event"], &resolved["breach"]), (&json!("limit_resolved"), &told["breach"]));
    until(&vault, "keyturn_notices_waiting", "0").await;
    assert!(listener.posted.try_recv().is_err(), "and nothing else");
}

#[tokio::test]
async fn a_hard_limit_is_raised_for_a_time_and_the_old_one_comes_back() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let vault = TestVault::over(Arc::clone(&storage)).await.furnished().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    limit(&vault, "reads", json!({"metric": "reads_per_hour", "path": "kv/*", "hard": 1})).await;
    vault.expect(200, "GET", "kv/a", None).await;
    vault.expect(429, "GET", "kv/a", None).await;
    for bad in [
        json!({"hard": 5}),
        json!({"hard": 5, "until": moment(HOUR)}),
        json!({"hard": 5, "reason": "x"}),
        json!({"hard": 5, "until": moment(0), "reason": "x"}),
        json!({"hard": 5, "until": moment(31 * DAY), "reason": "x"}),
        json!({"hard": null, "reason": "x"}),
        json!({"hard": 0}),
        json!({"soft": 2}),
        json!({"path": "other/*"}),
        json!({"metric": "approvals_per_day"}),
        json!({"hrad": 5}),
    ] {
        vault.expect(400, "POST", "sys/limits/reads", Some(bad)).await;
    }
    vault.expect(400, "DELETE", "sys/limits/reads", None).await;
    vault.expect(429, "GET", "kv/a", None).await;
    let raise = json!({"hard": 3, "until": "2027-01-15T08:30:00Z", "reason": "a migration"});
    limit(&vault, "reads", raise).await;
    let read = vault.expect(200, "GET", "sys/limits/reads", None).await["data"].take();
    assert_eq!((&read["hard"], &read["hard_now"]), (&json!(1), &json!(3)));
    assert_eq!((&read["raised"]["reason"], &read["raised"]["by"]), (&json!("a migration"), &json!("root")));
    for status in [200, 200, 429] {
        vault.expect(status, "GET", "kv/a", None).await;
    }
    // The clock of the server that starts again is past the end.
    let again = TestVault::over_drawing(storage, 9).await;
    let mut again = again;
    (again.root, again.keys) = (vault.root.clone(), vault.keys.clone());
    again.clock.advance_seconds(30 * 60);
    again.unseal().await;
    again.expect(429, "GET", "kv/a", None).await;
    let read = again.expect(200, "GET", "sys/limits/reads", None).await["data"].take();
    assert_eq!((&read["hard_now"], &read["raised"]), (&json!(1), &Value::Null));
    again.expect(204, "DELETE", &format!("sys/limits/reads?reason=x&until={}", moment(2 * HOUR)), None).await;
    again.expect(200, "GET", "kv/a", None).await;
    again.clock.advance_seconds(2 * HOUR);
    for status in [200, 429] {
        again.expect(status, "GET", "kv/a", None).await;
    }
}

#[tokio::test]
async fn in_service_nobody_alone_raises_a_hard_limit() {
    let service = Service::new().await;
    write(
        &service.vault,
        &service.people,
        40,
        "sys/limits/ttl",
        json!({"metric": "token_ttl_seconds", "path": "auth/token/*", "hard": 60}),
    )
    .await;
    let alice = service.login("alice").await;
    let create = async |status| {
        let body = Some(json!({"ttl": "2m", "policies": ["default"]}));
        service.vault.expect_as(&alice, status, "POST", "auth/token/create", body).await
    };
    let refused = create(400).await;
    assert!(error(&refused).contains("Two people by the charter's change rule"), "{refused}");
    let raise = json!({"hard": 300, "until": moment(HOUR), "reason": "a long job"});
    let id = service.ask(&alice, "POST", "sys/limits/ttl", raise).await;
    create(400).await;
    service.approve("bob", &id).await;
    create(400).await;
    service.approve("dan", &id).await;
    create(200).await;
    let seen = service.vault.expect_as(&alice, 200, "GET", "sys/limits/ttl", None).await;
    assert_eq!((&seen["data"]["hard_now"], &seen["data"]["raised"]["reason"]), (&json!(300), &json!("a long job")));
    service.vault.clock.advance_seconds(HOUR);
    create(400).await;
    for (method, path) in [("DELETE", "sys/limits/ttl"), ("POST", "sys/canaries/kv/a"), ("DELETE", "sys/canaries/kv/a")]
    {
        let (_, answer) = service.vault.call(method, path, &alice, None).await;
        assert!(answer["errors"].is_array(), "{method} {path}: not without a reason and others: {answer}");
    }
}

#[tokio::test]
async fn defaults_are_there_tell_only_and_give_way_to_what_is_written() {
    let vault = TestVault::ready().await;
    let listed = vault.expect(200, "LIST", "sys/limits", None).await["data"].take();
    let names = ["approvals", "backup-age", "checkup-age", "failed-logins", "pending-age", "secret-age", "token-ttl"];
    assert_eq!(listed["keys"], json!(names));
    for name in names {
        let own = &listed["key_info"][name];
        assert_eq!((&own["is_default"], &own["hard"], own["soft"].is_u64()), (&json!(true), &Value::Null, true));
    }
    limit(&vault, "backup-age", json!({"soft": 30})).await;
    let read = vault.expect(200, "GET", "sys/limits/backup-age", None).await["data"].take();
    assert_eq!((&read["soft"], &read["is_default"]), (&json!(30), &json!(false)));
    vault.expect(204, "DELETE", "sys/limits/backup-age", None).await;
    let read = vault.expect(200, "GET", "sys/limits/backup-age", None).await["data"].take();
    assert_eq!((&read["soft"], &read["is_default"]), (&json!(7), &json!(true)));
    vault.expect(404, "GET", "sys/limits/none", None).await;
    vault.expect(400, "POST", "sys/limits/none", Some(json!({"soft": 1}))).await;
    vault.expect(400, "POST", "sys/limits/none", Some(json!({"metric": "reads_per_hour"}))).await;
    vault.expect(400, "POST", "sys/limits/none", Some(json!({"metric": "reads", "soft": 1}))).await;
}

#[tokio::test]
async fn a_token_that_lives_for_too_long_is_neither_made_nor_renewed() {
    let vault = TestVault::ready().await;
    limit(&vault, "ttl", json!({"metric": "token_ttl_seconds", "hard": 3600})).await;
    let create = async |status, body| vault.expect(status, "POST", "auth/token/create", Some(body)).await;
    create(400, json!({"ttl": "3601s", "policies": ["default"]})).await;
    create(400, json!({})).await;
    create(400, json!({"ttl": "3601s", "type": "batch", "policies": ["default"]})).await;
    let made = create(200, json!({"ttl": "3600s", "policies": ["default"]})).await;
    let token = made["auth"]["client_token"].as_str().unwrap();
    let renew = async |status, increment| {
        let body = Some(json!({"token": token, "increment": increment}));
        vault.expect(status, "POST", "auth/token/renew", body).await
    };
    renew(400, "3601s").await;
    renew(200, "3600s").await;
    vault.expect(204, "POST", "sys/auth/userpass", Some(json!({"type": "userpass"}))).await;
    for (name, ttl, status) in [("long", "2h", 400), ("short", "1h", 200)] {
        let user = json!({"password": "x", "token_ttl": ttl});
        vault.expect(204, "POST", &format!("auth/userpass/users/{name}"), Some(user)).await;
        let body = Some(json!({"password": "x"}));
        vault.expect_as("", status, "POST", &format!("auth/userpass/login/{name}"), body).await;
    }
}

#[tokio::test]
async fn an_approver_agrees_to_so_many_requests_a_day() {
    let house = House::new(ONE).await;
    limit(&house.vault, "tired", json!({"metric": "approvals_per_day", "hard": 2})).await;
    let (ann, ben, cat) = (house.login("ann").await, house.login("ben").await, house.login("cat").await);
    for (approver, status) in [(&ben, 200), (&ben, 200), (&ben, 429), (&cat, 200)] {
        let (_, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
        let answer = house.authorize(approver, status, &id).await;
        assert_eq!(error(&answer).contains("tired"), status == 429, "{answer}");
    }
    house.vault.clock.advance_seconds(16 * HOUR);
    let (_, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    house.authorize(&ben, 200, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_approvals_at_once_exactly_as_many_count_as_the_hard_limit_says() {
    let house = Arc::new(House::new(ONE).await);
    limit(&house.vault, "tired", json!({"metric": "approvals_per_day", "hard": 3})).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let mut tries = Vec::new();
    for _ in 0..12 {
        let (_, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
        let (house, ben) = (Arc::clone(&house), ben.clone());
        tries.push(async move {
            let body = json!({ "accessor": id }).to_string();
            house.vault.call("POST", "sys/control-group/authorize", &ben, Some(&body)).await
        });
    }
    let tries: Vec<_> = tries.into_iter().map(tokio::spawn).collect();
    let mut passed = 0;
    for one in tries {
        let (status, answer) = one.await.unwrap();
        match status.as_u16() {
            200 => passed += 1,
            429 => assert!(error(&answer).contains("tired"), "never too busy: {answer}"),
            other => panic!("{other}: {answer}"),
        }
    }
    assert_eq!(passed, 3);
}

#[tokio::test]
async fn a_request_that_has_waited_for_too_long_is_neither_agreed_to_nor_used() {
    let house = House::new(&format!("{ONE} ttl = \"100h\"")).await;
    limit(&house.vault, "stale", json!({"metric": "pending_age_hours", "hard": 2})).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let (_, waiting) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    let (wrapping, agreed) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    house.vault.clock.advance_seconds(2 * HOUR);
    house.authorize(&ben, 200, &agreed).await;
    house.vault.clock.advance_seconds(1);
    let refused = house.authorize(&ben, 400, &waiting).await;
    assert!(error(&refused).contains("stale"), "{refused}");
    let refused = house.unwrap(&ann, 400, &wrapping).await;
    assert!(error(&refused).contains("stale"), "{refused}");
}

#[tokio::test]
async fn a_request_that_waits_for_long_is_told_of_until_somebody_decides() {
    let mut listener = Listener::start(&[200]).await;
    let telling = TestVault::telling(Arc::new(MemoryStorage::default()), &listener.settings()).await.furnished().await;
    let house = House::furnish(telling, &format!("{ONE} ttl = \"100h\"")).await;
    let (_, id) = house.ask(&house.login("ann").await, "GET", "secret/data/prod/root", None).await;
    assert_eq!(listener.next().await.body["event"], json!("waits"));
    house.vault.clock.advance_seconds(24 * HOUR + 1);
    let soft = "keyturn_limits_breached{level=\"soft\"}";
    for _ in 0..2 {
        sweep(&house.vault, soft, "1").await;
    }
    let told = listener.next().await.body;
    assert_eq!((&told["event"], &told["limit"]), (&json!("limit_breached"), &json!("pending-age")));
    assert_eq!(told["path"], json!("secret/data/prod/root"));
    let reason = Some(json!({"reason": "too late"}));
    house.vault.expect_as(&house.login("ben").await, 204, "POST", &format!("sys/requests/{id}/deny"), reason).await;
    assert_eq!(listener.next().await.body["event"], json!("denied"));
    sweep(&house.vault, soft, "0").await;
    let resolved = listener.next().await.body;
    assert_eq!((&resolved["event"], &resolved["breach"]), (&json!("limit_resolved"), &told["breach"]));
}

#[tokio::test]
async fn after_too_many_failures_in_an_hour_nobody_logs_in_and_nobody_learns_why() {
    let vault = TestVault::ready().await;
    vault.expect(204, "POST", "sys/auth/userpass", Some(json!({"type": "userpass"}))).await;
    vault.expect(204, "POST", "auth/userpass/users/ann", Some(json!({"password": "right"}))).await;
    limit(
        &vault,
        "logins",
        json!({"metric": "failed_logins_per_hour", "path": "auth/userpass/*", "soft": 1, "hard": 3}),
    )
    .await;
    let login = async |status, password: &str| {
        vault.expect_as("", status, "POST", "auth/userpass/login/ann", Some(json!({ "password": password }))).await
    };
    login(400, "wrong").await;
    login(400, "wrong").await;
    login(200, "right").await;
    let wrong = login(400, "wrong").await;
    let right = login(400, "right").await;
    assert_eq!(wrong["errors"], right["errors"], "a stranger learns nothing");
    // What the log holds is on disk once a later record is.
    vault.expect(200, "GET", "sys/mounts", None).await;
    let log = vault.audit();
    assert!(log.iter().any(|line| line["limit"]["name"] == json!("logins")), "{:?}", log.last());
    sweep(&vault, "keyturn_limits_breached{level=\"hard\"}", "1").await;
    vault.clock.advance_seconds(HOUR);
    login(200, "right").await;
}

#[tokio::test]
async fn without_a_backup_nothing_is_written_until_one_is_taken() {
    let vault = TestVault::ready().await;
    limit(&vault, "backup", json!({"metric": "backup_age_days", "hard": 1})).await;
    sweep(&vault, "keyturn_backup_last_time_seconds", "0").await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    // Counted from when the vault looked for the first time; the sweep of the start has.
    vault.clock.advance_seconds(DAY);
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "2"}))).await;
    vault.clock.advance_seconds(1);
    let refused = vault.expect(403, "PUT", "kv/a", Some(json!({"x": "3"}))).await;
    assert!(error(&refused).contains("backup"), "{refused}");
    vault.expect(200, "GET", "kv/a", None).await;
    let request = http::Request::get("/v1/sys/storage/raft/snapshot").header("x-vault-token", &vault.root);
    let (status, _) = vault.send_raw(request.body(Body::empty()).unwrap()).await;
    assert_eq!(status.as_u16(), 200);
    until(&vault, "keyturn_backup_last_time_seconds", &(1_800_000_000 + DAY + 1).to_string()).await;
    let taken = async || vault.call("PUT", "kv/a", &vault.root, Some("{\"x\":\"4\"}")).await.0.as_u16();
    let noted = async {
        while taken().await != 204 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), noted).await.unwrap();
}

#[tokio::test]
async fn without_check_ups_nothing_is_written_until_custodians_are_seen() {
    let service = Service::new().await;
    let (vault, people) = (&service.vault, &service.people);
    write(vault, people, 41, "sys/mounts/kv", json!({"type": "kv"})).await;
    write(vault, people, 42, "sys/limits/seen", json!({"metric": "checkup_age_days", "hard": 1})).await;
    let policy = "path \"kv/*\" { capabilities = [\"create\", \"update\", \"read\"] }";
    write(vault, people, 43, "sys/policies/acl/staff", json!({ "policy": policy })).await;
    let ann = service.login("eve").await;
    vault.expect_as(&ann, 204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    vault.clock.advance_seconds(DAY + 1);
    vault.expect_as(&ann, 403, "PUT", "kv/a", Some(json!({"x": "2"}))).await;
    vault.expect_as(&ann, 200, "GET", "kv/a", None).await;
    for name in ["alice", "bob", "carol", "dan", "erin"] {
        vault.expect_as(&ann, 403, "PUT", "kv/a", Some(json!({"x": "2"}))).await;
        crate::custody::check_up(vault, people, name).await;
    }
    vault.expect_as(&ann, 204, "PUT", "kv/a", Some(json!({"x": "2"}))).await;
}

/// The body of an answer without what differs from one to the next in any case.
fn bare(mut answer: Value) -> String {
    answer["request_id"].take();
    answer.to_string()
}

#[tokio::test]
async fn a_canary_answers_as_ever_and_each_read_of_it_is_told() {
    let mut listener = Listener::start(&[200]).await;
    let storage = Arc::new(MemoryStorage::default());
    let house = House::furnish(TestVault::telling(storage, &listener.settings()).await.furnished().await, ONE).await;
    let vault = &house.vault;
    vault.expect(200, "POST", "secret/data/trap", Some(json!({"data": {"x": "1"}}))).await;
    let read = async || bare(vault.expect(200, "GET", "secret/data/trap", None).await);
    let (before, described) = (read().await, vault.expect(200, "GET", "secret/metadata/trap", None).await);
    vault.expect(204, "POST", "sys/canaries/secret/data/trap", None).await;
    vault.expect(204, "POST", "sys/canaries/secret/data/prod/root", None).await;
    vault.expect(400, "POST", "sys/canaries/sys/mounts", None).await;
    let listed = vault.expect(200, "LIST", "sys/canaries", None).await;
    assert_eq!(listed["data"]["keys"], json!(["secret/data/prod/root", "secret/data/trap"]));
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        assert_eq!(read().await, before);
        let told = listener.next().await.body;
        assert_eq!(
            (&told["event"], &told["path"], &told["reader"]),
            (&json!("canary"), &json!("secret/data/trap"), &json!("root"))
        );
        ids.insert(told["id"].to_string());
    }
    assert_eq!(ids.len(), 3);
    assert_eq!(bare(vault.expect(200, "GET", "secret/metadata/trap", None).await), bare(described));
    let wrapped = http::Request::get("/v1/secret/data/trap")
        .header("x-vault-token", &vault.root)
        .header("x-vault-wrap-ttl", "60");
    let (_, wrapped) = vault.send(wrapped.body(Body::empty()).unwrap()).await;
    assert!(wrapped["wrap_info"]["token"].is_string(), "{wrapped}");
    assert_eq!(listener.next().await.body["event"], json!("canary"));
    // One that waits for people is told of when it is released.
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let (wrapping, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(listener.next().await.body["event"], json!("waits"));
    house.authorize(&ben, 200, &id).await;
    assert_eq!(listener.next().await.body["event"], json!("approved"));
    house.unwrap(&ann, 200, &wrapping).await;
    let told = [listener.next().await.body["event"].clone(), listener.next().await.body["event"].clone()];
    assert!(told.contains(&json!("canary")) && told.contains(&json!("released")), "{told:?}");
    vault.expect(204, "DELETE", "sys/canaries/secret/data/trap", None).await;
    assert_eq!(read().await, before);
    until(vault, "keyturn_canary_reads_total", "5").await;
}

#[tokio::test]
async fn a_canary_without_a_channel_is_counted_and_fails_nobody() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    vault.expect(204, "POST", "sys/canaries/kv/a", None).await;
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "1"}));
    until(&vault, "keyturn_canary_reads_total", "1").await;
}
