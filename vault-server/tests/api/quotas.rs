//! Rate limits: at the boundary exactly, for many at once, and lifted by whoever set them.

use std::sync::Arc;

use serde_json::json;

use crate::support::TestVault;

#[tokio::test]
async fn a_limit_holds_at_its_boundary_and_comes_back_in_time() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let limit = json!({"path": "kv", "rate": 3, "interval": "10s"});
    vault.expect(204, "POST", "sys/quotas/rate-limit/kv", Some(limit)).await;
    for _ in 0..3 {
        vault.expect(200, "GET", "kv/a", None).await;
    }
    vault.expect(429, "GET", "kv/a", None).await;
    vault.expect(429, "GET", "kv/a", None).await;
    vault.expect(200, "GET", "sys/mounts", None).await;
    vault.clock.advance_seconds(4);
    vault.expect(200, "GET", "kv/a", None).await;
    vault.expect(429, "GET", "kv/a", None).await;
    let read = vault.expect(200, "GET", "sys/quotas/rate-limit/kv", None).await;
    assert_eq!((&read["data"]["rate"], &read["data"]["path"]), (&json!(3.0), &json!("kv")));
    vault.expect(204, "DELETE", "sys/quotas/rate-limit/kv", None).await;
    vault.expect(200, "GET", "kv/a", None).await;
    vault.expect(404, "LIST", "sys/quotas/rate-limit", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_exactly_as_many_pass_as_the_limit_says() {
    let vault = Arc::new(TestVault::ready().await);
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    vault.expect(204, "POST", "sys/quotas/rate-limit/all", Some(json!({"rate": 7, "interval": 60}))).await;
    let tries = (0..40).map(|_| {
        let vault = Arc::clone(&vault);
        tokio::spawn(async move { vault.call("GET", "kv/a", &vault.root, None).await.0.as_u16() })
    });
    let mut passed = 0;
    for outcome in tries.collect::<Vec<_>>() {
        passed += usize::from(outcome.await.unwrap() == 200);
    }
    assert_eq!(passed, 7);
    vault.expect(204, "DELETE", "sys/quotas/rate-limit/all", None).await;
}

#[tokio::test]
async fn strangers_are_limited_before_they_are_known_and_one_record_speaks_for_all() {
    let vault = TestVault::ready().await;
    let limit = json!({"path": "kv", "rate": 1, "interval": "10s", "block_interval": "30s"});
    vault.expect(204, "POST", "sys/quotas/rate-limit/kv", Some(limit)).await;
    vault.expect_as("nobody", 403, "GET", "kv/a", None).await;
    for _ in 0..20 {
        vault.expect_as("nobody", 429, "GET", "kv/a", None).await;
    }
    vault.clock.advance_seconds(15);
    vault.expect_as("nobody", 429, "GET", "kv/a", None).await;
    vault.expect(200, "GET", "sys/mounts", None).await;
    let busy = vault.audit().into_iter().filter(|record| record["class"] == json!("busy")).count();
    assert_eq!(busy, 2, "one for each interval in which any was refused");
}

#[tokio::test]
async fn limits_that_make_no_sense_are_refused() {
    let vault = TestVault::ready().await;
    let write = |body| vault.expect(400, "POST", "sys/quotas/rate-limit/x", Some(body));
    for body in [
        json!({}),
        json!({"rate": 0}),
        json!({"rate": -1}),
        json!({"rate": "many"}),
        json!({"rate": 1, "interval": 0}),
        json!({"rate": 1, "role": "x"}),
        json!({"rate": 1, "inheritable": false}),
    ] {
        write(body).await;
    }
    vault.expect(204, "POST", "sys/quotas/rate-limit/a", Some(json!({"rate": 10, "path": "kv/"}))).await;
    write(json!({"rate": 10, "path": "kv"})).await;
}
