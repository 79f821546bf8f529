//! Batch tokens: what they are, what they cannot do, and what ends them.

use serde_json::json;

use super::*;
use crate::auth::token::Kind;

#[test]
fn a_batch_token_is_made_without_a_row_and_looked_up() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let rows = tokens.store.rows.len();
    let body = json!({"type": "batch", "policies": ["a"], "ttl": "1h", "meta": {"k": "v"}, "display_name": "x"});
    let grant = tokens.grant(&root, "create", body);
    assert_eq!(tokens.store.rows.len(), rows);
    assert_eq!((grant.kind, grant.accessor.as_str(), grant.renewable), (Kind::Batch, "", false));
    let text = grant.token.expose().to_owned();
    assert!(text.starts_with("ktb."));
    let seen = tokens.lookup(&text);
    assert_eq!((&seen["type"], &seen["accessor"], &seen["id"]), (&json!("batch"), &json!(""), &json!(text)));
    assert_eq!((&seen["policies"], &seen["meta"]), (&json!(["a", "default"]), &json!({"k": "v"})));
    assert_eq!(
        (&seen["ttl"], &seen["orphan"], &seen["display_name"]),
        (&json!(3600), &json!(false), &json!("token-x"))
    );
    let presented = tokens.write(&root, "lookup", json!({ "token": text })).unwrap();
    assert_eq!(data(&presented)["type"], json!("batch"));
}

#[test]
fn a_batch_token_does_nothing_that_needs_a_row() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let batch = tokens.create(&root, json!({"type": "batch", "policies": ["maker"]}));
    assert!(tokens.refused(&batch, "create", json!({})).contains("cannot create more tokens"));
    assert!(tokens.refused(&batch, "renew-self", json!({})).contains("cannot be renewed"));
    assert!(tokens.refused(&batch, "revoke-self", json!({})).contains("cannot be revoked"));
    let named = json!({ "token": batch });
    for path in ["renew", "revoke", "revoke-orphan"] {
        assert!(tokens.refused(&root, path, named.clone()).contains("batch tokens cannot"), "{path}");
    }
    assert!(tokens.is_alive(&batch));
}

#[test]
fn what_a_batch_token_cannot_have_is_refused() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    for more in [
        json!({"policies": ["root"]}),
        json!({"policies": []}),
        json!({"num_uses": 2}),
        json!({"period": "1h"}),
        json!({"id": "mine"}),
    ] {
        let mut body = json!({"type": "batch", "policies": ["a"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert!(tokens.refused(&root, "create", body.clone()).contains("batch token"), "{body}");
    }
    let capped = json!({"type": "batch", "policies": ["a"], "ttl": "1h", "explicit_max_ttl": 60, "renewable": true});
    let capped = tokens.grant(&root, "create", capped);
    assert_eq!((capped.lease_duration, capped.renewable), (Span(60), false));
}

#[test]
fn a_batch_token_ends_by_itself_and_with_its_ancestors() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let grandparent = tokens.create(&root, json!({"policies": ["a"]}));
    let parent = tokens.create(&grandparent, json!({}));
    let child = tokens.create(&parent, json!({"type": "batch", "ttl": 60}));
    let orphan = tokens.create(&root, json!({"type": "batch", "ttl": 60, "policies": ["a"], "no_parent": true}));
    assert!(tokens.is_alive(&child) && tokens.is_alive(&orphan));
    tokens.write(&root, "revoke", json!({ "token": grandparent })).unwrap();
    assert!(!tokens.is_alive(&child) && tokens.is_alive(&orphan));
    tokens.advance(59);
    assert!(tokens.is_alive(&orphan));
    tokens.advance(1);
    assert!(!tokens.is_alive(&orphan));
}

#[test]
fn a_role_chooses_the_kind() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    for (more, why) in [
        (json!({}), "non-orphan"),
        (json!({"orphan": true}), "renewable"),
        (json!({"orphan": true, "renewable": false, "token_period": 60}), "periodic"),
        (json!({"orphan": true, "renewable": false, "token_explicit_max_ttl": 60}), "explicit max TTL"),
        (json!({"orphan": true, "renewable": false, "token_num_uses": 1}), "use count"),
    ] {
        let mut body = json!({"token_type": "batch"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert!(tokens.refused(&root, "roles/r", body).contains(why), "{why}");
    }
    assert!(tokens.refused(&root, "roles/r", json!({"token_type": "sealed"})).contains("token_type"));
    let body = json!({"token_type": "batch", "orphan": true, "renewable": false, "allowed_policies": "a"});
    tokens.write(&root, "roles/always", body).unwrap();
    tokens.write(&root, "roles/mostly", json!({"token_type": "default-batch", "allowed_policies": "a"})).unwrap();
    let shown = data(&tokens.call(&root, Operation::Read, "roles/mostly", json!({})).unwrap());
    assert_eq!(shown["token_type"], json!("default-batch"));
    let mut kind = |role: &str, body| tokens.grant(&root, &format!("create/{role}"), body).kind;
    assert_eq!(kind("always", json!({"type": "service"})), Kind::Batch);
    assert_eq!(kind("mostly", json!({})), Kind::Batch);
    assert_eq!(kind("mostly", json!({"type": "service"})), Kind::Service);
}
