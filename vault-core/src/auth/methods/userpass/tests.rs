//! Users and logins against the documented behaviour.

use serde_json::{Value, json};

use super::{Userpass, user};
use crate::auth::{Identity, Sender};
use crate::engines::test_store::{TestStore, data, mount, token};
use crate::engines::{Change, Engine, Renewal};
use crate::mounts::Mount;
use crate::names::Folder;
use crate::question::{PasswordCost, PasswordHash};
use crate::record_format;
use crate::refusal::{Class, Refusal};
use crate::reply::{Grant, Reply};
use crate::request::Operation::{self, Delete, List, Read, Write};
use crate::secret::SecretText;
use crate::time::Span;

struct Fixture {
    store: TestStore,
    mount: Mount,
    remote: &'static str,
}

impl Fixture {
    fn new() -> Self {
        let mut mount = mount("auth/userpass/", "userpass", "");
        mount.settings.lockout.threshold = 3;
        Self { store: TestStore::new(), mount, remote: "192.0.2.1:1000" }
    }

    fn run(&mut self, operation: Operation, path: &str, body: Value) -> Result<Reply, Refusal> {
        let mut request =
            self.store.request(operation, &format!("auth/userpass/{path}"), Some(&body.to_string()), None);
        request.remote = self.remote.parse().unwrap();
        let sender = match path.starts_with("login/") {
            true => Sender::Stranger,
            false => Identity::for_test("a", token(&["root"]), &self.store.names),
        };
        self.store.run(&Userpass, &self.mount, &sender, &request)
    }

    fn ok(&mut self, operation: Operation, path: &str, body: Value) -> Value {
        data(&self.run(operation, path, body.clone()).unwrap_or_else(|refusal| panic!("{path} {body}: {refusal:?}")))
    }

    fn refused(&mut self, operation: Operation, path: &str, body: Value) -> Refusal {
        self.run(operation, path, body.clone()).err().unwrap_or_else(|| panic!("{path} {body} was not refused"))
    }

    fn login(&mut self, name: &str, password: &str) -> Result<Grant, Refusal> {
        match self.run(Write, &format!("login/{name}"), json!({ "password": password }))? {
            Reply::Content(content) => Ok(content.auth.unwrap()),
            _ => panic!("a login answers with a token"),
        }
    }

    /// Logs in and demands the one refusal; gives the reason that only the log holds.
    fn wrong(&mut self, name: &str, password: &str) -> String {
        let refusal = self.login(name, password).err().unwrap_or_else(|| panic!("{name} {password}"));
        assert_eq!((refusal.class, refusal.public.as_str()), (Class::Invalid, "invalid username or password"));
        refusal.private.unwrap()
    }

    fn hashes(&mut self) -> Vec<PasswordCost> {
        std::mem::take(&mut *self.store.hashes.borrow_mut())
    }

    fn renewal(&self, token: &crate::auth::token::Token) -> Result<(), Refusal> {
        let request = self.store.request(Write, "auth/token/renew-self", None, None);
        let call = self.store.call(&Userpass, &self.mount, &Sender::Stranger, &request, "");
        self.store.read(|view| Userpass.check_renewal(&Renewal { call: &call, mount: &self.mount, token }, view))
    }
}

