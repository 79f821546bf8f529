//! The endpoints of identities against the documented behaviour.

mod alias;
mod groups;
mod random;
mod tokens;

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::IdentityStore;
use crate::auth::login::{Login, grant};
use crate::auth::parameters::TokenParameters;
use crate::auth::{self, Identity, Sender, Unidentified};
use crate::engines::test_store::{TestStore, data, token};
use crate::engines::{Call, Effect, Engine, Route, Step};
use crate::identity::Groups;
use crate::mounts::{self, Mount, Tables};
use crate::refusal::{Class, Refusal};
use crate::reply::{Grant, Reply};
use crate::request::Operation;
use crate::view::{Interrupt, View};

/// An auth method that believes everything.
struct Believer;

static BELIEVER_ROUTES: &[Route] = &[Route::open("login", &[(Operation::Write, believe)], "")];

impl Engine for Believer {
    fn kind(&self) -> &'static str {
        "believer"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        BELIEVER_ROUTES
    }
}

#[derive(Deserialize)]
struct Claim {
    name: String,
    groups: Option<Vec<String>>,
}

fn believe(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let claim: Claim = call.request.parse()?;
    let login = Login {
        alias_name: claim.name.clone(),
        alias_metadata: [("said".to_owned(), claim.name.clone())].into(),
        groups: claim.groups,
        display_name: claim.name,
        metadata: std::collections::BTreeMap::new(),
        role: None,
        parameters: TokenParameters::default(),
        certificate: None,
        issued_by: None,
    };
    grant(call, login, Vec::new(), view, rng)
}

/// A vault with two auth methods, `auth/a/` and `auth/b/`, and nobody in it.
struct Fixture {
    store: TestStore,
    identity: Mount,
    root: Sender,
}

impl Fixture {
    fn new() -> Self {
        let mut store = TestStore::new();
        let mut changes = mounts::initial_changes(&store.names, &mut store.rng).unwrap();
        for path in ["auth/a/", "auth/b/"] {
            changes.push(Mount::new(path, "believer", "", &mut store.rng).store(&store.names).unwrap());
        }
        store.apply(changes);
        let root = Identity::for_test("root", token(&["root"]), &store.names);
        let tables = store.read(|view| mounts::load_tables(&store.names, view)).unwrap();
        let identity = tables.mount("identity/").unwrap().as_ref().clone();
        store.tables = tables;
        Self { store, identity, root }
    }

    fn reload(&mut self) {
        self.store.tables = self.store.read(|view| mounts::load_tables(&self.store.names, view)).unwrap();
    }

    fn run(
        &mut self,
        engine: &dyn Engine,
        mount: &Mount,
        operation: Operation,
        path: &str,
        body: Value,
    ) -> Result<Reply, Refusal> {
        let address = format!("{}{path}", mount.path);
        let request = self.store.request(operation, &address, Some(&body.to_string()), None);
        let reply = self.store.run(engine, mount, &self.root, &request);
        if self.store.effects.drain(..).any(|effect| effect == Effect::ReloadTables) {
            self.reload();
        }
        reply
    }

    fn call(&mut self, operation: Operation, path: &str, body: Value) -> Result<Reply, Refusal> {
        let mount = self.identity.clone();
        self.run(&IdentityStore, &mount, operation, path, body)
    }

    /// Writes and gives the data of the answer; null for none.
    fn write(&mut self, path: &str, body: Value) -> Value {
        match self.call(Operation::Write, path, body.clone()) {
            Ok(reply) => data(&reply),
            Err(refusal) => panic!("{path} {body}: {refusal:?}"),
        }
    }

    /// Writes and gives the id of what was made.
    fn made(&mut self, path: &str, body: Value) -> String {
        self.write(path, body)["id"].as_str().unwrap().to_owned()
    }

    fn refused(&mut self, path: &str, body: Value) -> String {
        match self.call(Operation::Write, path, body.clone()) {
            Ok(_) => panic!("{path} {body} was not refused"),
            Err(refusal) => {
                assert_eq!(refusal.class, Class::Invalid, "{path} {body}: {refusal:?}");
                refusal.public
            }
        }
    }

    fn read(&mut self, path: &str) -> Value {
        data(&self.call(Operation::Read, path, json!({})).unwrap_or_else(|refusal| panic!("{path}: {refusal:?}")))
    }

    fn list(&mut self, path: &str) -> Value {
        data(&self.call(Operation::List, path, json!({})).unwrap_or_else(|refusal| panic!("{path}: {refusal:?}")))
    }

    fn delete(&mut self, path: &str) {
        assert!(matches!(self.call(Operation::Delete, path, json!({})), Ok(Reply::Empty)), "{path}");
    }

    fn is_missing(&mut self, path: &str) -> bool {
        matches!(self.call(Operation::Read, path, json!({})), Err(refusal) if refusal.class == Class::Missing)
    }

