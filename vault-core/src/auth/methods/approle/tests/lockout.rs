//! Failures are counted by role and source together, and batch tokens are made where a role asks for them.

use serde_json::json;

use super::*;
use crate::auth::failures;
use crate::auth::token::{Kind, TokenType};
use crate::identity::Groups;
use crate::mounts::Tables;

impl Fixture {
    fn secret_id(&mut self) -> String {
        text(&self.ok(Write, "role/ci/secret-id", json!({})), "secret_id")
    }

    fn fail(&mut self, role_id: &str, times: usize) {
        (0..times).for_each(|_| self.wrong(role_id, "made-up"));
    }
}

#[test]
fn a_source_is_locked_out_of_a_role_and_nobody_else_is() {
    let (mut auth, role_id) = Fixture::with_role(json!({}));
    auth.ok(Write, "role/other", json!({}));
    let other_role = text(&auth.ok(Read, "role/other/role-id", Value::Null), "role_id");
    let other_secret = text(&auth.ok(Write, "role/other/secret-id", json!({})), "secret_id");
    let secret_id = auth.secret_id();
    let threshold = usize::try_from(auth.mount.settings.lockout.threshold).unwrap();
    auth.fail(&role_id, threshold - 1);
    auth.login(&role_id, &secret_id).unwrap();
    auth.fail(&role_id, threshold);
    let rows = auth.store.rows.clone();
    auth.wrong(&role_id, &secret_id);
    assert!(auth.store.rows == rows, "what is locked out leaves no trace");
    auth.login(&other_role, &other_secret).unwrap();
    auth.remote = "192.0.2.2:1000";
    auth.login(&role_id, &secret_id).unwrap();
    auth.remote = "192.0.2.1:1000";
    auth.wrong(&role_id, &secret_id);
    auth.store.now = auth.store.now.after(auth.mount.settings.lockout.duration);
    auth.login(&role_id, &secret_id).unwrap();
}

#[test]
fn a_role_id_that_nobody_has_leaves_the_same_trace() {
    let trace = |known: bool, remote: &'static str, cidrs: Value| {
        let (mut auth, role_id) = Fixture::with_role(json!({ "secret_id_bound_cidrs": cidrs }));
        auth.remote = remote;
        let before = auth.store.rows.len();
        let role_id = if known { role_id } else { "9".repeat(role_id.len()) };
        let mut rows = Vec::new();
        for _ in 0..7 {
            auth.fail(&role_id, 1);
            let folder = failures::folder(&auth.mount, &auth.store.names);
            rows.push((auth.store.rows.len() - before, auth.store.names_in(&folder)));
        }
        rows
    };
    let expected = trace(true, "192.0.2.1:1000", json!([]));
    assert_eq!(expected.first().map(|(rows, _)| *rows), Some(1));
    assert_eq!(trace(false, "192.0.2.1:1000", json!([])), expected);
    assert_eq!(trace(true, "192.0.2.1:1000", json!(["10.0.0.0/8"])), expected);
}

#[test]
fn strangers_cannot_lock_an_application_out_by_filling_the_counters() {
    let (mut auth, role_id) = Fixture::with_role(json!({}));
    let secret_id = auth.secret_id();
    // The same source, and so the same row: sixteen other role ids far beyond the threshold.
    for number in 0..16 {
        auth.fail(&format!("stranger-{number}"), 5);
    }
    auth.login(&role_id, &secret_id).unwrap();
    auth.fail(&role_id, 1);
    auth.login(&role_id, &secret_id).unwrap();
    let folder = failures::folder(&auth.mount, &auth.store.names);
    assert_eq!(auth.store.names_in(&folder).len(), 1);
}

#[test]
fn an_operator_sees_and_ends_a_lockout() {
    let (mut auth, role_id) = Fixture::with_role(json!({}));
    let secret_id = auth.secret_id();
    for remote in ["192.0.2.1:1000", "[2001:db8::1]:1000"] {
        auth.remote = remote;
        auth.fail(&role_id, 5);
    }
    let listed = auth.store.read(|view| {
        let locked = failures::locked_users(&[&auth.mount], &auth.store.names, auth.store.now, view)?;
        Ok(locked.into_iter().flat_map(|(_, users)| users).collect::<Vec<_>>())
    });
    assert_eq!(listed.unwrap(), std::slice::from_ref(&role_id));
    let changes =
        auth.store.read(|view| failures::unlock(&auth.mount, &auth.store.names, &role_id, auth.store.now, view));
    auth.store.apply(changes.unwrap());
    auth.login(&role_id, &secret_id).unwrap();
}

#[test]
fn a_role_asks_for_batch_tokens() {
    let (mut auth, role_id) = Fixture::with_role(json!({"token_type": "batch", "token_ttl": 60}));
    assert_eq!(auth.ok(Read, "role/ci", Value::Null)["token_type"], json!("batch"));
    for body in [json!({"token_num_uses": 1}), json!({"token_period": 60}), json!({"token_type": "sealed"})] {
        assert_eq!(auth.refused(Write, "role/ci", body).class, Class::Invalid);
    }
    let secret_id = auth.secret_id();
    let grant = auth.login(&role_id, &secret_id).unwrap();
    assert_eq!((grant.kind, grant.accessor.as_str(), grant.renewable), (Kind::Batch, "", false));
    assert_eq!((grant.orphan, grant.lease_duration), (true, Span(60)));
    let text = crate::secret::SecretText::new(grant.token.expose().to_owned());
    // No mount of the tables has the fixture's id: to the finder the auth method is disabled.
    assert!(auth.store.read(|view| auth.store.reader().find(&text, view).map(|_| ())).is_err());
    auth.store.tables = Tables::new([auth.mount.clone()], [], Groups::default());
    let alive = |auth: &Fixture| auth.store.read(|view| auth.store.reader().find(&text, view).map(|_| ())).is_ok();
    assert!(alive(&auth));
    auth.store.now = auth.store.now.after(Span(60));
    assert!(!alive(&auth));
    auth.mount.settings.token_type = TokenType::Service;
    assert_eq!(auth.login(&role_id, &secret_id).unwrap().kind, Kind::Service);
}

#[test]
fn a_mount_that_makes_batch_tokens_only_refuses_limited_ones() {
    let (mut auth, role_id) = Fixture::with_role(json!({"token_num_uses": 3}));
    let secret_id = auth.secret_id();
    auth.mount.settings.token_type = TokenType::Batch;
    let refusal = auth.login(&role_id, &secret_id).err().unwrap();
    assert!(refusal.public.contains("number of uses"), "{refusal:?}");
}
