//! `role/`: roles and their role ids.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{ROLE_NAME, name};
use crate::auth::parameters::{TokenAsk, TokenParameters, checked_cidrs};
use crate::engines::{Call, Change, Step, tree};
use crate::field::{self, Texts};
use crate::id::AppRoleId;
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::purge;
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretBytes;
use crate::time::Span;
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

/// Longest role id and secret id that people may choose.
pub(super) const ID_LENGTH_BYTES_MAX: usize = 512;

/// What is stored of a role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) name: String,
    /// Names the role for its whole life: secret ids lie under it, so that a later role of the same name has none of
    /// them.
    pub(super) key: AppRoleId,
    pub(super) role_id: String,
    pub(super) bind_secret_id: bool,
    pub(super) secret_id_bound_cidrs: Vec<String>,
    /// How often a secret id may be used at most; zero for as often as needed.
    pub(super) secret_id_uses: u64,
    /// How long a secret id lives at most; zero for as long as the role.
    pub(super) secret_id_ttl: Span,
    pub(super) parameters: TokenParameters,
}

#[derive(Deserialize, Default)]
pub(super) struct Ask {
    role_id: Option<String>,
    bind_secret_id: Option<Value>,
    secret_id_bound_cidrs: Option<Texts>,
    bound_cidr_list: Option<Texts>,
    secret_id_num_uses: Option<Value>,
    secret_id_ttl: Option<Value>,
    local_secret_ids: Option<Value>,
    // An older name, which stock clients use.
    enable_local_secret_ids: Option<Value>,
    #[serde(flatten)]
    token: TokenAsk,
}

impl Role {
    fn new(name: &str, rng: &mut dyn CryptoRng) -> Self {
        Self {
            name: name.to_owned(),
            key: AppRoleId::random(rng),
            role_id: AppRoleId::random(rng).to_string(),
            bind_secret_id: true,
            secret_id_bound_cidrs: Vec::new(),
            secret_id_uses: 0,
            secret_id_ttl: Span::ZERO,
            parameters: TokenParameters::default(),
        }
    }

    /// Takes over what is asked, checked; a role id is for the caller to check.
    ///
    /// # Errors
    /// Refuses with the field that does not fit.
    pub(super) fn apply(&mut self, ask: Ask) -> Result<(), Refusal> {
        for value in [&ask.local_secret_ids, &ask.enable_local_secret_ids].into_iter().flatten() {
            if field::flag("local_secret_ids", value)? {
                return Err(Refusal::invalid("local_secret_ids is not supported: there is only one cluster"));
            }
        }
        if let Some(value) = &ask.bind_secret_id {
            self.bind_secret_id = field::flag("bind_secret_id", value)?;
        }
        if let Some(cidrs) = ask.secret_id_bound_cidrs.or(ask.bound_cidr_list) {
            self.secret_id_bound_cidrs = checked_cidrs("secret_id_bound_cidrs", cidrs)?;
        }
        if let Some(value) = &ask.secret_id_num_uses {
            self.secret_id_uses = field::count("secret_id_num_uses", value)?;
        }
        if let Some(value) = &ask.secret_id_ttl {
            self.secret_id_ttl = field::span("secret_id_ttl", Some(value))?;
        }
        self.parameters.apply(ask.token)?;
        let constrained = [&self.secret_id_bound_cidrs, &self.parameters.bound_cidrs].iter().any(|c| !c.is_empty());
        if !self.bind_secret_id && !constrained {
            return Err(Refusal::invalid("at least one constraint should be enabled on the role"));
        }
        Ok(())
    }

    /// Describes the role as stock clients expect it.
    pub(super) fn describe(&self) -> Map<String, Value> {
        let mut described = Map::new();
        self.parameters.describe(&mut described);
        let own = [
            ("bind_secret_id", json!(self.bind_secret_id)),
            ("local_secret_ids", json!(false)),
            ("secret_id_bound_cidrs", json!(Some(&self.secret_id_bound_cidrs).filter(|cidrs| !cidrs.is_empty()))),
            ("secret_id_num_uses", json!(self.secret_id_uses)),
            ("secret_id_ttl", json!(self.secret_id_ttl.0)),
        ];
        described.extend(own.map(|(name, value)| (name.to_owned(), value)));
        described
    }
}

/// Finds the row of a role by its canonical name.
pub(super) fn slot(mount: &Mount, names: &Names, name: &str) -> Slot {
    names.entry(&folder(mount, names), name)
}

/// Finds the folder of all roles.
pub(super) fn folder(mount: &Mount, names: &Names) -> Folder {
    mount.folder(names, "roles")
}

