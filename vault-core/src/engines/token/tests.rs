//! The token endpoints against the documented behaviour.

use serde_json::{Value, json};

use super::Tokens;
use crate::auth::Identity;
use crate::auth::token::{self, Finder, Token, TokenId};
use crate::engines::test_store::{START, TestStore, data, mount};
use crate::identity::Groups;
use crate::mounts::{Mount, Tables};
use crate::policy::Policy;
use crate::refusal::{Class, Refusal};
use crate::reply::{Grant, Reply};
use crate::request::Operation;
use crate::secret::SecretText;
use crate::time::{Span, Timestamp};

mod batch;

struct Fixture {
    store: TestStore,
    mount: Mount,
    root: String,
}

impl Fixture {
    fn new() -> Self {
        let mut store = TestStore::new();
        let (root, changes) = token::root(&store.names, &store.token_ids, START, &mut store.rng).unwrap();
        store.apply(changes);
        let sudo = "path \"auth/token/*\" { capabilities = [\"create\", \"update\", \"sudo\"] }";
        store.tables = Tables::new([], [Policy::parse("maker", sudo).unwrap()], Groups::default());
        Self { store, mount: mount("auth/token/", "token", ""), root: root.expose().to_owned() }
    }

    fn find(&self, text: &str) -> Result<(TokenId, Token), Refusal> {
        let text = SecretText::new(text.to_owned());
        self.store.read(|view| self.store.reader().find(&text, view)).map(|alive| (alive.id, alive.token))
    }

    fn is_alive(&self, text: &str) -> bool {
        self.find(text).is_ok()
    }

    fn call(&mut self, as_token: &str, operation: Operation, path: &str, body: Value) -> Result<Reply, Refusal> {
        let (id, token) = self.find(as_token)?;
        let identity = Identity::for_test(id.as_str(), token, &self.store.names);
        let path = format!("auth/token/{path}");
        let request = self.store.request(operation, &path, Some(&body.to_string()), Some(as_token));
        self.store.run(&Tokens, &self.mount, &identity, &request)
    }

    fn write(&mut self, as_token: &str, path: &str, body: Value) -> Result<Reply, Refusal> {
        self.call(as_token, Operation::Write, path, body)
    }

    fn refused(&mut self, as_token: &str, path: &str, body: Value) -> String {
        let refusal = self.write(as_token, path, body.clone()).err();
        refusal.unwrap_or_else(|| panic!("{path} {body} was not refused")).public
    }

    fn grant(&mut self, as_token: &str, path: &str, body: Value) -> Grant {
        match self.write(as_token, path, body) {
            Ok(Reply::Content(content)) => content.auth.unwrap(),
            Ok(_) => panic!("no token"),
            Err(refusal) => panic!("{path}: {refusal:?}"),
        }
    }

    fn create(&mut self, as_token: &str, body: Value) -> String {
        self.grant(as_token, "create", body).token.expose().to_owned()
    }

    fn lookup(&mut self, text: &str) -> Value {
        data(&self.call(text, Operation::Read, "lookup-self", json!({})).unwrap())
    }

    fn advance(&mut self, seconds: u64) {
        self.store.now = self.store.now.after(Span(seconds));
    }
}

#[test]
fn a_child_has_at_most_the_policies_of_its_parent() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let parent = tokens.create(&root, json!({"policies": ["B", "a"]}));
    assert_eq!(tokens.lookup(&parent)["policies"], json!(["a", "b", "default"]));
    let child = tokens.create(&parent, json!({"policies": ["a"], "no_default_policy": true}));
    assert_eq!(tokens.lookup(&child)["policies"], json!(["a"]));
    assert!(tokens.refused(&parent, "create", json!({"policies": ["c"]})).contains("subset"));
    assert!(tokens.refused(&parent, "create", json!({"policies": ["root"]})).contains("subset"));
    let maker = tokens.create(&root, json!({"policies": ["maker"]}));
    assert!(tokens.refused(&maker, "create", json!({"policies": ["root"]})).contains("root"));
    let other = tokens.create(&maker, json!({"policies": ["c"]}));
    assert_eq!(tokens.lookup(&other)["policies"], json!(["c", "default"]));
}

#[test]
fn what_needs_sudo_is_refused_without() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let plain = tokens.create(&root, json!({"policies": ["a"]}));
    for body in [json!({"id": "mine"}), json!({"no_parent": true}), json!({"period": "1h"})] {
        assert!(tokens.refused(&plain, "create", body).contains("sudo"));
    }
    assert_eq!(tokens.create(&root, json!({"id": "mine"})), "mine");
    assert!(tokens.refused(&root, "create", json!({"id": "mine"})).contains("duplicate"));
    assert!(tokens.refused(&root, "create", json!({"id": "s.x"})).contains("'.'"));
    for body in [json!({"type": "sealed"}), json!({"entity_alias": "x"}), json!({"ttl": "-1"}), json!({"ttl": "x"})] {
        tokens.refused(&root, "create", body);
    }
}

