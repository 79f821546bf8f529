//! Secret ids. A secret id itself is stored nowhere: its row is named by a keyed hash of it, and its accessor leads
//! there.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::role::{self, ID_LENGTH_BYTES_MAX, Role};
use crate::auth::parameters::checked_cidrs;
use crate::auth::token::lifetime::Bounds;
use crate::auth::token::{Cidr, Issuers};
use crate::engines::{Call, Change, Step, tree};
use crate::field::{self, Texts};
use crate::id::AppRoleId;
use crate::names::{Folder, Slot};
use crate::record_format;
use crate::refusal::{Class, Refusal};
use crate::reply::{Content, Reply};
use crate::secret::{SecretBytes, SecretText};
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

const VERSION: u8 = 2;
const VERSION_BEFORE_ISSUERS: u8 = 1;

/// Most facts attached to a secret id, and the longest name and value of one, as in Vault.
const METADATA_MAX: usize = 64;
const METADATA_NAME_LENGTH_BYTES_MAX: usize = 128;
const METADATA_VALUE_LENGTH_BYTES_MAX: usize = 512;

/// What is stored of a secret id.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct SecretId {
    pub(super) accessor: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// When it ends; `None` for no end of its own.
    pub(super) expires_at: Option<Timestamp>,
    pub(super) ttl: Span,
    /// How often it can still be used; `None` for as often as needed.
    pub(super) uses_left: Option<u64>,
    pub(super) metadata: BTreeMap<String, String>,
    /// Addresses that logins may come from; empty for all.
    pub(super) cidrs: Vec<String>,
    /// Addresses that tokens are bound to; empty for the role's.
    pub(super) token_cidrs: Vec<String>,
    /// Who issued it. Rows hold it behind the rest, as of version 2.
    #[serde(skip)]
    pub(super) issued_by: Issuers,
}

/// A secret id that is there, and its row.
pub(super) struct Found {
    pub(super) slot: Slot,
    pub(super) record: SecretId,
}

#[derive(Deserialize)]
struct Ask {
    secret_id: Option<SecretText>,
    metadata: Option<Value>,
    cidr_list: Option<Texts>,
    token_bound_cidrs: Option<Texts>,
    num_uses: Option<Value>,
    ttl: Option<Value>,
}

#[derive(Deserialize)]
struct Named {
    secret_id: Option<SecretText>,
    secret_id_accessor: Option<String>,
}

impl SecretId {
    fn encode(&self) -> Result<SecretBytes, Refusal> {
        record_format::encode(VERSION, &(self, &self.issued_by))
    }

    fn decode(payload: &SecretBytes) -> Result<Self, Refusal> {
        let (record, issued_by) = if record_format::version(payload) == Some(VERSION_BEFORE_ISSUERS) {
            (record_format::decode(VERSION_BEFORE_ISSUERS, payload)?, Issuers::UNKNOWN)
        } else {
            record_format::decode(VERSION, payload)?
        };
        Ok(Self { issued_by, ..record })
    }

    /// Tells whether it can still be used at `now`.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end) && self.uses_left != Some(0)
    }

    fn describe(&self) -> Value {
        let never = "0001-01-01T00:00:00Z".to_owned();
        json!({
            "secret_id_accessor": self.accessor,
            "secret_id_num_uses": self.uses_left.unwrap_or(0),
            "secret_id_ttl": self.ttl.0,
            "creation_time": self.created_at.to_string(),
            "last_updated_time": self.updated_at.to_string(),
            "expiration_time": self.expires_at.map_or(never, |end| end.to_string()),
            "metadata": self.metadata,
            "cidr_list": self.cidrs,
            "token_bound_cidrs": self.token_cidrs,
        })
    }
}

impl Found {
    /// Gives the changes that spend one use; the last one removes the secret id.
    ///
    /// # Errors
    /// Refuses with an internal error if the row cannot be written.
    pub(super) fn spend(self, call: &Call<'_>, role: AppRoleId) -> Result<Vec<Change>, Refusal> {
        match self.record.uses_left {
            None => Ok(Vec::new()),
            Some(0 | 1) => Ok(self.remove(call, role)),
            Some(left) => {
                let record = SecretId { uses_left: Some(left - 1), updated_at: call.now, ..self.record };
                Ok(vec![Change::Put { slot: self.slot, payload: record.encode()? }])
            }
        }
    }

