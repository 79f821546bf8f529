//! Random sequences of operations, with what must always hold checked after each step by slower code of its own.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Fixture;
use crate::auth::policies_of;
use crate::engines::test_store::data;
use crate::id::{AliasId, EntityId, GroupId};
use crate::identity::{self, Alias, Entity, Group, GroupKind};
use crate::names::Domain;
use crate::request::Operation;

const MOUNTS: [&str; 2] = ["auth/a/", "auth/b/"];
const NAMES: [&str; 6] = ["ann", "Ann", "beth", "carl", "CARL", "dora"];
const GROUP_NAMES: [&str; 10] = ["a", "A", "b", "c", "d", "e", "f", "g", "h", "H"];
const POLICIES: [&str; 3] = ["p", "q", "r"];

/// One operation; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Act {
    Login { mount: usize, name: usize, groups: Vec<usize> },
    WriteEntity { entity: usize, name: usize, policy: usize, by_name: bool },
    WriteAlias { entity: usize, mount: usize, name: usize },
    ChangeAlias { alias: usize, entity: usize, mount: usize, name: usize },
    DeleteEntities { entities: Vec<usize> },
    DeleteAlias { alias: usize },
    Merge { from: Vec<usize>, to: usize, keep: Vec<usize> },
    WriteGroup { group: usize, name: usize, policy: usize, external: bool, by_name: bool },
    SetMembers { group: usize, entities: Vec<usize>, groups: Vec<usize> },
    WriteGroupAlias { group: usize, mount: usize, name: usize },
    DeleteGroup { group: usize },
    DeleteGroupAlias { group: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let few = || prop::collection::vec(0..16_usize, 0..3);
    let (mount, name, policy) = (|| 0..MOUNTS.len(), || 0..NAMES.len(), || 0..POLICIES.len());
    let any = || 0..16_usize;
    prop_oneof![
        4 => (mount(), name(), prop::collection::vec(name(), 0..3))
            .prop_map(|(mount, name, groups)| Act::Login { mount, name, groups }),
        3 => (any(), name(), policy(), prop::bool::ANY)
            .prop_map(|(entity, name, policy, by_name)| Act::WriteEntity { entity, name, policy, by_name }),
        3 => (any(), mount(), name()).prop_map(|(entity, mount, name)| Act::WriteAlias { entity, mount, name }),
        3 => (any(), any(), mount(), name())
            .prop_map(|(alias, entity, mount, name)| Act::ChangeAlias { alias, entity, mount, name }),
        1 => few().prop_map(|entities| Act::DeleteEntities { entities }),
        1 => any().prop_map(|alias| Act::DeleteAlias { alias }),
        2 => (few(), any(), few()).prop_map(|(from, to, keep)| Act::Merge { from, to, keep }),
        3 => (any(), 0..GROUP_NAMES.len(), policy(), prop::bool::weighted(0.2), prop::bool::ANY).prop_map(|(group, name, policy, external, by_name)| {
            Act::WriteGroup { group, name, policy, external, by_name }
        }),
        9 => (any(), few(), few()).prop_map(|(group, entities, groups)| Act::SetMembers { group, entities, groups }),
        2 => (any(), mount(), name()).prop_map(|(group, mount, name)| Act::WriteGroupAlias { group, mount, name }),
        1 => any().prop_map(|group| Act::DeleteGroup { group }),
        1 => any().prop_map(|group| Act::DeleteGroupAlias { group }),
    ]
}

/// What became of an entity that was there once, as the test itself keeps the books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Alive,
    Merged(EntityId),
    Gone,
}

struct World {
    vault: Fixture,
    fates: BTreeMap<EntityId, Fate>,
    done: usize,
}

fn chosen<T: Clone>(from: &[T], number: usize) -> Option<T> {
    from.get(number.checked_rem(from.len())?).cloned()
}

fn several(from: &[String], numbers: &[usize]) -> Vec<String> {
    numbers.iter().filter_map(|number| chosen(from, *number)).collect()
}

impl World {
    fn entities(&self) -> Vec<Entity> {
        let names = &self.vault.store.names;
        let ids = self.vault.store.names_in(&identity::entities(names));
        let read = |id: &String| {
            let id = EntityId::parse(id).unwrap();
            self.vault.store.read(|view| identity::read(names, id, view)).unwrap().unwrap()
        };
        ids.iter().map(read).collect()
    }

