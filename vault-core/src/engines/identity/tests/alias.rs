//! Aliases of entities, and merging.

use serde_json::{Value, json};

use super::Fixture;
use crate::engines::Change;
use crate::mounts;

#[test]
fn an_alias_leads_a_login_to_its_entity() {
    let mut vault = Fixture::new();
    let (a, b) = (vault.accessor("auth/a/"), vault.accessor("auth/b/"));
    let ann = vault.made("entity", json!({"name": "ann", "policies": ["p"]}));
    let asked = json!({"name": "n", "mount_accessor": a, "canonical_id": ann, "custom_metadata": {"k": "v"}});
    let made = vault.write("entity-alias", asked);
    assert_eq!(made["canonical_id"], json!(ann));
    let path = format!("entity-alias/id/{}", made["id"].as_str().unwrap());
    let read = vault.read(&path);
    assert_eq!((&read["mount_type"], &read["mount_path"]), (&json!("believer"), &json!("auth/a/")));
    assert_eq!((&read["name"], &read["custom_metadata"]), (&json!("n"), &json!({"k": "v"})));
    let login = vault.login("auth/a/", "n", None);
    assert_eq!(
        (login.entity.unwrap().to_string(), login.identity_policies.as_slice()),
        (ann.clone(), &["p".to_owned()][..])
    );
    assert_eq!(vault.read(&path)["metadata"], json!({"said": "n"}));
    assert_ne!(vault.login("auth/b/", "n", None).entity.unwrap().to_string(), ann);
    // The list tells of both.
    let listed = vault.list("entity-alias/id");
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    assert_eq!(listed["key_info"][made["id"].as_str().unwrap()]["canonical_id"], json!(ann));
    // One alias a mount.
    assert!(
        vault
            .refused("entity-alias", json!({"name": "m", "mount_accessor": a, "canonical_id": ann}))
            .contains("already has")
    );
    // One entity a name: an alias that is there is moved.
    let beth = vault.made("entity", json!({"name": "beth"}));
    let moved = vault.write("entity-alias", json!({"name": "n", "mount_accessor": a, "canonical_id": beth}));
    assert_eq!(moved["id"], made["id"]);
    assert_eq!(vault.read(&format!("entity/id/{ann}"))["aliases"], json!([]));
    assert_eq!(vault.login("auth/a/", "n", None).entity.unwrap().to_string(), beth);
    vault.write(&path, json!({"name": "m", "mount_accessor": a}));
    assert_ne!(vault.login("auth/a/", "n", None).entity.unwrap().to_string(), beth);
    assert!(vault.refused(&path, json!({"name": "n"})).contains("already exists"));
    assert!(vault.refused(&path, json!({"name": "n", "mount_accessor": b})).contains("already exists"));
    assert_eq!(vault.login("auth/a/", "m", None).entity.unwrap().to_string(), beth);
    vault.delete(&path);
    assert!(vault.is_missing(&path));
    assert_ne!(vault.login("auth/a/", "m", None).entity.unwrap().to_string(), beth);
}

#[test]
fn an_alias_belongs_to_an_auth_method() {
    let mut vault = Fixture::new();
    let (a, cubbyhole) = (vault.accessor("auth/a/"), vault.accessor("cubbyhole/"));
    for accessor in ["believer_ffffffff", cubbyhole.as_str()] {
        let asked = json!({"name": "n", "mount_accessor": accessor});
        assert!(vault.refused("entity-alias", asked).contains("accessor"));
        let asked = json!({"name": "n", "mount_accessor": accessor});
        assert!(vault.refused("group-alias", asked).contains("accessor"));
    }
    assert!(vault.refused("entity-alias", json!({"name": "n"})).contains("mount_accessor"));
    assert!(vault.refused("entity-alias", json!({"mount_accessor": a})).contains("name"));
    let alone = vault.write("entity-alias", json!({"name": "n", "mount_accessor": a}));
    assert_eq!(vault.login("auth/a/", "n", None).entity.unwrap().to_string(), alone["canonical_id"].as_str().unwrap());
}

#[test]
fn groups_that_were_claimed_for_one_name_are_not_carried_to_another() {
    let mut vault = Fixture::new();
    let a = vault.accessor("auth/a/");
    let group = vault.made("group", json!({"type": "external", "policies": ["staff"]}));
    vault.write("group-alias", json!({"name": "staff", "mount_accessor": a, "canonical_id": group}));
    let login = vault.login("auth/a/", "n", Some(&["staff"]));
    assert!(vault.policies(&login).contains(&"staff".to_owned()));
    let entity = login.entity.unwrap().to_string();
    let alias = vault.read(&format!("entity/id/{entity}"))["aliases"][0]["id"].as_str().unwrap().to_owned();
    let beth = vault.made("entity", json!({"name": "beth"}));
    vault.write(&format!("entity-alias/id/{alias}"), json!({"canonical_id": beth}));
    assert_eq!(vault.read(&format!("entity/id/{beth}"))["group_ids"], json!([]));
    assert_eq!(vault.policies(&login), ["default"]);
}