    fn accessor(&self, path: &str) -> String {
        self.store.tables.mount(path).unwrap().accessor.clone()
    }

    fn try_login(&mut self, mount: &str, name: &str, groups: Option<&[&str]>) -> Result<Grant, Refusal> {
        let mount = self.store.tables.mount(mount).unwrap().as_ref().clone();
        let body = json!({ "name": name, "groups": groups });
        match self.run(&Believer, &mount, Operation::Write, "login", body)? {
            Reply::Content(content) => Ok(content.auth.unwrap()),
            _ => panic!("no token"),
        }
    }

    fn login(&mut self, mount: &str, name: &str, groups: Option<&[&str]>) -> Grant {
        self.try_login(mount, name, groups).unwrap()
    }

    /// Looks at a token as a request does: gives its entity and the policies in force, or the refusal.
    fn judge(&self, text: &str) -> Result<(String, Vec<String>), Refusal> {
        self.store.read(|view| {
            let request = self.store.request(Operation::Read, "kv/a", None, Some(text));
            match auth::identify(request, &self.store.reader(), view) {
                Ok(identified) => {
                    let identity = identified.sender().identity().unwrap();
                    let entity = identity.entity().map(|entity| entity.id.to_string()).unwrap_or_default();
                    Ok((entity, identity.policies(&self.store.tables).into_owned()))
                }
                Err(Unidentified::Fetch(_)) => Err(Interrupt::Fetch),
                Err(Unidentified::Refused(_, refusal)) => Err(Interrupt::Refuse(refusal)),
            }
        })
    }

    fn policies(&self, grant: &Grant) -> Vec<String> {
        self.judge(grant.token.expose()).unwrap().1
    }

    fn is_denied(&self, grant: &Grant) -> bool {
        matches!(self.judge(grant.token.expose()), Err(refusal) if refusal.class == Class::Denied)
    }
}

#[test]
fn an_entity_is_made_changed_and_removed() {
    let mut vault = Fixture::new();
    let asked = json!({"name": "Ann", "metadata": {"team": "x"}, "policies": ["B", "a"]});
    let made = vault.write("entity", asked);
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!((&made["name"], &made["aliases"]), (&json!("Ann"), &Value::Null));
    let path = format!("entity/id/{id}");
    let read = vault.read(&path);
    assert_eq!(read["policies"], json!(["a", "b"]));
    assert_eq!((&read["metadata"], &read["disabled"]), (&json!({"team": "x"}), &json!(false)));
    assert_eq!((&read["namespace_id"], &read["merged_entity_ids"]), (&json!("root"), &Value::Null));
    assert_eq!(vault.read("entity/name/ANN"), read);
    // A change answers nothing and touches nothing that it does not name.
    assert_eq!(vault.write("entity", json!({"name": "ann", "disabled": true})), Value::Null);
    let changed = vault.read(&path);
    assert_eq!(
        (&changed["name"], &changed["policies"], &changed["disabled"]),
        (&json!("ann"), &read["policies"], &json!(true))
    );
    assert_eq!(vault.write(&path, json!({"name": "beth", "disabled": false, "metadata": "k=v=w"})), Value::Null);
    assert_eq!(vault.read("entity/name/beth")["metadata"], json!({"k": "v=w"}));
    assert!(vault.is_missing("entity/name/ann"));
    vault.write("entity/name/Beth", json!({"policies": "c, d"}));
    assert_eq!((&vault.read(&path)["name"], &vault.read(&path)["policies"]), (&json!("beth"), &json!(["c", "d"])));
    vault.delete("entity/name/BETH");
    assert!(vault.is_missing(&path) && vault.is_missing("entity/name/beth"));
    vault.delete(&path);
    let drawn = vault.made("entity", json!({}));
    assert_eq!(vault.read(&format!("entity/id/{drawn}"))["name"], json!(format!("entity_{drawn}")));
}

#[test]
fn what_an_entity_cannot_be_is_refused() {
    let mut vault = Fixture::new();
    let ann = vault.made("entity", json!({"name": "ann"}));
    vault.made("entity", json!({"name": "beth"}));
    assert!(vault.refused(&format!("entity/id/{ann}"), json!({"name": "BETH"})).contains("already in use"));
    for policy in ["root", "Root", "response-wrapping"] {
        assert!(vault.refused("entity", json!({"name": "x", "policies": [policy]})).contains("cannot contain"));
    }
    let many: serde_json::Map<_, _> = (0..65).map(|key| (format!("k{key}"), json!("v"))).collect();
    for metadata in
        [json!(many), json!({"k": "v".repeat(513)}), json!({"k".repeat(129): "v"}), json!({"": "v"}), json!("k")]
    {
        assert!(vault.refused("entity", json!({"name": "x", "metadata": metadata})).contains("metadata"), "{metadata}");
    }
    assert!(vault.refused("entity", json!({"name": "x", "disabled": "maybe"})).contains("true or false"));
    vault.write("entity", json!({"name": "beth", "disabled": "true"}));
    assert_eq!(vault.read("entity/name/beth")["disabled"], json!(true));
    for name in [" x", "a\nb", &"x".repeat(513)] {
        assert!(vault.refused("entity", json!({"name": name})).contains("name"), "{name:?}");
    }
    assert!(vault.refused("entity/name/ann", json!({"name": "other"})).contains("rename by id"));
    for id in ["x", "00000000-0000-4000-8000-000000000000"] {
        assert!(vault.refused("entity", json!({"id": id})).contains("no entity"));
        assert!(vault.refused(&format!("entity/id/{id}"), json!({})).contains("no entity"));
    }
    assert!(vault.is_missing("entity/name/x"));
    for path in ["persona", "oidc/key/a", "mfa/method/totp", "entity/x"] {
        let answer = vault.call(Operation::Write, path, json!({}));
        assert!(matches!(answer, Err(refusal) if refusal.class == Class::Missing), "{path}");
    }
}