#[test]
fn users_are_kept_and_log_in() {
    let mut auth = Fixture::new();
    let body = json!({"password": "canary", "token_policies": "Team,ops", "token_ttl": "1h", "token_num_uses": "7"});
    auth.ok(Write, "users/Alice", body);
    let shown = auth.ok(Read, "users/alice", Value::Null);
    assert_eq!((&shown["token_policies"], &shown["token_ttl"]), (&json!(["ops", "team"]), &json!(3600)));
    assert!(!shown.to_string().contains("canary") && shown.get("password").is_none());
    assert_eq!(auth.ok(List, "users", Value::Null)["keys"], json!(["alice"]));
    let grant = auth.login("ALICE", "canary").unwrap();
    assert_eq!(grant.policies, ["default", "ops", "team"]);
    assert_eq!((grant.metadata["username"].as_str(), grant.lease_duration, grant.uses), ("alice", Span(3600), 7));
    auth.ok(Write, "users/alice/password", json!({"password": "other"}));
    auth.wrong("alice", "canary");
    auth.login("alice", "other").unwrap();
    auth.ok(Write, "users/alice", json!({"token_ttl": 60}));
    auth.login("alice", "other").unwrap();
    auth.ok(Write, "users/alice/policies", json!({"policies": ["x"]}));
    assert_eq!(auth.ok(Read, "users/alice", Value::Null)["token_policies"], json!(["x"]));
    auth.ok(Delete, "users/alice", Value::Null);
    auth.wrong("alice", "other");
    assert_eq!(auth.refused(Read, "users/alice", Value::Null).class, Class::Missing);
    let rows = auth.store.rows.values().map(|(_, payload)| payload);
    assert!(rows.clone().count() > 0);
    assert!(rows.into_iter().all(|payload| !String::from_utf8_lossy(payload).contains("canary")));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut auth = Fixture::new();
    auth.ok(Write, "users/a", json!({"password": "p"}));
    for (path, body) in [
        ("users/b", json!({})),
        ("users/b", json!({"password": ""})),
        ("users/b", json!({"password": 1})),
        ("users/b", json!({"password": "a".repeat(1025)})),
        ("users/b", json!({"password_hash": "$2a$10$x"})),
        ("users/b", json!({"password": "p", "token_policies": "root"})),
        ("users/b", json!({"password": "p", "token_type": "batch", "token_period": 60})),
        ("users/ b", json!({"password": "p"})),
        ("users/-b", json!({"password": "p"})),
        ("users/a/password", json!({})),
        ("users/a/password", json!({"password_hash": "x"})),
        ("users/a/policies", json!({})),
        ("login/a", json!({})),
        ("login/a", json!({"password": ""})),
    ] {
        assert_eq!(auth.refused(Write, path, body).class, Class::Invalid, "{path}");
    }
    assert_eq!(auth.refused(Write, "users/absent/password", json!({"password": "p"})).class, Class::Missing);
    assert_eq!(auth.refused(Read, "users/b", Value::Null).class, Class::Missing);
}

#[test]
fn a_user_who_is_not_there_costs_the_same_and_answers_alike() {
    let mut auth = Fixture::new();
    auth.ok(Write, "users/alice", json!({"password": "p", "token_bound_cidrs": "192.0.2.0/24"}));
    assert_eq!(auth.hashes(), [PasswordCost::DEFAULT]);
    let reasons = [auth.wrong("alice", "x"), auth.wrong("nobody", "x")];
    assert_eq!(reasons[0], reasons[1]);
    assert_eq!(auth.hashes(), [PasswordCost::DEFAULT; 2]);
    auth.remote = "198.51.100.1:1000";
    assert_eq!(auth.wrong("alice", "p"), "the address is not allowed");
    assert_eq!(auth.hashes(), [PasswordCost::DEFAULT]);
    auth.wrong("a b", "p");
    auth.wrong(" bob", "p");
    assert_eq!(auth.hashes(), [PasswordCost::DEFAULT], "no user can be called so, but one who is meant is counted");
}

#[test]
fn too_many_failures_lock_a_user_out_whether_there_or_not() {
    for name in ["alice", "nobody"] {
        let mut auth = Fixture::new();
        auth.ok(Write, "users/alice", json!({"password": "p"}));
        let ways = [name.to_owned(), name.to_uppercase(), format!(" {name}")];
        for (way, remote) in ways.iter().zip(["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"]) {
            auth.remote = remote;
            assert_eq!(auth.wrong(way, "x"), "wrong user or password");
        }
        auth.remote = "192.0.2.4:1";
        auth.hashes();
        assert_eq!(auth.wrong(name, "p"), "locked out after too many failures");
        assert_eq!(auth.hashes(), [], "a locked-out user costs no hash");
        auth.store.now = auth.store.now.after(Span(899));
        assert_eq!(auth.wrong(name, "p"), "locked out after too many failures");
        auth.store.now = auth.store.now.after(Span(1));
        if name == "alice" {
            auth.login(name, "p").unwrap();
        } else {
            assert_eq!(auth.wrong(name, "p"), "wrong user or password");
        }
    }
}

#[test]
fn a_source_is_locked_out_whatever_names_it_tries() {
    let mut auth = Fixture::new();
    auth.ok(Write, "users/alice", json!({"password": "p"}));
    for (name, remote) in [("a", "[2001:db8::1]:1"), ("b", "[2001:db8::2]:1"), ("c", "[2001:db8::3]:1")] {
        auth.remote = remote;
        assert_eq!(auth.wrong(name, "x"), "wrong user or password");
    }
    auth.remote = "[2001:db8::ffff]:1";
    assert_eq!(auth.wrong("alice", "p"), "locked out after too many failures");
    auth.remote = "[2001:db8:0:1::1]:1";
    auth.login("alice", "p").unwrap();
}

