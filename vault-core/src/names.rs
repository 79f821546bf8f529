//! Turns names into storage keys: the disk shows neither the names nor the words of the hierarchy.

use crate::keys::KeyedHash;
use crate::secret::SecretKey;
use crate::store::{FolderId, RowKey, RowKind};

/// Tells what the vault itself needs from what it protects; each has barrier keys of its own, and data opens
/// only against a durable audit record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Domain {
    /// Mounts, policies, tokens: read to decide whether a request may go on.
    System,
    /// What the engines keep for people and applications.
    Data,
}

/// A folder of the storage hierarchy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Folder {
    domain: Domain,
    id: FolderId,
}

impl Folder {
    /// Gives the id under which a store lists the folder.
    pub const fn id(&self) -> FolderId {
        self.id
    }

    /// Tells which domain the folder's rows belong to.
    pub const fn domain(&self) -> Domain {
        self.domain
    }
}

/// The place of one row: its storage key together with the name that is sealed into it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    domain: Domain,
    key: RowKey,
    name: String,
}

impl Slot {
    /// Gives the storage key.
    pub const fn key(&self) -> &RowKey {
        &self.key
    }

    /// Gives the name; a folder's mark ends with a slash.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells which domain the row belongs to.
    pub const fn domain(&self) -> Domain {
        self.domain
    }
}

/// Computes the keyed hashes that stand for names on disk.
pub struct Names {
    hash: KeyedHash,
    /// The folder of tokens, which every request looks into.
    tokens: Folder,
}

impl Names {
    /// Prepares for the names key of a keyring.
    pub fn new(key: &SecretKey) -> Self {
        let hash = KeyedHash::new(key);
        let tokens = root(&hash, Domain::System, "tokens");
        Self { hash, tokens }
    }

    /// Finds the root folder of tokens.
    pub const fn tokens(&self) -> Folder {
        self.tokens
    }

    /// Finds a root folder. `label` is fixed in the code or names a mount's data.
    pub fn root(&self, domain: Domain, label: &str) -> Folder {
        root(&self.hash, domain, label)
    }

    /// Finds the folder `name` inside `parent`.
    pub fn folder(&self, parent: &Folder, name: &str) -> Folder {
        let id = short_hash(&self.hash, &[b"folder/", &parent.id.0, name.as_bytes()]);
        Folder { domain: parent.domain, id: FolderId(id) }
    }

    /// Finds the row that marks the folder `name` inside `parent`, so that listing `parent` shows `name/`.
    pub fn mark(&self, parent: &Folder, name: &str) -> Slot {
        let folder = self.folder(parent, name);
        Slot {
            domain: parent.domain,
            key: RowKey::new(parent.id, RowKind::Folder, folder.id.0),
            name: format!("{name}/"),
        }
    }

    /// Finds the row of the entry `name` inside `parent`.
    pub fn entry(&self, parent: &Folder, name: &str) -> Slot {
        let id = short_hash(&self.hash, &[b"entry/", &parent.id.0, name.as_bytes()]);
        Slot { domain: parent.domain, key: RowKey::new(parent.id, RowKind::Entry, id), name: name.to_owned() }
    }

    /// Finds the row of the entry `name` inside `parent`, which a listing shows otherwise: in the case it was written in.
    pub fn entry_listed_as(&self, parent: &Folder, name: &str, listed: &str) -> Slot {
        Slot { name: listed.to_owned(), ..self.entry(parent, name) }
    }
}

fn root(hash: &KeyedHash, domain: Domain, label: &str) -> Folder {
    let tag: &[u8] = match domain {
        Domain::System => b"root/system/",
        Domain::Data => b"root/data/",
    };
    Folder { domain, id: FolderId(short_hash(hash, &[tag, label.as_bytes()])) }
}

/// Shortens a keyed hash to 128 bits: without the key nobody can search for two names that meet.
fn short_hash(hash: &KeyedHash, parts: &[&[u8]]) -> [u8; 16] {
    *hash.hash(parts).first_chunk().unwrap_or(&[0; 16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_leads_to_its_folder() {
        let names = Names::new(&SecretKey::fill_with(|key| key.fill(3)));
        let root = names.root(Domain::Data, "mount");
        let mark = names.mark(&root, "app");
        assert_eq!(mark.key().marked_folder(), Some(names.folder(&root, "app").id()));
        assert_eq!(mark.name(), "app/");
    }

    #[test]
    fn domains_and_kinds_never_share_a_key() {
        let names = Names::new(&SecretKey::fill_with(|key| key.fill(3)));
        let system = names.root(Domain::System, "x");
        let data = names.root(Domain::Data, "x");
        assert_ne!(system.id(), data.id());
        assert_ne!(names.entry(&data, "a").key(), names.mark(&data, "a").key());
    }
}
