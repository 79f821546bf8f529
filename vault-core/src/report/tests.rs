//! The report against brute force over all requests in small vaults, and what it says of vaults that are written down.

mod brute;
mod gate;
mod told;

use super::*;
use crate::id::{EntityId, GroupId};
use crate::identity::{Group, GroupKind, Groups};
use crate::policy::Policy;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

/// A vault in clear: policies by name and text, entities, groups, tokens.
#[derive(Default, Debug)]
struct Vault {
    policies: Vec<(String, String)>,
    entities: Vec<Entity>,
    groups: Vec<Group>,
    tokens: Vec<Token>,
}

impl Vault {
    fn policy(mut self, name: &str, text: &str) -> Self {
        self.policies.push((name.to_owned(), text.to_owned()));
        self
    }

    fn entity(mut self, id: u8, name: &str, policies: &[&str]) -> Self {
        let mut entity = Entity::new(EntityId([id; 16]), name.to_owned(), NOW);
        entity.policies = policies.iter().map(|&policy| policy.to_owned()).collect();
        self.entities.push(entity);
        self
    }

    fn group(mut self, id: u8, name: &str, policies: &[&str], members: &[u8]) -> Self {
        let mut group = Group::new(GroupId([id; 16]), name.to_owned(), GroupKind::Internal, NOW);
        group.policies = policies.iter().map(|&policy| policy.to_owned()).collect();
        group.member_entities = members.iter().map(|id| EntityId([*id; 16])).collect();
        self.groups.push(group);
        self
    }

    fn token(mut self, accessor: &str, policies: &[&str], entity: Option<u8>) -> Self {
        let policies = policies.iter().map(|&policy| policy.to_owned()).collect();
        let entity = entity.map(|id| EntityId([id; 16]));
        self.tokens.push(Token { entity, ..Token::new(accessor.to_owned(), policies, NOW) });
        self
    }

    fn tables(&self) -> Tables {
        let policies = self.policies.iter().map(|(name, text)| Policy::parse(name, text).unwrap());
        let mounts = [
            ("secret/", "kv"),
            ("sys/", "system"),
            ("auth/token/", "token"),
            ("identity/", "identity"),
            ("auth/userpass/", "userpass"),
        ];
        let mounts = mounts.map(|(path, kind)| crate::engines::test_store::mount(path, kind, "2"));
        Tables::new(mounts, policies, Groups::new(self.groups.iter().cloned()))
    }

    fn report(&self, charter: Option<&Charter>, asked: &[&str]) -> LoneWolf {
        let asked: Vec<String> = asked.iter().map(|&path| path.to_owned()).collect();
        let tables = self.tables();
        let census = Census { tables: &tables, charter, entities: &self.entities, tokens: &self.tokens };
        LoneWolf::of(&census, &asked).unwrap()
    }
}