#[test]
fn merged_entities_act_as_the_one_that_stays() {
    let mut vault = Fixture::new();
    let first = vault.login("auth/a/", "n", None);
    let second = vault.login("auth/b/", "n", None);
    let (from, to) = (first.entity.unwrap().to_string(), second.entity.unwrap().to_string());
    let third = vault.made("entity", json!({"name": "third", "policies": ["third"]}));
    vault.write(&format!("entity/id/{from}"), json!({"policies": ["lost"]}));
    vault.write(&format!("entity/id/{to}"), json!({"policies": ["stays"]}));
    let group = vault.made("group", json!({"policies": ["grouped"], "member_entity_ids": [from]}));
    for bad in [
        json!({"to_entity_id": to}),
        json!({"from_entity_ids": [from]}),
        json!({"from_entity_ids": [to], "to_entity_id": to}),
    ] {
        vault.refused("entity/merge", bad);
    }
    vault.refused("entity/merge", json!({"from_entity_ids": [from, "x"], "to_entity_id": to}));
    vault.write("entity/merge", json!({"from_entity_ids": [from], "to_entity_id": to, "force": false}));
    assert_eq!(
        vault.judge(first.token.expose()).unwrap(),
        (to.clone(), ["default", "grouped", "stays"].map(str::to_owned).to_vec())
    );
    let read = vault.read(&format!("entity/id/{to}"));
    assert_eq!((&read["merged_entity_ids"], read["aliases"].as_array().unwrap().len()), (&json!([from]), 2));
    assert!(vault.is_missing(&format!("entity/id/{from}")));
    assert_eq!(vault.list("entity/id")["keys"].as_array().unwrap().len(), 2);
    assert_eq!(vault.read(&format!("group/id/{group}"))["member_entity_ids"], json!([to]));
    assert_eq!(vault.login("auth/a/", "n", None).entity.unwrap().to_string(), to);
    // Merged once more, both lead to the last in one step; when it goes, all of them are dead.
    vault.write("entity/merge", json!({"from_entity_ids": [to], "to_entity_id": third}));
    assert_eq!(vault.judge(first.token.expose()).unwrap().0, third);
    assert_eq!(vault.judge(second.token.expose()).unwrap().0, third);
    vault.delete(&format!("entity/id/{third}"));
    assert!(vault.is_denied(&first) && vault.is_denied(&second));
    assert_eq!(vault.read(&format!("group/id/{group}"))["member_entity_ids"], json!([]));
}

#[test]
fn of_two_aliases_at_one_mount_the_caller_chooses() {
    for keep_first in [true, false] {
        let mut vault = Fixture::new();
        let (one, other) = (vault.login("auth/a/", "one", None), vault.login("auth/a/", "other", None));
        let (from, to) = (one.entity.unwrap().to_string(), other.entity.unwrap().to_string());
        let alias = |vault: &mut Fixture, id: &str| vault.read(&format!("entity/id/{id}"))["aliases"][0]["id"].clone();
        let (from_alias, to_alias) = (alias(&mut vault, &from), alias(&mut vault, &to));
        let mut merge = json!({"from_entity_ids": [from], "to_entity_id": to, "force": true});
        assert!(vault.refused("entity/merge", merge.clone()).contains("conflicting_alias_ids_to_keep"));
        merge["conflicting_alias_ids_to_keep"] = json!([from_alias, to_alias]);
        vault.refused("entity/merge", merge.clone());
        let (kept, gone) = if keep_first { (&from_alias, &to_alias) } else { (&to_alias, &from_alias) };
        merge["conflicting_alias_ids_to_keep"] = json!([kept]);
        vault.write("entity/merge", merge);
        let aliases = vault.read(&format!("entity/id/{to}"))["aliases"].clone();
        assert_eq!((aliases.as_array().unwrap().len(), &aliases[0]["id"]), (1, kept));
        assert!(vault.is_missing(&format!("entity-alias/id/{}", gone.as_str().unwrap())));
        let (in_one, in_other) =
            (vault.login("auth/a/", "one", None).entity, vault.login("auth/a/", "other", None).entity);
        assert_eq!(in_one.unwrap().to_string() == to, keep_first);
        assert_eq!(in_other.unwrap().to_string() == to, !keep_first);
    }
}

#[test]
fn what_is_left_of_a_disabled_method_grants_nothing() {
    let mut vault = Fixture::new();
    let (a, b) = (vault.accessor("auth/a/"), vault.accessor("auth/b/"));
    let group = vault.made("group", json!({"type": "external", "policies": ["staff"]}));
    vault.write("group-alias", json!({"name": "staff", "mount_accessor": a, "canonical_id": group}));
    let entity = vault.login("auth/a/", "n", Some(&["staff"])).entity.unwrap().to_string();
    vault.write("entity-alias", json!({"name": "n", "mount_accessor": b, "canonical_id": entity}));
    let through_b = vault.login("auth/b/", "n", None);
    assert_eq!(vault.policies(&through_b), ["default", "staff"]);
    let slot = mounts::mount_slot(&vault.store.names, "auth/a/");
    vault.store.apply(vec![Change::Delete { slot }]);
    vault.reload();
    assert_eq!(vault.policies(&through_b), ["default"]);
    let read = vault.read(&format!("entity/id/{entity}"));
    assert_eq!(read["group_ids"], json!([]));
    let left = read["aliases"].as_array().unwrap().iter().find(|alias| alias["mount_accessor"] == json!(a)).unwrap();
    assert_eq!((&left["mount_path"], &left["mount_type"]), (&json!(""), &json!("")));
    let facts = vault.store.read(|view| {
        let id = crate::id::EntityId::parse(&entity).unwrap();
        let found = crate::identity::find(&vault.store.names, id, view)?.unwrap();
        Ok(crate::auth::facts_of(&found, &vault.store.tables))
    });
    let aliases = facts.unwrap().entity.unwrap().aliases;
    assert_eq!(aliases.iter().map(|alias| alias.mount_accessor.as_str()).collect::<Vec<_>>(), [b.as_str()]);
    // It can be taken away.
    vault.delete(&format!("entity-alias/id/{}", left["id"].as_str().unwrap()));
    assert_eq!(vault.read(&format!("entity/id/{entity}"))["aliases"].as_array().map(Vec::len), Some(1));
    assert_eq!(vault.read(&format!("entity/id/{entity}"))["merged_entity_ids"], Value::Null);
}