    fn groups(&self) -> Vec<Group> {
        let names = &self.vault.store.names;
        let ids = self.vault.store.names_in(&names.root(Domain::System, "groups"));
        let read = |id: &String| {
            let id = GroupId::parse(id).unwrap();
            self.vault.store.read(|view| identity::read_group(names, id, view)).unwrap().unwrap()
        };
        ids.iter().map(read).collect()
    }

    fn attempt(&mut self, operation: Operation, path: &str, body: Value) -> Option<Value> {
        let reply = self.vault.call(operation, path, body).ok()?;
        self.done += 1;
        Some(data(&reply))
    }

    fn write(&mut self, path: &str, body: Value) -> Option<Value> {
        self.attempt(Operation::Write, path, body)
    }

    fn act(&mut self, act: &Act) {
        let entities: Vec<String> = self.entities().iter().map(|entity| entity.id.to_string()).collect();
        let aliases: Vec<String> = self
            .entities()
            .iter()
            .flat_map(|entity| entity.aliases.clone())
            .map(|alias| alias.id.to_string())
            .collect();
        let accessor = |world: &Self, mount: usize| world.vault.accessor(MOUNTS[mount]);
        match act {
            Act::Login { mount, name, groups } => {
                let groups: Vec<&str> = groups.iter().map(|name| NAMES[*name]).collect();
                self.vault.login(MOUNTS[*mount], NAMES[*name], Some(&groups));
            }
            Act::WriteEntity { entity, name, policy, by_name } => {
                let id = chosen(&entities, *entity).filter(|_| !by_name);
                let body = json!({"id": id, "name": NAMES[*name], "policies": [POLICIES[*policy]]});
                self.write("entity", body);
            }
            Act::WriteAlias { entity, mount, name } => {
                let owner = chosen(&entities, *entity);
                let accessor = accessor(self, *mount);
                self.write(
                    "entity-alias",
                    json!({"name": NAMES[*name], "mount_accessor": accessor, "canonical_id": owner}),
                );
            }
            Act::ChangeAlias { alias, entity, mount, name } => {
                let Some(id) = chosen(&aliases, *alias) else { return };
                let accessor = accessor(self, *mount);
                let body = json!({"name": NAMES[*name], "mount_accessor": accessor, "canonical_id": chosen(&entities, *entity)});
                self.write(&format!("entity-alias/id/{id}"), body);
            }
            Act::DeleteEntities { entities: numbers } => {
                let ids = several(&entities, numbers);
                if self.write("entity/batch-delete", json!({ "entity_ids": ids })).is_some() {
                    ids.iter().for_each(|id| self.end(id, Fate::Gone));
                }
            }
            Act::DeleteAlias { alias } => {
                let Some(id) = chosen(&aliases, *alias) else { return };
                self.attempt(Operation::Delete, &format!("entity-alias/id/{id}"), json!({}));
            }
            Act::Merge { from, to, keep } => {
                let (from, Some(to)) = (several(&entities, from), chosen(&entities, *to)) else { return };
                let keep = several(&aliases, keep);
                let body = json!({"from_entity_ids": from, "to_entity_id": to, "conflicting_alias_ids_to_keep": keep});
                if self.write("entity/merge", body).is_some() {
                    from.iter().for_each(|id| self.end(id, Fate::Merged(EntityId::parse(&to).unwrap())));
                }
            }
            groups => self.act_on_groups(groups, &entities),
        }
    }

