//! Groups: members, nesting, and those that auth methods fill.

use serde_json::{Value, json};

use super::Fixture;
use crate::id::EntityId;
use crate::identity;
use crate::reply::Reply;
use crate::request::Operation;

#[test]
fn a_group_gives_its_policies_to_members_at_any_depth() {
    let mut vault = Fixture::new();
    let login = vault.login("auth/a/", "n", None);
    let ann = login.entity.unwrap().to_string();
    let inner = vault.made("group", json!({"name": "Inner", "member_entity_ids": [ann], "policies": ["inner"]}));
    let middle = vault.made("group", json!({"name": "middle", "member_group_ids": [inner]}));
    let outer = vault.made("group", json!({"name": "outer", "member_group_ids": middle, "policies": ["Outer"]}));
    assert_eq!(vault.policies(&login), ["default", "inner", "outer"]);
    let read = vault.read(&format!("entity/id/{ann}"));
    assert_eq!(read["direct_group_ids"], json!([inner]));
    assert_eq!(
        (read["group_ids"].as_array().unwrap().len(), read["inherited_group_ids"].as_array().unwrap().len()),
        (3, 2)
    );
    let read = vault.read("group/name/INNER");
    assert_eq!((&read["type"], &read["modify_index"], &read["alias"]), (&json!("internal"), &json!(1), &json!({})));
    assert_eq!((&read["parent_group_ids"], &read["member_group_ids"]), (&json!([middle]), &json!([])));
    assert_eq!(vault.read(&format!("group/id/{outer}"))["member_group_ids"], json!([middle]));
    let listed = vault.list("group/id");
    assert_eq!(listed["key_info"][&inner], json!({"name": "Inner", "num_member_entities": 1, "num_parent_groups": 1}));
    assert_eq!(vault.list("group/name")["keys"], json!(["Inner", "middle", "outer"]));
    // What is taken away is gone at once.
    assert_eq!(vault.write("group", json!({"name": "middle", "member_group_ids": []})), Value::Null);
    assert_eq!(vault.policies(&login), ["default", "inner"]);
    vault.write(&format!("group/id/{middle}"), json!({"member_group_ids": [inner], "name": "centre"}));
    assert_eq!((vault.policies(&login).len(), vault.is_missing("group/name/middle")), (3, true));
    vault.delete("group/name/inner");
    assert_eq!(vault.policies(&login), ["default"]);
    let read = vault.read(&format!("group/id/{middle}"));
    assert_eq!((&read["member_group_ids"], &read["modify_index"]), (&json!([]), &json!(4)));
}

#[test]
fn no_group_contains_itself() {
    let mut vault = Fixture::new();
    let ids: Vec<String> = (0..4).map(|number| vault.made("group", json!({"name": format!("g{number}")}))).collect();
    for pair in ids.windows(2) {
        vault.write(&format!("group/id/{}", pair[0]), json!({"member_group_ids": [pair[1]]}));
    }
    for below in 0..4 {
        for above in 0..=below {
            let text = vault.refused(&format!("group/id/{}", ids[below]), json!({"member_group_ids": [ids[above]]}));
            assert!(text.contains("contain itself"), "{text}");
        }
    }
    vault.write(&format!("group/id/{}", ids[0]), json!({"member_group_ids": [ids[3], ids[1], ids[3]]}));
}

#[test]
fn nesting_is_bounded_from_above_and_from_below() {
    let mut vault = Fixture::new();
    let mut top = vault.made("group", json!({}));
    let mut levels = 1;
    while let Ok(reply) = vault.call(Operation::Write, "group", json!({"member_group_ids": [top]})) {
        top = crate::engines::test_store::data(&reply)["id"].as_str().unwrap().to_owned();
        levels += 1;
    }
    assert_eq!(levels, 32);
    let mut vault = Fixture::new();
    let mut bottom = vault.made("group", json!({}));
    let mut levels = 1;
    loop {
        let next = vault.made("group", json!({}));
        let path = format!("group/id/{bottom}");
        match vault.call(Operation::Write, &path, json!({"member_group_ids": [next]})) {
            Ok(_) => (bottom, levels) = (next, levels + 1),
            Err(refusal) => break assert!(refusal.public.contains("levels"), "{refusal:?}"),
        }
    }
    assert_eq!(levels, 32);
}

#[test]
fn what_a_group_cannot_be_is_refused() {
    let mut vault = Fixture::new();
    let (a, ann) = (vault.accessor("auth/a/"), vault.made("entity", json!({"name": "ann"})));
    let internal = vault.made("group", json!({"name": "g"}));
    let external = vault.made("group", json!({"name": "e", "type": "external"}));
    for policy in ["root", "response-wrapping"] {
        assert!(vault.refused("group", json!({"policies": policy})).contains("cannot contain"));
    }
    assert!(vault.refused("group", json!({"type": "other"})).contains("type"));
    assert!(vault.refused("group", json!({"name": "g", "type": "external"})).contains("cannot be changed"));
    assert!(vault.refused(&format!("group/id/{external}"), json!({"name": "G"})).contains("already in use"));
    assert!(vault.refused("group", json!({"name": "e", "member_entity_ids": [ann]})).contains("external"));
    assert!(vault.refused("group", json!({"name": "e", "member_group_ids": [internal]})).contains("external"));
    for id in ["x", internal.as_str()] {
        assert!(vault.refused("group", json!({"name": "g", "member_entity_ids": [id]})).contains("invalid entity"));
    }
    for id in ["x", ann.as_str()] {
        assert!(vault.refused("group", json!({"name": "g", "member_group_ids": [id]})).contains("invalid group"));
    }
    let alias = json!({"name": "n", "mount_accessor": a, "canonical_id": internal});
    assert!(vault.refused("group-alias", alias).contains("internal"));
    let too_many: Vec<String> = (0..5_001).map(|number| number.to_string()).collect();
    assert!(vault.refused("group", json!({"member_entity_ids": too_many})).contains("at most"));
}

