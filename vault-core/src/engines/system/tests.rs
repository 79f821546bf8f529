//! The system endpoints against the documented behaviour.

use serde_json::{Value, json};

use super::System;
use crate::auth::Identity;
use crate::engines::Effect;
use crate::engines::test_store::{TestStore, data, mount, token};
use crate::mounts;
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::request::Operation::{self, Delete, List, Read, Write};

struct Fixture {
    store: TestStore,
    policies: Vec<&'static str>,
}

impl Fixture {
    fn new() -> Self {
        let mut store = TestStore::new();
        let changes = mounts::initial_changes(&store.names, &mut store.rng).unwrap();
        store.apply(changes);
        let mut fixture = Self { store, policies: vec!["root"] };
        fixture.reload();
        fixture
    }

    fn reload(&mut self) {
        self.store.tables = self.store.read(|view| mounts::load_tables(&self.store.names, view)).unwrap();
    }

    fn call(&mut self, operation: Operation, path: &str, body: Value) -> Result<Value, Refusal> {
        let identity = Identity::for_test("a", token(&self.policies), &self.store.names);
        let request = self.store.request(operation, &format!("sys/{path}"), Some(&body.to_string()), None);
        let reply = self.store.run(&System, &mount("sys/", "system", ""), &identity, &request)?;
        if self.store.effects.contains(&Effect::ReloadTables) {
            self.store.effects.clear();
            self.reload();
        }
        Ok(match reply {
            Reply::Empty => Value::Null,
            reply => data(&reply),
        })
    }

    fn ok(&mut self, operation: Operation, path: &str, body: Value) -> Value {
        self.call(operation, path, body).unwrap_or_else(|refusal| panic!("{path}: {refusal:?}"))
    }

    fn refused(&mut self, operation: Operation, path: &str, body: Value) -> Refusal {
        self.call(operation, path, body.clone()).err().unwrap_or_else(|| panic!("{path} {body} was not refused"))
    }
}

fn needs_sudo(path: &str) -> bool {
    let route = crate::engines::route(&System, &mount("sys/", "system", ""), path);
    route.is_some_and(|route| route.access == crate::engines::Access::Sudo)
}

#[test]
fn an_auth_method_says_which_tokens_it_issues() {
    let mut sys = Fixture::new();
    let issued = json!("default-service");
    assert_eq!(sys.ok(Read, "auth", Value::Null)["token/"]["config"]["token_type"], issued);
    assert_eq!(sys.ok(Read, "auth/token/tune", Value::Null)["token_type"], issued);
    assert!(sys.ok(Read, "mounts", Value::Null)["sys/"]["config"].get("token_type").is_none());
}

#[test]
fn engines_are_mounted_tuned_and_taken_away() {
    let mut sys = Fixture::new();
    let kv = json!({"type": "kv", "options": {"version": "2"}, "description": "x", "config": {"max_lease_ttl": "2h", "default_lease_ttl": 60}});
    sys.ok(Write, "mounts/team/secret", kv);
    let listed = sys.ok(Read, "mounts", Value::Null);
    let found = &listed["team/secret/"];
    assert_eq!(
        (&found["type"], &found["options"], &found["config"]["max_lease_ttl"]),
        (&json!("kv"), &json!({"version": "2"}), &json!(7200))
    );
    assert!(found["accessor"].as_str().unwrap().starts_with("kv_") && listed["cubbyhole/"]["local"] == json!(true));
    sys.ok(Write, "mounts/team/secret/tune", json!({"description": "y", "default_lease_ttl": "90s"}));
    let tuned = sys.ok(Read, "mounts/team/secret/tune", Value::Null);
    assert_eq!((&tuned["description"], &tuned["default_lease_ttl"]), (&json!("y"), &json!(90)));
    sys.ok(Delete, "mounts/team/secret", Value::Null);
    assert!(sys.ok(Read, "mounts", Value::Null).get("team/secret/").is_none());
    assert!(!sys.store.names_in(&crate::purge::queue(&sys.store.names)).is_empty());
    sys.ok(Delete, "mounts/team/secret", Value::Null);
}

#[test]
fn what_makes_no_sense_is_not_mounted() {
    let mut sys = Fixture::new();
    sys.ok(Write, "mounts/a/b", json!({"type": "kv-v2"}));
    let cases = [
        ("mounts/a/b", json!({"type": "kv"})),
        ("mounts/a", json!({"type": "kv"})),
        ("mounts/a/b/c", json!({"type": "kv"})),
        ("mounts/sys/x", json!({"type": "kv"})),
        ("mounts/auth/x", json!({"type": "kv"})),
        ("mounts/cubbyhole", json!({"type": "kv"})),
        ("mounts/x", json!({"type": "nothing"})),
        ("mounts/x", json!({})),
        ("mounts/x", json!({"type": "system"})),
        ("mounts/x", json!({"type": "kv", "options": {"version": "3"}})),
        ("mounts/x", json!({"type": "kv", "options": {"other": "1"}})),
        ("mounts/x", json!({"type": "kv", "config": {"default_lease_ttl": "3h", "max_lease_ttl": "2h"}})),
        ("mounts/x", json!({"type": "kv", "config": {"audit_non_hmac_request_keys": ["password"]}})),
        ("mounts/a/b/tune", json!({"options": {"version": "1"}})),
        ("mounts/absent/tune", json!({})),
        ("auth/x", json!({"type": "nothing"})),
        ("auth/token", json!({"type": "token"})),
    ];
    for (path, body) in cases {
        assert_eq!(sys.refused(Write, path, body).class, Class::Invalid, "{path}");
    }
    assert_eq!(sys.refused(Delete, "mounts/sys", Value::Null).class, Class::Invalid);
    assert_eq!(sys.refused(Read, "nonsense", Value::Null).class, Class::Missing);
    assert_eq!(sys.refused(Read, "seal", Value::Null).class, Class::Unsupported);
}