fn role_id_slot(call: &Call<'_>, role_id: &str) -> Slot {
    call.names.entry(&call.mount.folder(call.names, "role-ids"), role_id)
}

/// Reads a role by its canonical name.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub(super) fn load(mount: &Mount, names: &Names, name: &str, view: &mut View) -> Result<Option<Role>, Interrupt> {
    match view.entry(&slot(mount, names, name))? {
        None => Ok(None),
        Some(row) => Ok(Some(record_format::decode(VERSION, &row.payload)?)),
    }
}

/// Finds the role of a role id.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub(super) fn by_role_id(call: &Call<'_>, role_id: &str, view: &mut View) -> Result<Option<Role>, Interrupt> {
    let Some(row) = view.entry(&role_id_slot(call, role_id))? else { return Ok(None) };
    let name = std::str::from_utf8(row.payload.expose()).map_err(|_| Refusal::internal("a role id is damaged"))?;
    let name = name.to_owned();
    load(call.mount, call.names, &name, view)
}

/// Reads the role that the path names.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read; answers that nothing is there.
pub(super) fn existing(call: &Call<'_>, view: &mut View) -> Result<Role, Interrupt> {
    let name = name::canonical(call.capture(ROLE_NAME))?;
    Ok(load(call.mount, call.names, &name, view)?.ok_or_else(Refusal::missing)?)
}

/// Gives the change that stores a role's own row.
///
/// # Errors
/// Refuses with an internal error if it cannot be written.
pub(super) fn store(call: &Call<'_>, role: &Role) -> Result<Change, Refusal> {
    let payload = record_format::encode(VERSION, role)?;
    Ok(Change::Put { slot: slot(call.mount, call.names, &role.name), payload })
}

/// Gives the change that lets a role id lead to a role.
fn lead(call: &Call<'_>, role: &Role) -> Change {
    let payload = SecretBytes::new(role.name.clone().into_bytes());
    Change::Put { slot: role_id_slot(call, &role.role_id), payload }
}

/// Gives a role another role id.
fn rename(call: &Call<'_>, role: &mut Role, role_id: String, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    if role_id.is_empty() || role_id.len() > ID_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("role_id has from 1 to {ID_LENGTH_BYTES_MAX} bytes")).into());
    }
    if role_id == role.role_id {
        return Ok(Vec::new());
    }
    if view.entry(&role_id_slot(call, &role_id))?.is_some() {
        return Err(Refusal::invalid("role_id is already in use").into());
    }
    let former = Change::Delete { slot: role_id_slot(call, &role.role_id) };
    role.role_id = role_id;
    Ok(vec![former, lead(call, role)])
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(tree::list(call, folder(call.mount, call.names), "", view)?))
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::data(&existing(call, view)?.describe())?))
}

pub(super) fn write(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut ask: Ask = call.request.parse()?;
    let name = name::canonical(call.capture(ROLE_NAME))?;
    let mut changes = Vec::new();
    let mut role = match load(call.mount, call.names, &name, view)? {
        Some(role) => role,
        None => {
            let role = Role::new(&name, rng);
            changes.extend(super::secret_id::marks(call, &role));
            changes.push(lead(call, &role));
            role
        }
    };
    if let Some(role_id) = ask.role_id.take() {
        changes.extend(rename(call, &mut role, role_id, view)?);
    }
    role.apply(ask)?;
    changes.push(store(call, &role)?);
    Ok(Step::commit(Reply::Empty, changes))
}

/// Removes a role. Its secret ids are out of reach at once and removed in the background.
pub(super) fn delete(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = name::canonical(call.capture(ROLE_NAME))?;
    let Some(role) = load(call.mount, call.names, &name, view)? else { return Ok(Step::answer(Reply::Empty)) };
    let mut changes = vec![
        Change::Delete { slot: slot(call.mount, call.names, &name) },
        Change::Delete { slot: role_id_slot(call, &role.role_id) },
    ];
    for (mark, folder) in super::secret_id::folders(call, &role) {
        changes.push(Change::Delete { slot: mark });
        changes.push(purge::enqueue(call.names, &folder));
    }
    Ok(Step::commit(Reply::Empty, changes).then(crate::engines::Effect::Purge))
}

pub(super) fn read_role_id(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = existing(call, view)?;
    Ok(Step::answer(Reply::data(&json!({ "role_id": role.role_id }))?))
}

pub(super) fn write_role_id(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let mut role = existing(call, view)?;
    let role_id = ask.role_id.ok_or_else(|| Refusal::invalid("missing role_id"))?;
    let mut changes = rename(call, &mut role, role_id, view)?;
    changes.push(store(call, &role)?);
    Ok(Step::commit(Reply::Empty, changes))
}