    /// Gives the changes that remove the secret id.
    pub(super) fn remove(self, call: &Call<'_>, role: AppRoleId) -> Vec<Change> {
        let accessor = accessor_slot(call, role, &self.record.accessor);
        vec![Change::Delete { slot: self.slot }, Change::Delete { slot: accessor }]
    }
}

/// Gives the folders of a role's secret ids and accessors, each with its mark.
pub(super) fn folders(call: &Call<'_>, role: &Role) -> [(Slot, Folder); 2] {
    ["secret-ids", "accessors"].map(|name| {
        let (above, key) = (call.mount.folder(call.names, name), role.key.to_string());
        (call.names.mark(&above, &key), call.names.folder(&above, &key))
    })
}

/// Gives the changes that mark the folders of a new role, so that they are found when the mount is taken away.
pub(super) fn marks(call: &Call<'_>, role: &Role) -> Vec<Change> {
    let mark = |(slot, _)| Change::Put { slot, payload: SecretBytes::new(Vec::new()) };
    folders(call, role).map(mark).into()
}

/// Finds the folder of a role's accessors.
pub(super) fn accessors(call: &Call<'_>, role: AppRoleId) -> Folder {
    call.names.folder(&call.mount.folder(call.names, "accessors"), &role.to_string())
}

/// Finds the row of an accessor; what it holds is the name of the secret id's row.
pub(super) fn accessor_slot(call: &Call<'_>, role: AppRoleId, accessor: &str) -> Slot {
    call.names.entry(&accessors(call, role), accessor)
}

/// Finds the row of a secret id.
pub(super) fn slot(call: &Call<'_>, role: AppRoleId, secret_id: &SecretText) -> Slot {
    let parts = [b"secret-id/".as_slice(), &role.0, secret_id.expose().as_bytes()];
    named_slot(call, role, &HEXLOWER.encode(&call.token_ids.hash(&parts)))
}

/// Finds the row of a secret id by its keyed hash.
pub(super) fn named_slot(call: &Call<'_>, role: AppRoleId, name: &str) -> Slot {
    call.names.entry(&call.names.folder(&call.mount.folder(call.names, "secret-ids"), &role.to_string()), name)
}

/// Reads a secret id's row.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub(super) fn load(slot: Slot, view: &mut View) -> Result<Option<Found>, Interrupt> {
    let Some(row) = view.entry(&slot)? else { return Ok(None) };
    let record = SecretId::decode(&row.payload)?;
    Ok(Some(Found { slot, record }))
}

/// Reads the secret id that an accessor leads to.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub(super) fn load_by_accessor(
    call: &Call<'_>,
    role: AppRoleId,
    accessor: &str,
    view: &mut View,
) -> Result<Option<Found>, Interrupt> {
    let Some(row) = view.entry(&accessor_slot(call, role, accessor))? else { return Ok(None) };
    let name = std::str::from_utf8(row.payload.expose()).map_err(|_| Refusal::internal("an accessor is damaged"))?;
    let slot = named_slot(call, role, name);
    load(slot, view)
}

pub(super) fn draw(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    if ask.secret_id.is_some() {
        return Err(Refusal::invalid("a secret_id of one's own goes to custom-secret-id").into());
    }
    let role = role::existing(call, view)?;
    let text = SecretText::new(AppRoleId::random(rng).to_string());
    issue(call, &role, ask, text, view, rng)
}

pub(super) fn custom(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut ask: Ask = call.request.parse()?;
    let text = ask.secret_id.take().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Refusal::invalid("missing secret_id"))?;
    if text.expose().len() > ID_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("a secret_id has at most {ID_LENGTH_BYTES_MAX} bytes")).into());
    }
    let role = role::existing(call, view)?;
    match load(slot(call, role.key, &text), view)? {
        Some(found) if found.record.is_live(call.now) => Err(Refusal::invalid("SecretID is already registered").into()),
        Some(ended) => {
            // The row is written anew under its name; the accessor that led to it goes.
            let former = Change::Delete { slot: accessor_slot(call, role.key, &ended.record.accessor) };
            let mut step = issue(call, &role, ask, text, view, rng)?;
            step.changes.insert(0, former);
            Ok(step)
        }
        None => issue(call, &role, ask, text, view, rng),
    }
}

