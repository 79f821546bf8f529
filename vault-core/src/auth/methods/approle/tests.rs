//! Roles, secret ids and logins against the documented behaviour, and random sequences against a model.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AppRole, secret_id};
use crate::auth::{Identity, Sender};
use crate::engines::test_store::{TestStore, data, mount, token};
use crate::engines::{Effect, Engine, Renewal};
use crate::mounts::Mount;
use crate::refusal::{Class, Refusal};
use crate::reply::{Grant, Reply};
use crate::request::Operation::{self, Delete, List, Read, Write};
use crate::time::{Span, Timestamp};

mod lockout;

struct Fixture {
    store: TestStore,
    mount: Mount,
    remote: &'static str,
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

impl Fixture {
    fn new() -> Self {
        Self { store: TestStore::new(), mount: mount("auth/approle/", "approle", ""), remote: "192.0.2.1:1000" }
    }

    /// Starts with a role `ci` and gives its role id.
    fn with_role(settings: Value) -> (Self, String) {
        let mut auth = Self::new();
        auth.ok(Write, "role/ci", settings);
        let role_id = text(&auth.ok(Read, "role/ci/role-id", Value::Null), "role_id");
        (auth, role_id)
    }

    fn run(&mut self, operation: Operation, path: &str, body: Value) -> Result<Reply, Refusal> {
        let body = Some(body.to_string());
        let mut request = self.store.request(operation, &format!("auth/approle/{path}"), body.as_deref(), None);
        request.remote = self.remote.parse().unwrap();
        let sender = match path {
            "login" => Sender::Stranger,
            _ => Identity::for_test("a", token(&["root"]), &self.store.names),
        };
        self.store.run(&AppRole, &self.mount, &sender, &request)
    }

    fn ok(&mut self, operation: Operation, path: &str, body: Value) -> Value {
        data(&self.run(operation, path, body.clone()).unwrap_or_else(|refusal| panic!("{path} {body}: {refusal:?}")))
    }

    fn refused(&mut self, operation: Operation, path: &str, body: Value) -> Refusal {
        self.run(operation, path, body.clone()).err().unwrap_or_else(|| panic!("{path} {body} was not refused"))
    }

    fn login(&mut self, role_id: &str, secret_id: &str) -> Result<Grant, Refusal> {
        match self.run(Write, "login", json!({"role_id": role_id, "secret_id": secret_id}))? {
            Reply::Content(content) => Ok(content.auth.unwrap()),
            _ => panic!("a login answers with a token"),
        }
    }

    /// Logs in and demands the one refusal.
    fn wrong(&mut self, role_id: &str, secret_id: &str) {
        let refusal = self.login(role_id, secret_id).err().unwrap_or_else(|| panic!("{role_id} {secret_id}"));
        assert_eq!((refusal.class, refusal.public.as_str()), (Class::Invalid, "invalid role or secret ID"));
    }