#[test]
fn a_success_forgets_the_users_failures_but_not_the_sources() {
    let mut auth = Fixture::new();
    auth.ok(Write, "users/alice", json!({"password": "p"}));
    auth.ok(Write, "users/mallory", json!({"password": "m"}));
    auth.wrong("alice", "x");
    auth.wrong("alice", "x");
    auth.remote = "192.0.2.2:1";
    auth.login("alice", "p").unwrap();
    auth.wrong("alice", "x");
    auth.login("mallory", "m").unwrap();
    auth.wrong("alice", "x");
    auth.login("mallory", "m").unwrap();
    auth.wrong("bob", "x");
    assert_eq!(auth.wrong("mallory", "m"), "locked out after too many failures");
    auth.remote = "192.0.2.3:1";
    auth.login("alice", "p").unwrap();
    auth.mount.settings.lockout.disabled = true;
    auth.remote = "192.0.2.2:1";
    auth.login("mallory", "m").unwrap();
}

#[test]
fn failures_are_forgotten_in_time_and_their_rows_with_them() {
    let mut auth = Fixture::new();
    auth.ok(Write, "users/alice", json!({"password": "p"}));
    for _ in 0..4 {
        auth.wrong("alice", "x");
        auth.wrong("alice", "x");
        auth.store.now = auth.store.now.after(Span(900));
    }
    auth.wrong("alice", "x");
    auth.login("alice", "p").unwrap();
    let counters = auth.store.names_in(&crate::auth::failures::folder(&auth.mount, &auth.store.names));
    assert_eq!(counters.len(), 1, "the source's is left: {counters:?}");
}

#[test]
fn a_login_brings_an_old_hash_up_to_date() {
    let mut auth = Fixture::new();
    auth.ok(Write, "users/alice", json!({"password": "p"}));
    let slot = user::slot(&auth.mount, &auth.store.names, "alice");
    let mut old = auth.store.read(|view| user::load(&auth.mount, &auth.store.names, "alice", view)).unwrap().unwrap();
    let cost = PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };
    let hashed = PasswordHash { password: SecretText::new("p".to_owned()), salt: old.password.salt, cost };
    old.password.hash = *hashed.compute().unwrap().expose();
    old.password.cost = cost;
    let payload = record_format::encode(1, &old).unwrap();
    auth.store.apply(vec![Change::Put { slot, payload }]);
    auth.hashes();
    auth.wrong("alice", "x");
    auth.login("alice", "p").unwrap();
    assert_eq!(auth.hashes(), [cost, cost, PasswordCost::DEFAULT]);
    auth.login("alice", "p").unwrap();
    assert_eq!(auth.hashes(), [PasswordCost::DEFAULT]);
}

#[test]
fn every_row_lies_in_a_folder_that_is_given_up_with_the_mount() {
    let mut auth = Fixture::new();
    auth.ok(Write, "users/alice", json!({"password": "p"}));
    auth.wrong("alice", "x");
    let folders: Vec<_> = Userpass.folders(&auth.mount, &auth.store.names).iter().map(Folder::id).collect();
    assert_eq!(auth.store.rows.len(), 3, "the user, and the counters of user and source");
    assert!(auth.store.rows.keys().all(|key| folders.contains(&key.folder())));
}

#[test]
fn a_renewal_needs_the_user_with_the_same_policies() {
    let mut auth = Fixture::new();
    auth.ok(Write, "users/alice", json!({"password": "p", "token_policies": "a,b"}));
    let mut made = token(&["a", "b", "default"]);
    made.metadata.insert("username".to_owned(), "alice".to_owned());
    auth.renewal(&made).unwrap();
    for policies in ["a", "a,b,c"] {
        auth.ok(Write, "users/alice", json!({"token_policies": policies}));
        assert_eq!(auth.renewal(&made).unwrap_err().public, "policies have changed, not renewing");
    }
    auth.ok(Write, "users/alice", json!({"token_policies": "b,a"}));
    auth.renewal(&made).unwrap();
    auth.ok(Delete, "users/alice", Value::Null);
    assert_eq!(auth.renewal(&made).unwrap_err().class, Class::Invalid);
}