    fn act_on_groups(&mut self, act: &Act, entities: &[String]) {
        let groups: Vec<String> = self.groups().iter().map(|group| group.id.to_string()).collect();
        match act {
            Act::WriteGroup { group, name, policy, external, by_name } => {
                let id = chosen(&groups, *group).filter(|_| !by_name);
                let kind = if *external { "external" } else { "internal" };
                let body = json!({"id": id, "name": GROUP_NAMES[*name], "policies": [POLICIES[*policy]], "type": kind});
                self.write("group", body);
            }
            Act::SetMembers { group, entities: members, groups: below } => {
                let Some(id) = chosen(&groups, *group) else { return };
                let (members, below) = (several(entities, members), several(&groups, below));
                self.write(&format!("group/id/{id}"), json!({"member_entity_ids": members, "member_group_ids": below}));
            }
            Act::WriteGroupAlias { group, mount, name } => {
                let accessor = self.vault.accessor(MOUNTS[*mount]);
                let body =
                    json!({"name": NAMES[*name], "mount_accessor": accessor, "canonical_id": chosen(&groups, *group)});
                self.write("group-alias", body);
            }
            Act::DeleteGroup { group } => {
                let Some(id) = chosen(&groups, *group) else { return };
                self.attempt(Operation::Delete, &format!("group/id/{id}"), json!({}));
            }
            Act::DeleteGroupAlias { group } => {
                let alias = self.groups().into_iter().filter_map(|group| group.alias).nth(*group);
                let Some(alias) = alias else { return };
                self.attempt(Operation::Delete, &format!("group-alias/id/{}", alias.id), json!({}));
            }
            other => panic!("{other:?} is not about groups"),
        }
    }

    fn end(&mut self, id: &str, fate: Fate) {
        self.fates.insert(EntityId::parse(id).unwrap(), fate);
    }

    fn check(&mut self) {
        let (entities, groups) = (self.entities(), self.groups());
        for entity in &entities {
            let fate = *self.fates.entry(entity.id).or_insert(Fate::Alive);
            assert_eq!(fate, Fate::Alive, "{entity:?}");
        }
        self.check_entity_rows(&entities);
        self.check_group_rows(&groups, &entities);
        self.check_fates();
        for entity in &entities {
            let found = policies_of(entity, &self.vault.store.tables);
            assert_eq!(found, slow_policies(entity, &groups), "{entity:?}");
        }
    }

    /// Each name and alias has one row, which leads to its entity; there are no other rows.
    fn check_entity_rows(&self, entities: &[Entity]) {
        let (store, names) = (&self.vault.store, &self.vault.store.names);
        let led = |slot| store.read(|view| identity::led(&slot, view)).unwrap();
        let aliases: Vec<(&Alias, EntityId)> =
            entities.iter().flat_map(|entity| entity.aliases.iter().map(|alias| (alias, entity.id))).collect();
        let by_mount = |path: &str| {
            let folder = names.folder(&names.root(Domain::System, "entity-aliases"), &self.vault.accessor(path));
            store.names_in(&folder).len()
        };
        for entity in entities {
            assert_eq!(led(identity::name_slot(names, &entity.name)), Some(entity.id));
            let mounts: BTreeSet<&str> = entity.aliases.iter().map(|alias| alias.mount_accessor.as_str()).collect();
            assert_eq!(mounts.len(), entity.aliases.len(), "two aliases at one mount: {entity:?}");
        }
        for (alias, owner) in &aliases {
            assert_eq!(led(identity::alias_slot(names, &alias.mount_accessor, &alias.name)), Some(*owner));
            assert_eq!(led(identity::alias_id_slot(names, alias.id)), Some(*owner));
        }
        let mut listed = store.names_in(&identity::names_folder(names));
        let mut own: Vec<String> = entities.iter().map(|entity| entity.name.clone()).collect();
        listed.sort_unstable();
        own.sort_unstable();
        assert_eq!(listed, own);
        assert_eq!(store.names_in(&identity::alias_ids_folder(names)).len(), aliases.len());
        assert_eq!(MOUNTS.map(by_mount).iter().sum::<usize>(), aliases.len());
    }

