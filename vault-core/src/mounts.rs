//! The mount table, and with the policies the tables by which every request is routed and judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::MountId;
use crate::names::{Domain, Folder, Names};
use crate::policy::Policy;
use crate::time::Span;

/// Longest time to live where nothing else is set: 32 days, as in Vault.
pub const TTL_MAX_DEFAULT: Span = Span(32 * 24 * 3600);

/// One mounted engine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// Where, with a trailing slash: `secret/`.
    pub path: String,
    /// The engine's type name: `kv`.
    pub kind: String,
    /// Names the mount for its whole life; the data lies under it, not under the path.
    pub id: MountId,
    /// Names the mount to people: `kv_1a2b3c4d`.
    pub accessor: String,
    /// What people wrote about it.
    pub description: String,
    /// Options of the engine, such as `version` for KV.
    pub options: BTreeMap<String, String>,
    /// Settings that `tune` changes.
    pub settings: MountSettings,
}

/// Settings that `sys/mounts/<path>/tune` changes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MountSettings {
    /// Time to live of leases when none is asked for; zero for the system's.
    pub default_lease_ttl: Span,
    /// Longest time to live; zero for the system's.
    pub max_lease_ttl: Span,
    /// Whether lists of mounts show it to everybody: empty, `hidden` or `unauth`.
    pub listing_visibility: String,
    /// Request keys left unhashed in the audit log.
    pub audit_non_hmac_request_keys: Vec<String>,
    /// Response keys left unhashed in the audit log.
    pub audit_non_hmac_response_keys: Vec<String>,
    /// Whether stock clients may cache.
    pub force_no_cache: bool,
}

impl Mount {
    /// Gives an option, or nothing.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Finds the folder called `name` among the mount's data.
    pub fn folder(&self, names: &Names, name: &str) -> Folder {
        names.folder(&self.root(names), name)
    }

    /// Finds the root folder of the mount's data.
    pub fn root(&self, names: &Names) -> Folder {
        names.root(Domain::Data, &self.id.to_string())
    }
}

/// Mounts and policies in force, replaced as a whole when one changes.
#[derive(Default)]
pub struct Tables {
    mounts: BTreeMap<String, Arc<Mount>>,
    policies: BTreeMap<String, Arc<Policy>>,
}

impl Tables {
    /// Puts the tables together.
    pub fn new(mounts: impl IntoIterator<Item = Mount>, policies: impl IntoIterator<Item = Policy>) -> Self {
        Self {
            mounts: mounts.into_iter().map(|mount| (mount.path.clone(), Arc::new(mount))).collect(),
            policies: policies.into_iter().map(|policy| (policy.name().to_owned(), Arc::new(policy))).collect(),
        }
    }

    /// Finds the mount that a path lies under, and the rest of the path. Mounts are never nested, so the one
    /// whose path is a prefix is the only one.
    pub fn route<'a>(&self, path: &'a str) -> Option<(&Arc<Mount>, &'a str)> {
        path.char_indices().filter(|(_, c)| *c == '/').find_map(|(slash, _)| {
            let (head, rest) = path.split_at_checked(slash + 1)?;
            self.mounts.get(head).map(|mount| (mount, rest))
        })
    }

    /// Lists all mounts by path.
    pub fn mounts(&self) -> impl Iterator<Item = &Arc<Mount>> {
        self.mounts.values()
    }

    /// Finds a mount by its exact path, with trailing slash.
    pub fn mount(&self, path: &str) -> Option<&Arc<Mount>> {
        self.mounts.get(path)
    }

    /// Finds a policy by name.
    pub fn policy(&self, name: &str) -> Option<&Arc<Policy>> {
        self.policies.get(name)
    }

    /// Lists all policies by name.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.values()
    }
}
