//! The mount table, and with the policies the tables by which every request is routed and judged.

mod older;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::approval;
use crate::audit::{self, Device};
use crate::auth::token::TokenType;
use crate::custody::Custody;
use crate::engines::Change;
use crate::id::MountId;
use crate::identity::{self, Groups};
use crate::limits::{self, Limits};
use crate::names::{Domain, Folder, Names, Slot};
use crate::path::RequestPath;
use crate::policy::{Acl, DEFAULT_POLICY, IdentityFacts, Policy};
use crate::quota::{self, RateLimit};
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::SecretBytes;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};
use crate::wrapping;
use older::MountBeforeAuthMethods;

/// Longest time to live where nothing else is set: 32 days, as in Vault.
pub const TTL_MAX_DEFAULT: Span = Span(32 * 24 * 3600);

const MOUNT_VERSION: u8 = 3;
const MOUNT_VERSION_BEFORE_TOKEN_TYPES: u8 = 2;
const MOUNT_VERSION_BEFORE_AUTH_METHODS: u8 = 1;

/// What is mounted from the start: path, type, description.
const BUILT_IN: [(&str, &str, &str); 4] = [
    ("auth/token/", "token", "token based credentials"),
    ("cubbyhole/", "cubbyhole", "per-token private secret storage"),
    (IDENTITY_PATH, "identity", IDENTITY_DESCRIPTION),
    ("sys/", "system", "system endpoints used for control, policy and debugging"),
];

const IDENTITY_PATH: &str = "identity/";
const IDENTITY_DESCRIPTION: &str = "identity store";

/// Beginnings of paths under which nothing can be mounted.
const RESERVED: [&str; 4] = ["auth/", "cubbyhole/", "identity/", "sys/"];

/// Most mounts of one vault; all are kept in memory.
pub const MOUNTS_MAX: usize = 10_000;

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
    /// How an auth method answers repeated failures.
    pub lockout: Lockout,
    /// Which kind of tokens an auth method makes. Rows hold it behind the rest, as of version 3.
    #[serde(skip)]
    pub token_type: TokenType,
}

/// How an auth method answers repeated failures of one user or from one source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lockout {
    /// Failures after which further logins are refused for a while.
    pub threshold: u32,
    /// How long they are refused.
    pub duration: Span,
    /// How long after the last failure they are forgotten.
    pub counter_reset: Span,
    /// Whether failures are not counted at all.
    pub disabled: bool,
}

impl Default for Lockout {
    /// Five failures, fifteen minutes each, as in Vault.
    fn default() -> Self {
        Self { threshold: 5, duration: Span(900), counter_reset: Span(900), disabled: false }
    }
}

impl Mount {
    /// Makes a mount with a fresh id.
    pub fn new(path: &str, kind: &str, description: &str, rng: &mut dyn CryptoRng) -> Self {
        let mut suffix = [0; 4];
        rng.fill_bytes(&mut suffix);
        Self {
            path: path.to_owned(),
            kind: kind.to_owned(),
            id: MountId::random(rng),
            accessor: format!("{kind}_{}", HEXLOWER.encode(&suffix)),
            description: description.to_owned(),
            options: BTreeMap::new(),
            settings: MountSettings::default(),
        }
    }

