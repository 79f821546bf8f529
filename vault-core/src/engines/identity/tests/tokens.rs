//! What becomes of tokens when their entity changes.

use serde_json::json;

use super::Fixture;

#[test]
fn policies_of_an_entity_hold_at_once_and_end_at_once() {
    let mut vault = Fixture::new();
    let login = vault.login("auth/a/", "n", None);
    let path = format!("entity/id/{}", login.entity.unwrap());
    assert_eq!(vault.policies(&login), ["default"]);
    vault.write(&path, json!({"policies": ["p"]}));
    assert_eq!(vault.policies(&login), ["default", "p"]);
    vault.write(&path, json!({"policies": []}));
    assert_eq!(vault.policies(&login), ["default"]);
}

#[test]
fn a_disabled_entity_is_refused_until_it_is_enabled() {
    let mut vault = Fixture::new();
    let login = vault.login("auth/a/", "n", None);
    let path = format!("entity/id/{}", login.entity.unwrap());
    vault.write(&path, json!({"disabled": true}));
    assert!(vault.is_denied(&login));
    assert!(vault.try_login("auth/a/", "n", None).is_err());
    let other = vault.login("auth/b/", "n", None).entity.unwrap().to_string();
    let merge = json!({"from_entity_ids": [login.entity.unwrap().to_string()], "to_entity_id": other});
    assert!(vault.refused("entity/merge", merge).contains("disabled"));
    vault.write(&path, json!({"disabled": false}));
    assert!(!vault.is_denied(&login));
}

#[test]
fn the_tokens_of_a_deleted_entity_are_dead_even_if_the_same_person_comes_again() {
    let mut vault = Fixture::new();
    let login = vault.login("auth/a/", "n", None);
    vault.delete(&format!("entity/id/{}", login.entity.unwrap()));
    assert!(vault.is_denied(&login));
    let again = vault.login("auth/a/", "n", None);
    assert_ne!(login.entity, again.entity);
    assert!(vault.is_denied(&login) && !vault.is_denied(&again));
}