/// Makes a secret id within the bounds of its role.
fn issue(
    call: &Call<'_>,
    role: &Role,
    ask: Ask,
    text: SecretText,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    if !role.bind_secret_id {
        return Err(Refusal::invalid("bind_secret_id is not set on the role").into());
    }
    let uses = match &ask.num_uses {
        None => role.secret_id_uses,
        Some(value) => field::count("num_uses", value)?,
    };
    if role.secret_id_uses > 0 && (uses == 0 || uses > role.secret_id_uses) {
        return Err(Refusal::invalid("num_uses cannot be higher than the role's secret_id_num_uses").into());
    }
    let ttl = match &ask.ttl {
        None => role.secret_id_ttl,
        Some(value) => field::span("ttl", Some(value))?,
    };
    if !role.secret_id_ttl.is_zero() && (ttl.is_zero() || ttl > role.secret_id_ttl) {
        return Err(Refusal::invalid("ttl cannot be longer than the role's secret_id_ttl").into());
    }
    let wished = ttl;
    let ttl = wished.min(Bounds::of(&call.mount.settings).max_ttl);
    let cidrs = narrower("cidr_list", ask.cidr_list, &role.secret_id_bound_cidrs)?;
    let token_cidrs = narrower("token_bound_cidrs", ask.token_bound_cidrs, &role.parameters.bound_cidrs)?;
    let record = SecretId {
        accessor: AppRoleId::random(rng).to_string(),
        created_at: call.now,
        updated_at: call.now,
        expires_at: (!ttl.is_zero()).then(|| call.now.after(ttl)),
        ttl,
        uses_left: (uses > 0).then_some(uses),
        metadata: metadata(ask.metadata)?,
        cidrs,
        token_cidrs,
        issued_by: Issuers::behind(call, view)?,
    };
    let data = json!({
        "secret_id": text.expose(),
        "secret_id_accessor": record.accessor,
        "secret_id_ttl": record.ttl.0,
        "secret_id_num_uses": uses,
    });
    let slot = slot(call, role.key, &text);
    let leads = SecretBytes::new(slot.name().as_bytes().to_vec());
    let changes = vec![
        Change::Put { slot: accessor_slot(call, role.key, &record.accessor), payload: leads },
        Change::Put { slot, payload: record.encode()? },
    ];
    let mut content = Content::data(&data)?;
    if ttl < wished {
        content.warnings.push(format!("the TTL was cut to {} seconds, the longest that the mount allows", ttl.0));
    }
    Ok(Step::commit(Reply::Content(content), changes))
}

/// Checks ranges of addresses that must lie within the role's, if the role has any.
fn narrower(name: &str, asked: Option<Texts>, bounds: &[String]) -> Result<Vec<String>, Refusal> {
    let cidrs = asked.map_or(Ok(Vec::new()), |asked| checked_cidrs(name, asked))?;
    match cidrs.iter().find(|cidr| !is_within(cidr, bounds)) {
        None => Ok(cidrs),
        Some(wide) => Err(Refusal::invalid(format!("{name}: {wide:?} is not within the role's ranges"))),
    }
}

/// Tells whether a range lies within one of `bounds`; none of these stand for everything.
pub(super) fn is_within(cidr: &str, bounds: &[String]) -> bool {
    let Some(own) = Cidr::parse(cidr) else { return false };
    bounds.is_empty() || bounds.iter().filter_map(|bound| Cidr::parse(bound)).any(|bound| own.is_within(&bound))
}