    /// Gives the change that stores the mount.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub fn store(&self, names: &Names) -> Result<Change, Refusal> {
        let payload = record_format::encode(MOUNT_VERSION, &(self, self.settings.token_type))?;
        Ok(Change::Put { slot: mount_slot(names, &self.path), payload })
    }

    /// Reads a mount.
    ///
    /// # Errors
    /// Refuses with an internal error if it is damaged or of an unknown version.
    pub fn decode(payload: &SecretBytes) -> Result<Self, Refusal> {
        if record_format::version(payload) == Some(MOUNT_VERSION_BEFORE_AUTH_METHODS) {
            let old: MountBeforeAuthMethods = record_format::decode(MOUNT_VERSION_BEFORE_AUTH_METHODS, payload)?;
            return Ok(old.into());
        }
        if record_format::version(payload) == Some(MOUNT_VERSION_BEFORE_TOKEN_TYPES) {
            return record_format::decode(MOUNT_VERSION_BEFORE_TOKEN_TYPES, payload);
        }
        let (mut mount, token_type): (Self, TokenType) = record_format::decode(MOUNT_VERSION, payload)?;
        mount.settings.token_type = token_type;
        Ok(mount)
    }

    /// Gives an option, or nothing.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Finds the root folder called `name` among the mount's data, for engines that keep several.
    pub fn folder(&self, names: &Names, name: &str) -> Folder {
        names.root(Domain::Data, &format!("{}/{name}", self.id))
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
    mount_ids: HashSet<MountId>,
    /// Auth methods by accessor.
    logins: HashMap<String, Arc<Mount>>,
    policies: BTreeMap<String, Arc<Policy>>,
    groups: Groups,
    rate_limits: Vec<RateLimit>,
    audit_devices: Vec<Device>,
    custody: Option<Arc<Custody>>,
    control_group_ttl_max: Option<Span>,
    limits: Limits,
}

impl Tables {
    /// Puts the tables together.
    pub fn new(
        mounts: impl IntoIterator<Item = Mount>,
        policies: impl IntoIterator<Item = Policy>,
        groups: Groups,
    ) -> Self {
        let mounts: BTreeMap<_, _> = mounts.into_iter().map(|mount| (mount.path.clone(), Arc::new(mount))).collect();
        let auth = mounts.values().filter(|mount| mount.path.starts_with("auth/"));
        let logins: HashMap<_, _> = auth.map(|mount| (mount.accessor.clone(), Arc::clone(mount))).collect();
        let mut groups = groups;
        groups.retain_mounts(|accessor| logins.contains_key(accessor));
        Self {
            logins,
            mount_ids: mounts.values().map(|mount| mount.id).collect(),
            mounts,
            policies: policies.into_iter().map(|policy| (policy.name().to_owned(), Arc::new(policy))).collect(),
            groups,
            rate_limits: Vec::new(),
            audit_devices: Vec::new(),
            custody: None,
            control_group_ttl_max: None,
            limits: Limits::default(),
        }
    }

    /// Adds limits and canaries.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets when the custodian who was not seen for longest was seen.
    #[must_use]
    pub const fn with_checkup(mut self, seen_at: Option<Timestamp>) -> Self {
        self.limits.set_checkup(seen_at);
        self
    }

    /// Takes limits and canaries out, for tests that change them.
    #[cfg(test)]
    pub(crate) fn into_limits(self) -> Limits {
        self.limits
    }

    /// Gives limits and canaries.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sets the longest time that held requests wait.
    #[must_use]
    pub const fn with_control_group_ttl_max(mut self, ttl_max: Option<Span>) -> Self {
        self.control_group_ttl_max = ttl_max;
        self
    }

    /// Gives the longest time that held requests wait, if one is set.
    pub const fn control_group_ttl_max(&self) -> Option<Span> {
        self.control_group_ttl_max
    }

    /// Adds the limits on requests.
    #[must_use]
    pub fn with_rate_limits(mut self, rate_limits: Vec<RateLimit>) -> Self {
        self.rate_limits = rate_limits;
        self
    }

    /// Adds who holds the shares; none where they were handed out in clear.
    #[must_use]
    pub fn with_custody(mut self, custody: Option<Arc<Custody>>) -> Self {
        self.custody = custody;
        self
    }

    /// Gives who holds the shares.
    pub fn custody(&self) -> Option<&Custody> {
        self.custody.as_deref()
    }

    /// Tells whether the vault is in service: a charter governs it, root tokens are dead, and what gives power takes
    /// stewards together.
    pub const fn is_in_service(&self) -> bool {
        self.custody.is_some()
    }

    /// Adds the devices that follow the log.
    #[must_use]
    pub fn with_audit_devices(mut self, audit_devices: Vec<Device>) -> Self {
        self.audit_devices = audit_devices;
        self
    }