    fn accessors(&mut self) -> Vec<String> {
        match self.run(List, "role/ci/secret-id", Value::Null) {
            Err(refusal) if refusal.class == Class::Missing => Vec::new(),
            listed => serde_json::from_value(data(&listed.unwrap())["keys"].clone()).unwrap(),
        }
    }
}

#[test]
fn a_machine_logs_in() {
    let (mut auth, role_id) = Fixture::with_role(json!({
        "token_policies": "team", "token_ttl": "1h", "secret_id_num_uses": "2", "secret_id_ttl": "10m",
    }));
    let made = auth.ok(Write, "role/CI/secret-id", json!({"metadata": "{\"build\":\"7\",\"role_name\":\"other\"}"}));
    assert_eq!((&made["secret_id_ttl"], &made["secret_id_num_uses"]), (&json!(600), &json!(2)));
    let (secret_id, accessor) = (text(&made, "secret_id"), text(&made, "secret_id_accessor"));
    let grant = auth.login(&role_id, &secret_id).unwrap();
    assert_eq!((grant.policies, grant.lease_duration), (vec!["default".to_owned(), "team".to_owned()], Span(3600)));
    assert_eq!((grant.metadata["role_name"].as_str(), grant.metadata["build"].as_str()), ("ci", "7"));
    let seen = auth.ok(Write, "role/ci/secret-id/lookup", json!({ "secret_id": secret_id }));
    assert_eq!((&seen["secret_id_num_uses"], &seen["metadata"]["build"]), (&json!(1), &json!("7")));
    assert_eq!(auth.ok(Write, "role/ci/secret-id-accessor/lookup", json!({ "secret_id_accessor": accessor })), seen);
    assert_eq!(auth.accessors(), std::slice::from_ref(&accessor));
    auth.login(&role_id, &secret_id).unwrap();
    auth.wrong(&role_id, &secret_id);
    assert_eq!(auth.accessors(), Vec::<String>::new());
    assert_eq!(auth.ok(Write, "role/ci/secret-id/lookup", json!({ "secret_id": secret_id })), Value::Null);
    let gone = auth.refused(Write, "role/ci/secret-id-accessor/lookup", json!({ "secret_id_accessor": accessor }));
    assert!(gone.class == Class::Missing && gone.public.contains("failed to find accessor entry"), "{gone:?}");
}

#[test]
fn an_unknown_role_and_a_wrong_secret_answer_alike() {
    let (mut auth, role_id) = Fixture::with_role(json!({}));
    let made = auth.ok(Write, "role/ci/secret-id", json!({"cidr_list": "198.51.100.0/24"}));
    for (role_id, secret_id) in
        [(role_id.as_str(), ""), (&role_id, "x"), ("x", "x"), ("x", ""), (&role_id, &text(&made, "secret_id"))]
    {
        auth.wrong(role_id, secret_id);
    }
    auth.wrong(&"a".repeat(513), "x");
    auth.wrong(&role_id, &"a".repeat(513));
    assert_eq!(auth.refused(Write, "login", json!({"secret_id": "x"})).class, Class::Invalid);
}

#[test]
fn no_row_holds_a_secret_id() {
    let (mut auth, role_id) = Fixture::with_role(json!({}));
    let drawn = text(&auth.ok(Write, "role/ci/secret-id", json!({})), "secret_id");
    auth.ok(Write, "role/ci/custom-secret-id", json!({"secret_id": "canary-1"}));
    auth.login(&role_id, "canary-1").unwrap();
    auth.login(&role_id, &drawn).unwrap();
    for (name, payload) in auth.store.rows.values() {
        let payload = String::from_utf8_lossy(payload);
        assert!(!name.contains("canary") && !payload.contains("canary"), "{name}");
        assert!(!name.contains(&drawn) && !payload.contains(&drawn), "{name}");
    }
    assert_eq!(
        auth.refused(Write, "role/ci/custom-secret-id", json!({"secret_id": "canary-1"})).public,
        "SecretID is already registered"
    );
}

#[test]
fn a_role_deleted_and_made_again_knows_no_old_secret_id() {
    let (mut auth, role_id) = Fixture::with_role(json!({"role_id": "fixed"}));
    assert_eq!(role_id, "fixed");
    let secret_id = text(&auth.ok(Write, "role/ci/secret-id", json!({})), "secret_id");
    auth.ok(Delete, "role/ci", Value::Null);
    assert!(auth.store.effects.contains(&Effect::Purge));
    assert_eq!(auth.store.names_in(&crate::purge::queue(&auth.store.names)).len(), 2);
    auth.wrong(&role_id, &secret_id);
    auth.ok(Write, "role/ci", json!({"role_id": "fixed"}));
    auth.wrong(&role_id, &secret_id);
    assert_eq!(auth.accessors(), Vec::<String>::new());
}

#[test]
fn addresses_are_bounds_of_logins_and_tokens() {
    let (mut auth, role_id) = Fixture::with_role(json!({
        "secret_id_bound_cidrs": "192.0.2.0/24", "token_bound_cidrs": ["192.0.2.0/24"],
    }));
    for body in [json!({"cidr_list": "192.0.0.0/16"}), json!({"token_bound_cidrs": "0.0.0.0/0"})] {
        assert_eq!(auth.refused(Write, "role/ci/secret-id", body).class, Class::Invalid);
    }
    let body = json!({"cidr_list": "192.0.2.0/25", "token_bound_cidrs": "192.0.2.0/25", "num_uses": 1});
    let secret_id = text(&auth.ok(Write, "role/ci/secret-id", body), "secret_id");
    for remote in ["198.51.100.1:1", "192.0.2.200:1"] {
        auth.remote = remote;
        auth.wrong(&role_id, &secret_id);
    }
    auth.remote = "192.0.2.1:1";
    auth.ok(Write, "role/ci/token-bound-cidrs", json!({"token_bound_cidrs": "192.0.2.128/25"}));
    auth.wrong(&role_id, &secret_id);
    auth.ok(Delete, "role/ci/token-bound-cidrs", Value::Null);
    auth.login(&role_id, &secret_id).unwrap();
    let open = json!({"bind_secret_id": "false", "secret_id_bound_cidrs": []});
    assert_eq!(auth.refused(Write, "role/ci", open).public, "at least one constraint should be enabled on the role");
    auth.ok(Write, "role/ci/bind-secret-id", json!({"bind_secret_id": false}));
    auth.login(&role_id, "").unwrap();
    auth.remote = "198.51.100.1:1";
    auth.wrong(&role_id, "");
    assert_eq!(auth.refused(Write, "role/ci/secret-id", json!({})).class, Class::Invalid);
    assert_eq!(auth.refused(Delete, "role/ci/secret-id-bound-cidrs", Value::Null).class, Class::Invalid);
}

#[test]
fn every_setting_has_a_path_of_its_own() {
    let (mut auth, _) = Fixture::with_role(json!({}));
    let cases = [
        ("policies", "token_policies", json!(["a"]), json!([])),
        ("bind-secret-id", "bind_secret_id", json!(true), json!(true)),
        ("secret-id-bound-cidrs", "secret_id_bound_cidrs", json!(["192.0.2.0/24"]), Value::Null),
        ("secret-id-num-uses", "secret_id_num_uses", json!(3), json!(0)),
        ("secret-id-ttl", "secret_id_ttl", json!(60), json!(0)),
        ("token-ttl", "token_ttl", json!(60), json!(0)),
        ("token-max-ttl", "token_max_ttl", json!(90), json!(0)),
        ("token-num-uses", "token_num_uses", json!(4), json!(0)),
        ("token-bound-cidrs", "token_bound_cidrs", json!(["192.0.2.0/24"]), json!([])),
        ("period", "token_period", json!(60), json!(0)),
    ];
    for (segment, name, value, initial) in cases {
        let path = format!("role/ci/{segment}");
        assert_eq!(auth.ok(Read, &path, Value::Null)[name], initial, "{segment}");
        auth.ok(Write, &path, json!({ name: value }));
        assert_eq!(auth.ok(Read, &path, Value::Null)[name], value, "{segment}");
        assert_eq!(auth.ok(Read, "role/ci", Value::Null)[name], value, "{segment}");
        assert_eq!(auth.refused(Write, &path, json!({})).class, Class::Invalid, "{segment}");
        auth.ok(Delete, &path, Value::Null);
        assert_eq!(auth.ok(Read, &path, Value::Null)[name], initial, "{segment}");
    }
    auth.ok(Write, "role/ci/policies", json!({"policies": "x,y"}));
    assert_eq!(auth.ok(Read, "role/ci/policies", Value::Null)["policies"], json!(["x", "y"]));
    assert_eq!(auth.ok(Read, "role/ci/local-secret-ids", Value::Null), json!({"local_secret_ids": false}));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (mut auth, role_id) = Fixture::with_role(json!({"secret_id_num_uses": 5, "secret_id_ttl": 60}));
    for (path, body) in [
        ("role/x", json!({"local_secret_ids": true})),
        ("role/x", json!({"enable_local_secret_ids": "true"})),
        ("role/x", json!({"bind_secret_id": false})),
        ("role/x", json!({"bind_secret_id": "maybe"})),
        ("role/x", json!({"secret_id_num_uses": -1})),
        ("role/x", json!({"token_policies": "root"})),
        ("role/x", json!({"token_type": "batch", "token_num_uses": 1})),
        ("role/x", json!({"secret_id_bound_cidrs": "x"})),
        ("role/x", json!({"role_id": ""})),
        ("role/x", json!({ "role_id": role_id })),
        ("role/a b", json!({})),
        ("role/ci/role-id", json!({})),
        ("role/ci/secret-id", json!({"num_uses": 0})),
        ("role/ci/secret-id", json!({"num_uses": 6})),
        ("role/ci/secret-id", json!({"ttl": "61s"})),
        ("role/ci/secret-id", json!({"ttl": 0})),
        ("role/ci/secret-id", json!({"metadata": "[1]"})),
        ("role/ci/secret-id", json!({"metadata": {"a": "b".repeat(513)}})),
        ("role/ci/secret-id", json!({"secret_id": "mine"})),
        ("role/ci/custom-secret-id", json!({})),
        ("role/ci/custom-secret-id", json!({"secret_id": "a".repeat(513)})),
        ("role/ci/secret-id/lookup", json!({})),
        ("role/ci/secret-id-accessor/destroy", json!({})),
    ] {
        assert_eq!(auth.refused(Write, path, body.clone()).class, Class::Invalid, "{path} {body}");
    }
    for path in ["role/x", "role/x/role-id", "role/x/period"] {
        assert_eq!(auth.refused(Read, path, Value::Null).class, Class::Missing, "{path}");
    }
    assert_eq!(auth.refused(Write, "role/x/secret-id", json!({})).class, Class::Missing);
    auth.ok(Write, "role/ci/role-id", json!({"role_id": "other"}));
    auth.wrong(&role_id, "x");
    auth.ok(Write, "role/x", json!({ "role_id": role_id }));
}

#[test]
fn a_renewal_needs_the_role() {
    let (mut auth, _) = Fixture::with_role(json!({}));
    let mut made = token(&["default"]);
    made.role = Some("ci".to_owned());
    let renew = |auth: &Fixture| {
        let request = auth.store.request(Write, "auth/token/renew-self", None, None);
        let call = auth.store.call(&AppRole, &auth.mount, &Sender::Stranger, &request, "");
        auth.store.read(|view| AppRole.check_renewal(&Renewal { call: &call, mount: &auth.mount, token: &made }, view))
    };
    renew(&auth).unwrap();
    auth.ok(Delete, "role/ci", Value::Null);
    assert_eq!(renew(&auth).unwrap_err().class, Class::Invalid);
}

#[test]
fn every_row_lies_in_a_folder_that_is_given_up_with_the_mount() {
    let (mut auth, role_id) = Fixture::with_role(json!({}));
    let secret_id = text(&auth.ok(Write, "role/ci/secret-id", json!({})), "secret_id");
    auth.ok(Write, "tidy/secret-id", json!({}));
    let own: std::collections::BTreeSet<_> = auth.store.rows.keys().copied().collect();
    auth.login(&role_id, &secret_id).unwrap();
    let mut waiting: Vec<_> =
        AppRole.folders(&auth.mount, &auth.store.names).iter().map(crate::names::Folder::id).collect();
    let mut reached = 0;
    while let Some(folder) = waiting.pop() {
        let inside = own.iter().filter(|key| key.folder() == folder);
        inside.for_each(|key| {
            reached += 1;
            waiting.extend(key.marked_folder());
        });
    }
    assert_eq!(reached, own.len());
}

/// What the model knows of a secret id.
struct Known {
    secret_id: String,
    accessor: String,
    uses_left: Option<u64>,
    ends: Option<Timestamp>,
    destroyed: bool,
}

impl Known {
    fn is_live(&self, now: Timestamp) -> bool {
        !self.destroyed && self.uses_left != Some(0) && self.ends.is_none_or(|end| now < end)
    }
}

#[derive(Clone, Debug)]
enum Act {
    Make { uses: u64, ttl: u64 },
    Login(usize),
    Destroy(usize),
    DestroyAccessor(usize),
    Wait(u64),
    Tidy,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0_u64..4, prop_oneof![Just(0), 1_u64..60]).prop_map(|(uses, ttl)| Act::Make { uses, ttl }),
        6 => (0_usize..8).prop_map(Act::Login),
        1 => (0_usize..8).prop_map(Act::Destroy),
        1 => (0_usize..8).prop_map(Act::DestroyAccessor),
        2 => (0_u64..40).prop_map(Act::Wait),
        1 => Just(Act::Tidy),
    ]
}