#[test]
fn entities_are_listed_and_removed_together() {
    let mut vault = Fixture::new();
    let empty = vault.call(Operation::List, "entity/id", json!({}));
    assert!(matches!(empty, Err(refusal) if refusal.class == Class::Missing));
    let a = vault.accessor("auth/a/");
    let ids: Vec<String> =
        ["Ann", "beth", "carl"].iter().map(|name| vault.made("entity", json!({"name": name}))).collect();
    let alias = vault.made("entity-alias", json!({"name": "ann", "mount_accessor": a, "canonical_id": ids[0]}));
    let listed = vault.list("entity/id");
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    assert_eq!(listed["keys"], json!(sorted));
    let info = &listed["key_info"][&ids[0]];
    assert_eq!((&info["name"], &info["aliases"][0]["id"]), (&json!("Ann"), &json!(alias)));
    assert_eq!(info["aliases"][0]["mount_path"], json!("auth/a/"));
    assert_eq!(vault.list("entity/name")["keys"], json!(["Ann", "beth", "carl"]));
    assert_eq!(vault.list("entity/id?limit=1")["keys"], json!([sorted[0]]));
    let group = vault.made("group", json!({"member_entity_ids": ids}));
    vault.write("entity/batch-delete", json!({"entity_ids": [ids[0], ids[2], "nobody"]}));
    assert_eq!(vault.list("entity/name")["keys"], json!(["beth"]));
    assert_eq!(vault.read(&format!("group/id/{group}"))["member_entity_ids"], json!([ids[1]]));
    assert!(vault.is_missing(&format!("entity-alias/id/{alias}")));
    assert!(vault.refused("entity/batch-delete", json!({})).contains("entity_ids"));
}

#[test]
fn a_lookup_finds_or_answers_nothing() {
    let mut vault = Fixture::new();
    let a = vault.accessor("auth/a/");
    let ann = vault.made("entity", json!({"name": "ann"}));
    let alias = vault.made("entity-alias", json!({"name": "n", "mount_accessor": a, "canonical_id": ann}));
    let group = vault.made("group", json!({"name": "g", "type": "external"}));
    let group_alias = vault.made("group-alias", json!({"name": "n", "mount_accessor": a, "canonical_id": group}));
    for (kind, id, name, alias) in [("entity", &ann, "ann", &alias), ("group", &group, "g", &group_alias)] {
        let path = format!("lookup/{kind}");
        let by_alias = json!({"alias_name": "n", "alias_mount_accessor": a});
        for ask in [json!({"name": name}), json!({"id": id}), json!({"alias_id": alias}), by_alias] {
            assert_eq!(vault.write(&path, ask.clone())["id"], json!(id), "{ask}");
        }
        let by_alias = json!({"alias_name": "other", "alias_mount_accessor": a});
        for ask in [json!({"name": "x"}), json!({"id": "x"}), json!({"alias_id": id}), by_alias] {
            assert!(matches!(vault.call(Operation::Write, &path, ask), Ok(Reply::Empty)));
        }
        for ask in [json!({}), json!({"name": name, "id": id}), json!({"alias_name": "n"})] {
            vault.refused(&path, ask);
        }
    }
}

#[test]
fn a_vault_without_the_mount_has_it_at_the_next_unsealing() {
    let mut vault = Fixture::new();
    assert_eq!(vault.store.tables.mount("identity/").unwrap().kind, "identity");
    let slot = mounts::mount_slot(&vault.store.names, "identity/");
    vault.store.apply(vec![crate::engines::Change::Delete { slot }]);
    vault.reload();
    let first = vault.store.tables.mount("identity/").unwrap().as_ref().clone();
    vault.reload();
    assert_eq!(&first, vault.store.tables.mount("identity/").unwrap().as_ref());
    assert!(first.accessor.starts_with("identity_"));
    assert!(Tables::new([], [], Groups::default()).mount("identity/").is_none());
}