    fn check_group_rows(&self, groups: &[Group], entities: &[Entity]) {
        let (store, names) = (&self.vault.store, &self.vault.store.names);
        let led = |slot| store.read(|view| identity::led_to_group(&slot, view)).unwrap();
        let count = |label: &str| store.names_in(&names.root(Domain::System, label)).len();
        let ids: BTreeSet<GroupId> = groups.iter().map(|group| group.id).collect();
        let people: BTreeSet<EntityId> = entities.iter().map(|entity| entity.id).collect();
        let mut aliases: Vec<AliasId> = Vec::new();
        for group in groups {
            assert_eq!(led(identity::group_name_slot(names, &group.name)), Some(group.id));
            assert!(group.member_groups.iter().all(|member| ids.contains(member)), "{group:?}");
            assert!(group.member_entities.iter().all(|member| people.contains(member)), "{group:?}");
            let external = group.kind == GroupKind::External;
            assert!(!external || (group.member_groups.is_empty() && group.member_entities.is_empty()), "{group:?}");
            assert!(external || group.alias.is_none(), "{group:?}");
            if let Some(alias) = &group.alias {
                assert_eq!(led(identity::group_alias_slot(names, &alias.mount_accessor, &alias.name)), Some(group.id));
                assert_eq!(led(identity::group_alias_id_slot(names, alias.id)), Some(group.id));
                aliases.push(alias.id);
            }
        }
        assert_eq!((count("group-names"), count("group-alias-ids")), (groups.len(), aliases.len()));
        let loaded: Vec<Group> = self.vault.store.tables.groups().iter().map(|group| group.as_ref().clone()).collect();
        let mut stored = groups.to_vec();
        stored.sort_unstable_by_key(|group| group.id);
        assert_eq!(loaded, stored, "memory is behind the store");
        // Groups without members that are still there are taken away until none is left: only a circle stays.
        let mut left: Vec<&Group> = groups.iter().collect();
        loop {
            let waiting: BTreeSet<GroupId> = left.iter().map(|group| group.id).collect();
            let before = left.len();
            left.retain(|group| group.member_groups.iter().any(|member| waiting.contains(member)));
            if left.len() == before {
                break;
            }
        }
        assert!(left.is_empty(), "groups contain themselves: {left:?}");
    }

    /// The tokens of every entity that ever was belong to whom the books say.
    fn check_fates(&self) {
        for id in self.fates.keys() {
            let mut expected = *id;
            let alive = loop {
                match self.fates[&expected] {
                    Fate::Alive => break Some(expected),
                    Fate::Merged(into) => expected = into,
                    Fate::Gone => break None,
                }
            };
            let found = self.vault.store.read(|view| identity::find(&self.vault.store.names, *id, view)).unwrap();
            assert_eq!(found.map(|entity| entity.id), alive);
        }
    }
}

/// Computes policies by growing the set of an entity's groups until it stays the same.
fn slow_policies(entity: &Entity, groups: &[Group]) -> BTreeSet<String> {
    let claimed = |group: &Group| {
        group.alias.as_ref().is_some_and(|own| {
            let alias = entity.aliases.iter().find(|alias| alias.mount_accessor == own.mount_accessor);
            alias.is_some_and(|alias| alias.groups.contains(&own.name))
        })
    };
    let mut inside: BTreeSet<GroupId> = BTreeSet::new();
    loop {
        let member = |group: &&Group| {
            group.member_entities.contains(&entity.id)
                || group.member_groups.iter().any(|below| inside.contains(below))
                || claimed(group)
        };
        let grown: BTreeSet<GroupId> = groups.iter().filter(member).map(|group| group.id).collect();
        if grown == inside {
            break;
        }
        inside = grown;
    }
    let brought = groups.iter().filter(|group| inside.contains(&group.id)).flat_map(|group| &group.policies);
    entity.policies.iter().chain(brought).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_must_hold_holds_after_every_operation(acts in prop::collection::vec(act(), 1..48)) {
        let mut world = World { vault: Fixture::new(), fates: BTreeMap::new(), done: 0 };
        for act in &acts {
            world.act(act);
            world.check();
        }
    }
}

/// A sequence whose operations are nearly all refused would show nothing.
#[test]
fn most_random_operations_are_carried_out() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut world = World { vault: Fixture::new(), fates: BTreeMap::new(), done: 0 };
    let mut nested = 0;
    for _ in 0..300 {
        let act = act().new_tree(&mut runner).unwrap().current();
        world.act(&act);
        world.check();
        let outer = world.groups().iter().filter(|group| !group.member_groups.is_empty()).count();
        nested = nested.max(outer);
    }
    let merged = world.fates.values().filter(|fate| matches!(fate, Fate::Merged(_))).count();
    assert!(world.done > 80 && nested > 1 && merged > 3, "{} {nested} {merged}", world.done);
}
