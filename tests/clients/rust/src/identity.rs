//! Entities, aliases and groups.

use std::collections::HashMap;

use vaultrs::api::identity::entity::requests::{CreateEntityRequest, UpdateEntityByIdRequest};
use vaultrs::api::identity::group::requests::{CreateGroupByNameRequest, CreateGroupRequest, UpdateGroupByIdRequest};
use vaultrs::auth::userpass;
use vaultrs::client::VaultClient;
use vaultrs::identity::{entity, entity_alias, group, group_alias};
use vaultrs::sys::auth;

use crate::vault::{client, refused, root};

async fn make_entity(root: &VaultClient, name: &str) -> String {
    let mut wishes = CreateEntityRequest::builder();
    let metadata = HashMap::from([("team".to_owned(), "ops".to_owned())]);
    wishes.name(name).metadata(metadata).policies(vec!["default".to_owned()]);
    entity::create(root, Some(&mut wishes)).await.unwrap().id
}

/// Mounts a userpass method and gives its accessor.
async fn mount(root: &VaultClient, path: &str) -> String {
    auth::enable(root, path, "userpass", None).await.unwrap();
    auth::list(root).await.unwrap()[&format!("{path}/")].accessor.clone()
}

#[tokio::test]
async fn an_entity_is_kept_changed_and_deleted() {
    let root = root().await;
    let id = make_entity(&root, "anna").await;
    let read = entity::read_by_name(&root, "anna").await.unwrap();
    assert_eq!((&read.id, read.disabled, read.policies), (&id, false, vec!["default".to_owned()]));
    assert_eq!(read.metadata.unwrap()["team"], "ops");
    assert_eq!((read.aliases.len(), read.group_ids.len()), (0, 0));
    assert!(entity::list_by_id(&root).await.unwrap().keys.contains(&id));
    assert!(entity::list_by_name(&root).await.unwrap().keys.contains(&"anna".to_owned()));
    entity::update_by_id(&root, &id, Some(UpdateEntityByIdRequest::builder().name("anne").disabled(true)))
        .await
        .unwrap();
    let changed = entity::read_by_id(&root, &id).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.disabled), ("anne", true));
    refused(entity::read_by_name(&root, "anna").await, 404);
    entity::create_or_update_by_name(&root, "otto", None).await.unwrap();
    let otto = entity::read_by_name(&root, "otto").await.unwrap().id;
    entity::merge(&root, vec![otto.clone()], id.clone(), None).await.unwrap();
    refused(entity::read_by_name(&root, "otto").await, 404);
    assert_eq!(entity::read_by_id(&root, &id).await.unwrap().merged_entity_ids, Some(vec![otto]));
    entity::batch_delete(&root, vec![id.clone()]).await.unwrap();
    refused(entity::read_by_id(&root, &id).await, 404);
}

#[tokio::test]
async fn a_login_is_an_alias_and_a_group_gives_policies() {
    let root = root().await;
    let accessor = mount(&root, "staff").await;
    userpass::user::set(&root, "staff", "berta", "a long passphrase", None).await.unwrap();
    let id = make_entity(&root, "berta").await;
    let alias = entity_alias::create(&root, "berta", &id, &accessor, None).await.unwrap();
    assert_eq!(alias.canonical_id, id);
    let read = entity_alias::read_by_id(&root, &alias.id).await.unwrap();
    assert_eq!((read.name.as_str(), read.mount_path.as_str(), read.local), ("berta", "auth/staff/", false));
    let listed = entity_alias::list_by_id(&root).await.unwrap();
    assert_eq!(listed.key_info[&alias.id].canonical_id, id);

    let mut wishes = CreateGroupByNameRequest::builder();
    wishes.member_entity_ids(vec![id.clone()]).policies(vec!["team-ops".to_owned()]);
    group::create_or_update_by_name(&root, "ops", Some(&mut wishes)).await.unwrap();
    let made = group::read_by_name(&root, "ops").await.unwrap();
    assert_eq!(made.member_entity_ids, Some(vec![id.clone()]));
    let login = userpass::login(&client(""), "staff", "berta", "a long passphrase").await.unwrap();
    assert_eq!(login.entity_id, id);
    assert_eq!(
        (login.policies, login.token_policies),
        (vec!["default".to_owned(), "team-ops".to_owned()], vec!["default".to_owned()])
    );
    assert_eq!(entity::read_by_id(&root, &id).await.unwrap().group_ids, [made.id]);

    entity_alias::delete_by_id(&root, &alias.id).await.unwrap();
    refused(entity_alias::read_by_id(&root, &alias.id).await, 404);
    group::delete_by_name(&root, "ops").await.unwrap();
    entity::delete_by_name(&root, "berta").await.unwrap();
    auth::disable(&root, "staff").await.unwrap();
}

#[tokio::test]
async fn a_group_is_kept_and_has_an_alias_elsewhere() {
    let root = root().await;
    let accessor = mount(&root, "company").await;
    let mut wishes = CreateGroupRequest::builder();
    let made = group::create(&root, Some(wishes.group_type("external"))).await.unwrap();
    group::update_by_id(&root, &made.id, Some(UpdateGroupByIdRequest::builder().name("abroad"))).await.unwrap();
    let read = group::read_by_id(&root, &made.id).await.unwrap();
    assert_eq!((read.name.as_str(), read.group_type.as_str()), ("abroad", "external"));
    assert!(group::list_by_id(&root).await.unwrap().keys.contains(&made.id));
    assert!(group::list_by_name(&root).await.unwrap().keys.contains(&"abroad".to_owned()));

    let mut wishes = vaultrs::api::identity::group_alias::requests::CreateGroupAliasRequest::builder();
    let alias =
        group_alias::create(&root, "there", &accessor, Some(wishes.canonical_id(made.id.clone()))).await.unwrap();
    let read = group_alias::read_by_id(&root, &alias.id).await.unwrap();
    assert_eq!((read.name.as_str(), &read.canonical_id, &read.mount_accessor), ("there", &made.id, &accessor));
    assert_eq!(group_alias::list_by_id(&root).await.unwrap().keys, [alias.id.clone()]);
    group_alias::delete_by_id(&root, &alias.id).await.unwrap();
    refused(group_alias::read_by_id(&root, &alias.id).await, 404);
    group::delete_by_id(&root, &made.id).await.unwrap();
    refused(group::read_by_id(&root, &made.id).await, 404);
    auth::disable(&root, "company").await.unwrap();
}