#[test]
fn policies_are_kept_in_both_shapes() {
    let mut sys = Fixture::new();
    let text = "path \"a\" { capabilities = [\"read\"] }";
    sys.ok(Write, "policies/acl/Team", json!({ "policy": text }));
    assert_eq!(sys.ok(Read, "policies/acl/team", Value::Null), json!({"name": "team", "policy": text}));
    assert_eq!(sys.ok(Read, "policy/TEAM", Value::Null), json!({"name": "team", "rules": text}));
    assert_eq!(sys.ok(List, "policies/acl/", Value::Null)["keys"], json!(["default", "team", "root"]));
    assert_eq!(sys.ok(Read, "policy", Value::Null)["policies"], json!(["default", "team", "root"]));
    sys.ok(Delete, "policy/team", Value::Null);
    assert_eq!(sys.refused(Read, "policies/acl/team", Value::Null).class, Class::Missing);
    for (path, body) in [
        ("policies/acl/root", json!({ "policy": text })),
        ("policies/acl/a b", json!({ "policy": text })),
        ("policies/acl/x", json!({"policy": ""})),
        ("policies/acl/x", json!({"policy": "path {"})),
    ] {
        assert_eq!(sys.refused(Write, path, body).class, Class::Invalid, "{path}");
    }
    assert_eq!(sys.refused(Write, "policies/acl/", json!({ "policy": text })).class, Class::Unsupported);
    assert_eq!(sys.refused(Delete, "policies/acl/default", Value::Null).class, Class::Invalid);
}

#[test]
fn capabilities_are_told() {
    let mut sys = Fixture::new();
    sys.ok(Write, "policies/acl/team", json!({"policy": "path \"a/*\" { capabilities = [\"list\", \"read\"] }"}));
    let asked = json!({"paths": ["a/b", "c"]});
    assert_eq!(sys.ok(Write, "capabilities-self", asked.clone())["a/b"], json!(["root"]));
    sys.policies = vec!["team"];
    let told = sys.ok(Write, "capabilities-self", asked);
    assert_eq!((&told["a/b"], &told["c"]), (&json!(["read", "list"]), &json!(["deny"])));
    assert_eq!(sys.ok(Write, "capabilities-self", json!({"path": "a/b"}))["capabilities"], json!(["read", "list"]));
    assert_eq!(sys.refused(Write, "capabilities-self", json!({"paths": []})).class, Class::Invalid);
    assert_eq!(sys.refused(Write, "capabilities", json!({"token": "x", "paths": ["a"]})).class, Class::Invalid);
    assert_eq!(
        sys.refused(Write, "capabilities-accessor", json!({"accessor": "x", "paths": ["a"]})).class,
        Class::Invalid
    );
}

#[test]
fn mounts_show_only_to_those_who_can_do_something_there() {
    let mut sys = Fixture::new();
    sys.ok(Write, "mounts/kv", json!({"type": "kv", "options": {"version": 2}}));
    sys.ok(Write, "policies/acl/team", json!({"policy": "path \"kv/data/x\" { capabilities = [\"read\"] }"}));
    assert_eq!(sys.ok(Read, "internal/ui/mounts/kv/data/x", Value::Null)["path"], json!("kv/"));
    sys.policies = vec!["team"];
    assert_eq!(sys.ok(Read, "internal/ui/mounts/kv", Value::Null)["options"], json!({"version": "2"}));
    assert_eq!(sys.refused(Read, "internal/ui/mounts/absent/x", Value::Null).class, Class::Denied);
    assert_eq!(sys.refused(Read, "internal/ui/mounts/cubbyhole/x", Value::Null).class, Class::Denied);
    let all = sys.ok(Read, "internal/ui/mounts", Value::Null);
    assert_eq!(all["secret"].as_object().unwrap().keys().collect::<Vec<_>>(), ["kv/"]);
}

#[test]
fn a_cluster_of_one_describes_itself_and_takes_no_peers() {
    let mut sys = Fixture::new();
    let configuration = sys.ok(Read, "storage/raft/configuration", Value::Null);
    assert_eq!(configuration["config"]["servers"].as_array().unwrap().len(), 1);
    let state = sys.ok(Read, "storage/raft/autopilot/state", Value::Null);
    assert_eq!((&state["healthy"], &state["failure_tolerance"]), (&json!(true), &json!(0)));
    sys.ok(Read, "storage/raft/autopilot/configuration", Value::Null);
    for path in ["storage/raft/join", "storage/raft/remove-peer", "storage/raft/autopilot/configuration"] {
        let refusal = sys.refused(Write, path, json!({}));
        assert!(refusal.class == Class::Invalid && refusal.public.contains("single server"), "{refusal:?}");
    }
    assert_eq!(sys.refused(Delete, "storage/raft/snapshot", Value::Null).class, Class::Unsupported);
    assert_eq!(sys.refused(Read, "storage/raft/snapshot-force", Value::Null).class, Class::Unsupported);
    assert_eq!(sys.refused(Read, "storage/other", Value::Null).class, Class::Missing);
}

#[test]
fn whole_snapshots_need_sudo() {
    for path in ["storage/raft/snapshot", "storage/raft/snapshot/", "storage/raft/snapshot-force"] {
        assert!(needs_sudo(path), "{path}");
    }
    assert!(!needs_sudo("storage/raft/configuration"));
}