/// Reads metadata, which stock clients send as a JSON text.
pub(super) fn metadata(asked: Option<Value>) -> Result<BTreeMap<String, String>, Refusal> {
    let misfit = || Refusal::invalid("metadata is a JSON object whose values are texts");
    let metadata: BTreeMap<String, String> = match asked {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(Value::String(text)) if text.is_empty() => BTreeMap::new(),
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|_| misfit())?,
        Some(other) => serde_json::from_value(other).map_err(|_| misfit())?,
    };
    let fits = |(name, value): (&String, &String)| {
        name.len() <= METADATA_NAME_LENGTH_BYTES_MAX && value.len() <= METADATA_VALUE_LENGTH_BYTES_MAX
    };
    if metadata.len() > METADATA_MAX || !metadata.iter().all(fits) {
        return Err(Refusal::invalid(format!(
            "metadata has at most {METADATA_MAX} entries, names of {METADATA_NAME_LENGTH_BYTES_MAX} and values of \
             {METADATA_VALUE_LENGTH_BYTES_MAX} bytes"
        )));
    }
    Ok(metadata)
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = role::existing(call, view)?;
    Ok(Step::answer(tree::list(call, accessors(call, role.key), "", view)?))
}

/// Finds the secret id that the body, or a query parameter of a DELETE, shows.
fn shown(call: &Call<'_>, role: &Role, view: &mut View) -> Result<Option<Found>, Interrupt> {
    let named: Named = call.request.parse()?;
    let in_query = || call.request.parameter("secret_id").map(|text| SecretText::new(text.to_owned()));
    let text = named.secret_id.or_else(in_query).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Refusal::invalid("missing secret_id"))?;
    load(slot(call, role.key, &text), view)
}

/// Finds the secret id whose accessor the body, or a query parameter of a DELETE, names.
fn named(call: &Call<'_>, role: &Role, view: &mut View) -> Result<Found, Interrupt> {
    let named: Named = call.request.parse()?;
    let in_query = || call.request.parameter("secret_id_accessor").map(str::to_owned);
    let accessor = named.secret_id_accessor.or_else(in_query).filter(|text| !text.is_empty());
    let accessor = accessor.ok_or_else(|| Refusal::invalid("missing secret_id_accessor"))?;
    let found = load_by_accessor(call, role.key, &accessor, view)?;
    Ok(found.ok_or_else(|| {
        let text = format!("failed to find accessor entry for secret_id_accessor: {accessor:?}");
        Refusal::new(Class::Missing, text)
    })?)
}

/// Describes a secret id; of one that is not there, or has ended, there is nothing to say.
pub(super) fn lookup(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = role::existing(call, view)?;
    match shown(call, &role, view)?.filter(|found| found.record.is_live(call.now)) {
        None => Ok(Step::answer(Reply::Empty)),
        Some(found) => Ok(Step::answer(Reply::data(&found.record.describe())?)),
    }
}

pub(super) fn destroy(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = role::existing(call, view)?;
    let found = shown(call, &role, view)?;
    Ok(Step::commit(Reply::Empty, found.map(|found| found.remove(call, role.key)).unwrap_or_default()))
}

pub(super) fn lookup_accessor(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = role::existing(call, view)?;
    let found = named(call, &role, view)?;
    if !found.record.is_live(call.now) {
        return Err(Refusal::new(Class::Missing, "the secret id of this accessor has ended").into());
    }
    Ok(Step::answer(Reply::data(&found.record.describe())?))
}

pub(super) fn destroy_accessor(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = role::existing(call, view)?;
    let found = named(call, &role, view)?;
    Ok(Step::commit(Reply::Empty, found.remove(call, role.key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_knows_who_issued_a_secret_id_of_an_older_vault() {
        let record = SecretId {
            accessor: "a".to_owned(),
            created_at: Timestamp(1),
            updated_at: Timestamp(2),
            expires_at: None,
            ttl: Span(3),
            uses_left: Some(4),
            metadata: BTreeMap::new(),
            cidrs: Vec::new(),
            token_cidrs: vec!["10.0.0.0/8".to_owned()],
            issued_by: Issuers::default(),
        };
        let old = record_format::encode(VERSION_BEFORE_ISSUERS, &record).unwrap();
        let read = SecretId::decode(&old).unwrap();
        assert_eq!(read, SecretId { issued_by: Issuers::UNKNOWN, ..record });
        assert_eq!(SecretId::decode(&read.encode().unwrap()).unwrap(), read);
    }
}