    /// Lists the devices that follow the log.
    pub fn audit_devices(&self) -> &[Device] {
        &self.audit_devices
    }

    /// Lists the limits on requests.
    pub fn rate_limits(&self) -> &[RateLimit] {
        &self.rate_limits
    }

    /// Tells whether a mount is there.
    pub fn has_mount(&self, id: MountId) -> bool {
        self.mount_ids.contains(&id)
    }

    /// Finds an auth method by its accessor. What is left of one that was disabled leads nowhere.
    pub fn login_mount(&self, accessor: &str) -> Option<&Arc<Mount>> {
        self.logins.get(accessor)
    }

    /// Gives the groups of entities.
    pub const fn groups(&self) -> &Groups {
        &self.groups
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

    /// Tells whether the rules of a set of policies depend on who asks.
    pub fn is_templated(&self, names: &[String]) -> bool {
        names.iter().filter_map(|name| self.policy(name)).any(|policy| policy.is_templated())
    }

    /// Compiles the rules of a set of policies for one identity; names without a policy grant nothing.
    pub fn acl(&self, names: &[String], facts: &IdentityFacts) -> Acl {
        if names.iter().any(|name| name == "root") {
            return Acl::root();
        }
        let policies: Vec<_> = names.iter().filter_map(|name| self.policy(name)).map(Arc::clone).collect();
        Acl::of(&policies, facts)
    }

    /// Lists all policies by name.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.values()
    }
}

/// Checks a path to mount at and gives it one trailing slash.
///
/// # Errors
/// Refuses paths that are malformed, reserved, or at, above or below another mount.
pub fn check_path(tables: &Tables, path: &str) -> Result<String, Refusal> {
    let parsed = RequestPath::parse(path.trim_matches('/').as_bytes());
    let path = parsed.map_err(|error| Refusal::invalid(error.to_string()))?.into_folder();
    let path = path.as_str();
    if RESERVED.iter().any(|reserved| path.starts_with(reserved)) {
        return Err(Refusal::invalid(format!("cannot mount at {path:?}: the path is reserved")));
    }
    check_free(tables, path)
}

/// Checks a path to enable an auth method at and gives it its full form: `auth/<path>/`.
///
/// # Errors
/// Refuses paths that are malformed, or at, above or below another mount.
pub fn check_auth_path(tables: &Tables, path: &str) -> Result<String, Refusal> {
    let parsed = RequestPath::parse(format!("auth/{}", path.trim_matches('/')).as_bytes());
    let path = parsed.map_err(|error| Refusal::invalid(error.to_string()))?.into_folder();
    check_free(tables, path.as_str())
}

fn check_free(tables: &Tables, path: &str) -> Result<String, Refusal> {
    match tables.mounts().find(|mount| mount.path.starts_with(path) || path.starts_with(&mount.path)) {
        Some(other) => Err(Refusal::invalid(format!("path is already in use at {}", other.path))),
        None => Ok(path.to_owned()),
    }
}

/// Gives the changes that write the mounts and policies of a new vault.
///
/// # Errors
/// Refuses with an internal error if one cannot be written.
pub fn initial_changes(names: &Names, rng: &mut dyn CryptoRng) -> Result<Vec<Change>, Refusal> {
    let mut changes = vec![store_policy(names, "default", DEFAULT_POLICY)];
    for (path, kind, description) in BUILT_IN {
        changes.push(Mount::new(path, kind, description, rng).store(names)?);
    }
    Ok(changes)
}

/// Finds the row of a mount.
pub fn mount_slot(names: &Names, path: &str) -> Slot {
    names.entry(&mounts_folder(names), path)
}

/// Finds the row of a policy.
pub fn policy_slot(names: &Names, name: &str) -> Slot {
    names.entry(&policies_folder(names), name)
}

