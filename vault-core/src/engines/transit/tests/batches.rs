//! Batches: an outcome for each item, and the status of the whole.

use serde_json::{Value, json};

use super::{Fixture, base64};
use crate::engines::test_store::data;
use crate::reply::Reply;
use crate::request::Operation::Write;

fn fixture() -> (Fixture, String) {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({}));
    let ciphertext = f.encrypt("k", b"text", json!({}));
    (f, ciphertext)
}

#[test]
fn items_that_fail_make_the_whole_a_failure_that_tells_all_outcomes() {
    let (mut f, good) = fixture();
    let items = json!([{"ciphertext": good, "reference": "r"}, {"ciphertext": "vault:v9:AAAA"}, {}]);
    let reply = f.call(Write, "decrypt/k", json!({ "batch_input": items })).unwrap();
    assert!(matches!(reply, Reply::Partial { asked_status: None, .. }));
    let results = data(&reply)["batch_results"].clone();
    assert_eq!(results[0], json!({"plaintext": base64(b"text"), "reference": "r"}));
    assert_eq!(results[1], json!({"error": "invalid ciphertext: version is too new"}));
    assert_eq!(results[2], json!({"error": "missing ciphertext to decrypt"}));
    let body = json!({"batch_input": items, "partial_failure_response_code": "202"});
    let reply = f.call(Write, "decrypt/k", body).unwrap();
    assert!(matches!(reply, Reply::Partial { asked_status: Some(202), .. }));
    let body = json!({"batch_input": [{}], "partial_failure_response_code": 200});
    let reply = f.call(Write, "decrypt/k", body).unwrap();
    assert!(matches!(reply, Reply::Partial { asked_status: None, .. }), "all failed, and the caller's wish is void");
    for code in [json!(0), json!(199), json!(600), json!("x")] {
        f.refused("decrypt/k", json!({"batch_input": [{}], "partial_failure_response_code": code}));
    }
    let body = json!({"batch_input": [{"ciphertext": good}]});
    assert!(matches!(f.call(Write, "rewrap/k", body), Ok(Reply::Content(_))));
}

#[test]
fn a_wrapped_batch_is_never_given_in_clear() {
    let (mut f, good) = fixture();
    let body = json!({"batch_input": [{"ciphertext": good}, {}]}).to_string();
    let mut request = f.store.request(Write, "t/decrypt/k", Some(&body), None);
    request.wrap_ttl = Some(crate::time::Span(60));
    let reply = f.store.run(&super::Transit, &f.mount, &f.sender, &request).unwrap();
    assert!(matches!(reply, Reply::Wrapped(_)));
}

#[test]
fn signatures_and_keyed_hashes_tell_failures_in_the_answer_only() {
    let (mut f, _) = fixture();
    f.ok("keys/s", json!({"type": "ed25519"}));
    for path in ["sign/s", "hmac/k"] {
        let body = json!({"batch_input": [{"input": base64(b"a")}, {"input": "?"}]});
        let Ok(Reply::Content(_)) = f.call(Write, path, body.clone()) else { panic!("{path}") };
        let results = f.ok(path, body)["batch_results"].clone();
        assert_eq!(results[1], json!({"error": "failed to base64-decode input"}));
        let field = if path == "sign/s" { "signature" } else { "hmac" };
        let right = json!({"input": base64(b"a"), field: results[0][field]});
        let wrong = json!({"input": base64(b"b"), field: results[0][field]});
        let path = if path == "sign/s" { "verify/s" } else { "verify/k" };
        let checked = f.ok(path, json!({"batch_input": [right, wrong]}));
        assert_eq!(checked["batch_results"], json!([{"valid": true}, {"valid": false}]));
    }
    f.refused(
        "verify/k",
        json!({"batch_input": [{"input": "", "hmac": "vault:v1:"}, {"input": "", "signature": "x"}]}),
    );
}

#[test]
fn a_batch_is_bounded_and_not_empty() {
    let (mut f, _) = fixture();
    f.refused("encrypt/k", json!({"batch_input": []}));
    f.ok("keys/s", json!({"type": "ed25519"}));
    let items = vec![json!({"input": ""}); 251];
    assert!(f.refused("sign/s", json!({ "batch_input": items })).contains("250"));
    f.refused("encrypt/new", json!({"batch_input": vec![json!({"plaintext": ""}); 10_001]}));
}

#[test]
fn a_missing_key_is_made_for_a_batch_that_works_at_least_in_part() {
    let (mut f, _) = fixture();
    let context = base64(b"c");
    f.refused("encrypt/n", json!({"batch_input": [{"plaintext": "", "context": context}, {"plaintext": ""}]}));
    let before = f.store.rows.len();
    assert!(f.call(Write, "encrypt/n", json!({"batch_input": [{"plaintext": "?"}]})).is_ok());
    assert_eq!(f.store.rows.len(), before, "nothing was encrypted, so that no key is needed");
    let body = json!({"batch_input": [{"plaintext": "?"}, {"plaintext": base64(b"a")}]});
    let results = data(&f.call(Write, "encrypt/n", body).unwrap())["batch_results"].clone();
    assert_eq!(f.decrypt("n", results[1]["ciphertext"].as_str().unwrap(), Value::Null), b"a");
}

#[test]
fn the_version_of_a_request_holds_for_the_items_that_name_none() {
    let (mut f, _) = fixture();
    f.ok("keys/s", json!({"type": "ed25519"}));
    for (path, field) in [("sign/s", "signature"), ("hmac/k", "hmac")] {
        let name = path.split_once('/').unwrap().1;
        f.ok(&format!("keys/{name}/rotate"), json!({}));
        let body = json!({"key_version": 1, "batch_input": [{"input": ""}, {"input": "", "key_version": 2}]});
        let results = f.ok(path, body)["batch_results"].clone();
        for (item, version) in [(0, "vault:v1:"), (1, "vault:v2:")] {
            assert!(results[item][field].as_str().unwrap().starts_with(version), "{path}: {results}");
        }
    }
}