#[test]
fn revoking_a_token_ends_its_family_at_once() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let parent = tokens.create(&root, json!({"policies": ["a"]}));
    let child = tokens.create(&parent, json!({}));
    let grandchild = tokens.create(&child, json!({}));
    let orphan = tokens.grant(&root, "create-orphan", json!({"policies": ["a"]}));
    assert!(orphan.orphan);
    tokens.write(&root, "revoke", json!({"token": parent})).unwrap();
    assert!(!tokens.is_alive(&parent) && !tokens.is_alive(&child) && !tokens.is_alive(&grandchild));
    assert!(tokens.is_alive(orphan.token.expose()) && tokens.is_alive(&root));
    assert_eq!(tokens.refused(&root, "lookup", json!({"token": child})), "bad token");
    assert!(tokens.refused(&root, "revoke", json!({"token": child})).contains("not found"));
}

#[test]
fn revoking_an_orphans_parent_keeps_the_children() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let parent = tokens.create(&root, json!({"policies": ["a"]}));
    let children = [tokens.create(&parent, json!({})), tokens.create(&parent, json!({}))];
    tokens.write(&root, "revoke-orphan", json!({"token": parent})).unwrap();
    assert!(!tokens.is_alive(&parent));
    for child in children {
        assert_eq!(tokens.lookup(&child)["orphan"], json!(true));
    }
}

#[test]
fn dead_tokens_are_collected_with_everything_that_belongs_to_them() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let before = tokens.store.rows.len();
    let parent = tokens.create(&root, json!({"policies": ["a"], "ttl": 60}));
    tokens.create(&parent, json!({}));
    tokens.advance(60);
    for _ in 0..2 {
        for id in tokens.store.names_in(&token::folder(&tokens.store.names)) {
            let store = &tokens.store;
            let finder = Finder { names: &store.names, tables: &store.tables, now: store.now };
            let changes = store.read(|view| finder.collect_if_dead(&id, view)).unwrap();
            tokens.store.apply(changes);
        }
    }
    let queue = tokens.store.names_in(&crate::purge::queue(&tokens.store.names));
    assert_eq!(queue.len(), 2, "both cubbyholes wait to be purged");
    let lease_folders = 3;
    assert_eq!(tokens.store.rows.len(), before + queue.len() + lease_folders);
    assert!(tokens.is_alive(&root));
}

#[test]
fn a_token_ends_at_its_very_instant() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let token = tokens.create(&root, json!({"ttl": "60s", "policies": ["a"]}));
    tokens.advance(59);
    assert_eq!(tokens.lookup(&token)["ttl"], json!(1));
    tokens.advance(1);
    assert!(!tokens.is_alive(&token));
}

#[test]
fn renewals_stay_within_every_bound() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let body = json!({"policies": ["a"], "ttl": 100, "explicit_max_ttl": 250});
    let token = tokens.create(&root, body);
    tokens.advance(90);
    assert_eq!(tokens.grant(&token, "renew-self", json!({})).lease_duration, Span(100));
    assert_eq!(tokens.grant(&token, "renew-self", json!({"increment": 1_000})).lease_duration, Span(160));
    tokens.advance(160);
    assert!(!tokens.is_alive(&token));
    let fixed = tokens.create(&root, json!({"policies": ["a"], "ttl": 100, "renewable": false}));
    assert!(tokens.refused(&fixed, "renew-self", json!({})).contains("not renewable"));
    assert!(tokens.refused(&root, "renew-self", json!({})).contains("not renewable"));
    let periodic = tokens.create(&root, json!({"policies": ["a"], "period": 50}));
    for _ in 0..40 {
        tokens.advance(49);
        assert_eq!(tokens.grant(&periodic, "renew-self", json!({"increment": 9_999})).lease_duration, Span(50));
    }
    tokens.advance(50);
    assert!(!tokens.is_alive(&periodic));
}

#[test]
fn a_renewal_does_not_give_a_use_back() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let token = tokens.create(&root, json!({"policies": ["a"], "ttl": 100, "num_uses": 5}));
    tokens.grant(&token, "renew-self", json!({}));
    assert_eq!(tokens.find(&token).unwrap().1.uses_left, Some(4));
    assert!(tokens.refused(&token, "create", json!({})).contains("restricted use"));
}

