//! Malformed and unwelcome requests: an error of the right class, and nothing that a stranger may not know.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::support::TestVault;

#[tokio::test]
async fn a_stranger_cannot_tell_what_exists() {
    let vault = TestVault::ready().await;
    vault.expect(200, "PUT", "secret/data/there", Some(json!({"data": {"x": 1}}))).await;
    let limited = vault.token_with("limited", "path \"kv/own\" { capabilities = [\"read\"] }").await;
    let mut answers = Vec::new();
    for token in ["", "kts.unknown", "not a token", &limited] {
        for path in [
            "secret/data/there",
            "secret/data/absent",
            "nowhere/x",
            "sys/mounts",
            "sys/nonsense",
            "auth/token/accessors",
        ] {
            for method in ["GET", "LIST", "PUT", "DELETE"] {
                answers.push(vault.expect_as(token, 403, method, path, None).await);
            }
        }
    }
    assert!(answers.iter().all(|answer| *answer == json!({"errors": ["permission denied"]})), "{answers:?}");
}

#[tokio::test]
async fn malformed_bodies_are_refused_before_anything_happens() {
    let vault = TestVault::ready().await;
    for body in ["[", "[]", "1", "\"x\"", "{\"data\":}", "{\"data\": {\"a\": 1}} x", "{\"data\": 1}", "{}", "", "\u{0}"]
    {
        let (status, value) = vault.call("PUT", "secret/data/a", &vault.root, Some(body)).await;
        assert_eq!(status.as_u16(), 400, "{body:?}: {value}");
    }
    vault.expect(404, "GET", "secret/data/a", None).await;
}

#[tokio::test]
async fn ambiguous_paths_are_refused() {
    let vault = TestVault::ready().await;
    for path in [
        "secret//data/a",
        "secret/data/../a",
        "secret/data/%2e%2e/a",
        "secret/data/a%00",
        "secret/data/%ff",
        "secret/data/%zz",
    ] {
        vault.expect(400, "GET", path, None).await;
    }
    vault.expect(400, "GET", &format!("secret/data/{}", "a".repeat(5_000)), None).await;
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused() {
    let vault = TestVault::ready().await;
    let body = json!({"data": {"x": "a".repeat(100_000)}});
    vault.expect(413, "PUT", "secret/data/a", Some(body)).await;
}

#[tokio::test]
async fn deep_nesting_is_survived() {
    let vault = TestVault::ready().await;
    let body = format!("{{\"data\":{}1{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let (status, _) = vault.call("PUT", "secret/data/a", &vault.root, Some(&body)).await;
    assert!(matches!(status.as_u16(), 200 | 400), "{status}");
    vault.expect(200, "GET", "sys/health", None).await;
}

#[tokio::test]
async fn other_addresses_and_methods_get_a_clear_no() {
    let vault = TestVault::ready().await;
    let send = async |method: &str, uri: &str| {
        let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
        vault.send(request).await.0.as_u16()
    };
    assert_eq!(send("GET", "/").await, 404);
    assert_eq!(send("GET", "/ui/").await, 404);
    assert_eq!(send("TRACE", "/v1/secret/data/a").await, 405);
    assert_eq!(send("DELETE", "/v1/sys/health").await, 405);
}

#[tokio::test]
async fn headers_that_ask_for_more_are_not_ignored() {
    let vault = TestVault::ready().await;
    for (name, value) in [("x-vault-namespace", "team"), ("x-vault-wrap-ttl", "soon")] {
        let request = Request::builder()
            .uri("/v1/secret/data/a")
            .header("x-vault-token", &vault.root)
            .header(name, value)
            .body(Body::empty())
            .unwrap();
        assert_eq!(vault.send(request).await.0.as_u16(), 400, "{name}");
    }
}