#[test]
fn an_external_group_has_whom_a_login_says() {
    let mut vault = Fixture::new();
    let (a, b) = (vault.accessor("auth/a/"), vault.accessor("auth/b/"));
    let group = vault.made("group", json!({"name": "e", "type": "external", "policies": ["staff"]}));
    let asked = json!({"name": "staff", "mount_accessor": a, "canonical_id": group});
    let made = vault.write("group-alias", asked);
    let alias = made["id"].as_str().unwrap().to_owned();
    assert_eq!(made["canonical_id"], json!(group));
    let staff = vault.login("auth/a/", "n", Some(&["staff", "other"]));
    let stranger = vault.login("auth/b/", "n", Some(&["staff"]));
    assert_eq!(staff.identity_policies, ["staff"]);
    assert_eq!(
        (vault.policies(&staff), vault.policies(&stranger).len()),
        (vec!["default".to_owned(), "staff".to_owned()], 1)
    );
    let outer = vault.made("group", json!({"policies": ["outer"], "member_group_ids": [group]}));
    assert_eq!(vault.policies(&staff), ["default", "outer", "staff"]);
    let entity = staff.entity.unwrap().to_string();
    let read = vault.read("group/name/e");
    assert_eq!((&read["member_entity_ids"], &read["alias"]["id"]), (&json!([entity]), &json!(alias)));
    assert_eq!((&read["alias"]["mount_path"], &read["parent_group_ids"]), (&json!("auth/a/"), &json!([outer])));
    assert_eq!(vault.read(&format!("group-alias/id/{alias}")), read["alias"]);
    assert_eq!(vault.list("group-alias/id")["key_info"][&alias]["canonical_id"], json!(group));
    // One alias a group, one group a name.
    let more = json!({"name": "more", "mount_accessor": a, "canonical_id": group});
    assert!(vault.refused("group-alias", more).contains("already has"));
    let second = vault.write("group-alias", json!({"name": "second", "mount_accessor": a}));
    let path = format!("group-alias/id/{}", second["id"].as_str().unwrap());
    assert!(vault.refused(&path, json!({"name": "staff"})).contains("already exists"));
    // A later login without the claim ends it, for tokens of earlier ones too.
    vault.login("auth/a/", "n", Some(&["other"]));
    assert_eq!(vault.policies(&staff), ["default"]);
    assert_eq!(vault.read("group/name/e")["member_entity_ids"], json!([]));
    vault.write(&format!("group-alias/id/{alias}"), json!({"name": "other"}));
    assert_eq!(vault.policies(&staff), ["default", "outer", "staff"]);
    assert_eq!(vault.read("group/name/e")["member_entity_ids"], json!([entity]));
    vault.write(&format!("group-alias/id/{alias}"), json!({"mount_accessor": b}));
    assert_eq!(vault.policies(&staff), ["default"]);
    vault.write(&format!("group-alias/id/{alias}"), json!({"name": "staff"}));
    assert_eq!(vault.policies(&stranger), ["default", "outer", "staff"]);
    vault.delete(&format!("group-alias/id/{alias}"));
    assert_eq!((vault.policies(&stranger).len(), vault.is_missing(&format!("group-alias/id/{alias}"))), (1, true));
    vault.delete("group/name/e");
    assert_eq!(vault.read(&format!("group/id/{outer}"))["member_group_ids"], json!([]));
}

#[test]
fn members_of_an_external_group_are_listed_wholly_or_not_at_all() {
    let mut vault = Fixture::new();
    let a = vault.accessor("auth/a/");
    let group = vault.made("group", json!({"name": "e", "type": "external"}));
    vault.write("group-alias", json!({"name": "staff", "mount_accessor": a, "canonical_id": group}));
    let entity = vault.login("auth/a/", "n", Some(&["staff"])).entity.unwrap().to_string();
    let fill = |vault: &mut Fixture, count: u16| {
        for number in 0..count {
            let mut id = [7; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            let id = EntityId(id);
            let stranger = identity::Entity::new(id, format!("entity_{id}"), vault.store.now);
            let change = identity::store(&vault.store.names, &stranger).unwrap();
            vault.store.apply(vec![change]);
        }
    };
    fill(&mut vault, 1_999);
    assert_eq!(vault.read("group/name/e")["member_entity_ids"], json!([entity]));
    fill(&mut vault, 2_000);
    assert_eq!(vault.read("group/name/e")["member_entity_ids"], Value::Null);
    match vault.call(Operation::Read, "group/name/e", json!({})).unwrap() {
        Reply::Content(content) => assert_eq!(content.warnings.len(), 1),
        _ => panic!("no content"),
    }
}