proptest! {
    #[test]
    fn metadata_is_bounded_whatever_is_sent(text in "\\PC{0,40}|\\{(\"[a-c]{0,3}\":\"[a-z]{0,600}\",?){0,3}\\}") {
        if let Ok(metadata) = secret_id::metadata(Some(Value::String(text))) {
            prop_assert!(metadata.values().all(|value| value.len() <= 512));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn secret_ids_behave_as_a_simple_model(acts in proptest::collection::vec(act(), 0..40)) {
        let (mut auth, role_id) = Fixture::with_role(json!({}));
        auth.mount.settings.lockout.disabled = true;
        let mut model: Vec<Known> = Vec::new();
        for act in acts {
            let now = auth.store.now;
            match act {
                Act::Make { uses, ttl } => {
                    let made = auth.ok(Write, "role/ci/secret-id", json!({"num_uses": uses, "ttl": ttl}));
                    model.push(Known {
                        secret_id: text(&made, "secret_id"),
                        accessor: text(&made, "secret_id_accessor"),
                        uses_left: (uses > 0).then_some(uses),
                        ends: (ttl > 0).then(|| now.after(Span(ttl))),
                        destroyed: false,
                    });
                }
                Act::Login(number) => if let Some(known) = model.get_mut(number) {
                    prop_assert_eq!(auth.login(&role_id, &known.secret_id).is_ok(), known.is_live(now));
                    if known.is_live(now) {
                        known.uses_left = known.uses_left.map(|left| left - 1);
                    }
                },
                Act::Destroy(number) => if let Some(known) = model.get_mut(number) {
                    auth.ok(Write, "role/ci/secret-id/destroy", json!({"secret_id": known.secret_id}));
                    known.destroyed = true;
                },
                Act::DestroyAccessor(number) => if let Some(known) = model.get_mut(number) {
                    let body = json!({"secret_id_accessor": known.accessor});
                    let outcome = auth.run(Delete, "role/ci/secret-id-accessor/destroy", body);
                    prop_assert!(outcome.is_ok() || !known.is_live(now));
                    known.destroyed = true;
                },
                Act::Wait(seconds) => auth.store.now = now.after(Span(seconds)),
                Act::Tidy => {
                    auth.ok(Write, "tidy/secret-id", json!({}));
                    prop_assert_eq!(auth.accessors().len(), model.iter().filter(|known| known.is_live(now)).count());
                }
            }
            let (now, listed) = (auth.store.now, auth.accessors());
            for known in &model {
                prop_assert!(!known.is_live(now) || listed.contains(&known.accessor));
                prop_assert!(!known.destroyed || !listed.contains(&known.accessor));
            }
        }
    }
}

#[test]
fn the_mount_bounds_the_life_of_a_secret_id() {
    let (mut auth, role_id) = Fixture::with_role(json!({}));
    auth.mount.settings.max_lease_ttl = Span(50);
    let Reply::Content(content) = auth.run(Write, "role/ci/secret-id", json!({"ttl": "2m"})).unwrap() else { panic!() };
    assert_eq!(content.warnings.len(), 1);
    let made = data(&Reply::Content(content));
    assert_eq!(made["secret_id_ttl"], json!(50));
    auth.store.now = auth.store.now.after(Span(49));
    auth.login(&role_id, &text(&made, "secret_id")).unwrap();
    auth.store.now = auth.store.now.after(Span(1));
    auth.wrong(&role_id, &text(&made, "secret_id"));
    assert_eq!(auth.accessors(), Vec::<String>::new(), "one that has ended goes with the try");
}

#[test]
fn metadata_is_read_from_text_and_objects() {
    let (mut auth, role_id) = Fixture::with_role(json!({}));
    for metadata in [json!("{\"a\":\"b\"}"), json!({"a": "b"})] {
        let made = auth.ok(Write, "role/ci/secret-id", json!({ "metadata": metadata }));
        assert_eq!(auth.login(&role_id, &text(&made, "secret_id")).unwrap().metadata["a"], "b");
    }
    assert!(secret_id::is_within("192.0.2.1", &[]) && !secret_id::is_within("x", &[]));
}