/// Gives the change that stores a policy text, already checked.
pub fn store_policy(names: &Names, name: &str, text: &str) -> Change {
    Change::Put { slot: policy_slot(names, name), payload: SecretBytes::new(text.as_bytes().to_vec()) }
}

fn mounts_folder(names: &Names) -> Folder {
    names.root(Domain::System, "mounts")
}

fn policies_folder(names: &Names) -> Folder {
    names.root(Domain::System, "policies")
}

/// Reads all mounts and policies.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub fn load_tables(names: &Names, view: &mut View) -> Result<Tables, Interrupt> {
    let mounts = slots(view, names, &mounts_folder(names))?;
    let policies = slots(view, names, &policies_folder(names))?;
    view.prefetch(mounts.iter().chain(&policies));
    let groups = identity::load_groups(names, view)?;
    let mut read_mounts = Vec::with_capacity(mounts.len());
    for slot in &mounts {
        if let Some(row) = view.entry(slot)? {
            read_mounts.push(Mount::decode(&row.payload)?);
        }
    }
    if !read_mounts.iter().any(|mount| mount.path == IDENTITY_PATH) {
        read_mounts.push(identity_mount(names));
    }
    let mut read_policies = vec![built_in(wrapping::POLICY_NAME, wrapping::POLICY_TEXT)?];
    for slot in &policies {
        if let Some(row) = view.entry(slot)? {
            let text = std::str::from_utf8(row.payload.expose()).map_err(|error| damaged(slot.name(), &error))?;
            read_policies.push(built_in(slot.name(), text)?);
        }
    }
    Ok(Tables::new(read_mounts, read_policies, groups)
        .with_rate_limits(quota::load(names, view)?)
        .with_audit_devices(audit::load_devices(names, view)?)
        .with_control_group_ttl_max(approval::load_ttl_max(names, view)?)
        .with_limits(limits::load(names, view)?))
}

/// Makes the mount of identities for a vault that is older than it: always the same one, as its ids follow from the
/// names key. Tuning it writes its row.
fn identity_mount(names: &Names) -> Mount {
    let slot = mount_slot(names, IDENTITY_PATH);
    let id = *slot.key().as_bytes().last_chunk::<16>().unwrap_or(&[0; 16]);
    Mount {
        path: IDENTITY_PATH.to_owned(),
        kind: "identity".to_owned(),
        id: MountId(id),
        accessor: format!("identity_{}", HEXLOWER.encode(id.first_chunk::<4>().unwrap_or(&[0; 4]))),
        description: IDENTITY_DESCRIPTION.to_owned(),
        options: BTreeMap::new(),
        settings: MountSettings::default(),
    }
}

/// Parses a policy that was checked when it was written.
fn built_in(name: &str, text: &str) -> Result<Policy, Refusal> {
    Policy::parse(name, text).map_err(|error| damaged(name, &error))
}

fn damaged(policy: &str, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::internal(format!("policy {policy:?}: {error}"))
}

fn slots(view: &mut View, names: &Names, folder: &Folder) -> Result<Vec<Slot>, Interrupt> {
    Ok(view.list(folder)?.iter().map(|name| names.entry(folder, name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::test_store::TestStore;

    #[test]
    fn a_mount_keeps_its_token_type_and_one_from_before_has_none() {
        let mut mount = crate::engines::test_store::mount("auth/a/", "approle", "");
        mount.settings.max_lease_ttl = Span(7);
        mount.settings.token_type = TokenType::Batch;
        let Change::Put { payload, .. } = mount.store(&TestStore::new().names).unwrap() else { panic!("no row") };
        let read = Mount::decode(&payload).unwrap();
        assert_eq!((read.settings.token_type, read.settings.max_lease_ttl), (TokenType::Batch, Span(7)));
        let before = record_format::encode(MOUNT_VERSION_BEFORE_TOKEN_TYPES, &mount).unwrap();
        let read = Mount::decode(&before).unwrap();
        assert_eq!((read.settings.token_type, read.settings.max_lease_ttl), (TokenType::Default, Span(7)));
    }
}