#[test]
fn root_tokens_without_end_come_only_from_their_like() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let endless = tokens.create(&root, json!({}));
    assert_eq!((&tokens.lookup(&endless)["ttl"], &tokens.lookup(&endless)["policies"]), (&json!(0), &json!(["root"])));
    let ending = tokens.create(&root, json!({"ttl": 100}));
    assert!(tokens.refused(&ending, "create", json!({})).contains("non-expiring"));
    tokens.create(&ending, json!({"ttl": 50}));
}

#[test]
fn accessors_lead_to_tokens_without_showing_them() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let grant = tokens.grant(&root, "create", json!({"policies": ["a"], "meta": {"k": "v"}, "display_name": "x"}));
    let accessor = json!({"accessor": grant.accessor});
    let found = data(&tokens.write(&root, "lookup-accessor", accessor.clone()).unwrap());
    assert_eq!(
        (&found["id"], &found["meta"], &found["display_name"]),
        (&json!(""), &json!({"k": "v"}), &json!("token-x"))
    );
    assert_eq!(tokens.grant(&root, "renew-accessor", accessor.clone()).token.expose(), "");
    let listed = data(&tokens.call(&root, Operation::List, "accessors/", json!({})).unwrap());
    assert!(listed["keys"].as_array().unwrap().contains(&json!(grant.accessor)));
    tokens.write(&root, "revoke-accessor", accessor.clone()).unwrap();
    assert!(!tokens.is_alive(grant.token.expose()));
    assert_eq!(tokens.refused(&root, "lookup-accessor", accessor), "invalid accessor");
}

#[test]
fn roles_set_what_their_tokens_are() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let role = json!({
        "allowed_policies": "a,b", "allowed_policies_glob": ["team-*"], "disallowed_policies": ["team-x"],
        "orphan": true, "renewable": false, "token_explicit_max_ttl": "90s", "token_num_uses": 3,
        "token_bound_cidrs": ["192.0.2.0/24"], "path_suffix": "ci", "token_no_default_policy": true,
    });
    tokens.write(&root, "roles/ci", role).unwrap();
    let plain = tokens.create(&root, json!({"policies": ["maker"]}));
    let token = tokens.create_by_role(&plain, json!({}));
    let found = tokens.find(&token).unwrap().1;
    assert_eq!((found.policies, found.parent, found.renewable), (vec!["a".to_owned(), "b".to_owned()], None, false));
    assert_eq!(
        (found.creation_ttl, found.uses_left, found.path.as_str()),
        (Span(90), Some(3), "auth/token/create/ci/ci")
    );
    assert!(
        !Token { bound_cidrs: found.bound_cidrs, ..crate::engines::test_store::token(&[]) }
            .may_come_from("198.51.100.1".parse().unwrap())
    );
    tokens.create_by_role(&plain, json!({"policies": ["team-y"]}));
    assert!(tokens.refused(&plain, "create/ci", json!({"policies": ["team-x"]})).contains("disallowed"));
    assert!(tokens.refused(&plain, "create/ci", json!({"policies": ["c"]})).contains("allowed policies"));
    assert!(tokens.refused(&plain, "create/absent", json!({})).contains("unknown role"));
    assert!(tokens.refused(&root, "roles/bad", json!({"token_bound_cidrs": "x"})).contains("range"));
    let read = data(&tokens.call(&root, Operation::Read, "roles/ci", json!({})).unwrap());
    assert_eq!((&read["token_num_uses"], &read["orphan"]), (&json!(3), &json!(true)));
    tokens.call(&root, Operation::Delete, "roles/ci", json!({})).unwrap();
    assert_eq!(tokens.call(&root, Operation::Read, "roles/ci", json!({})).err().unwrap().class, Class::Missing);
}

impl Fixture {
    fn create_by_role(&mut self, as_token: &str, body: Value) -> String {
        self.grant(as_token, "create/ci", body).token.expose().to_owned()
    }
}

#[test]
fn descent_is_bounded() {
    let mut tokens = Fixture::new();
    let mut last = tokens.root.clone();
    for generation in 1..crate::auth::token::DESCENT_MAX {
        last = tokens.create(&last, json!({"policies": ["a"]}));
        assert!(tokens.is_alive(&last), "generation {generation}");
    }
    assert!(tokens.refused(&last, "create", json!({})).contains("orphan"));
}

#[test]
fn the_clock_set_back_brings_no_token_back_that_was_revoked() {
    let mut tokens = Fixture::new();
    let root = tokens.root.clone();
    let token = tokens.create(&root, json!({"policies": ["a"]}));
    tokens.write(&token, "revoke-self", json!({})).unwrap();
    tokens.store.now = Timestamp(START.0 - 1);
    assert!(!tokens.is_alive(&token));
}
