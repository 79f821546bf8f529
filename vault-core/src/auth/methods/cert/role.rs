//! `certs/<name>`: whom to trust, what their certificates must say, and what they get.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::constraints::{self, Constraints, ConstraintsAsk};
use super::shown::Facts;
use super::{config, pem};
use crate::auth::parameters::{TokenAsk, TokenParameters};
use crate::engines::{Call, Change, Step, tree};
use crate::field::Texts;
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

const ROLE_VERSION: u8 = 1;

/// Most roles of one mount: a login that names none tries them all.
const ROLES_MAX: usize = 500;

/// Longest name of a role and longest display name.
const NAME_LENGTH_BYTES_MAX: usize = 256;

/// A certificate that a role trusts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Trusted {
    /// The certificate, in DER.
    pub(super) der: Vec<u8>,
    /// Its subject, in DER, which tells quickly whether a login can have to do with it.
    pub(super) subject: Vec<u8>,
}

/// What is stored of a role.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) certificates: Vec<Trusted>,
    pub(super) display_name: String,
    pub(super) constraints: Constraints,
    /// Extensions that hold text which becomes metadata of the token.
    pub(super) allowed_metadata_extensions: Vec<String>,
    pub(super) tokens: TokenParameters,
}

#[derive(Deserialize)]
struct Ask {
    certificate: Option<String>,
    display_name: Option<String>,
    allowed_metadata_extensions: Option<Texts>,
    #[serde(flatten)]
    constraints: ConstraintsAsk,
    #[serde(flatten)]
    tokens: TokenAsk,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Finds the folder of a mount's roles.
pub(super) fn folder(mount: &Mount, names: &Names) -> Folder {
    names.folder(&mount.root(names), "certs")
}

/// Finds the row of a role, whatever the case of its name.
pub(super) fn slot(mount: &Mount, names: &Names, name: &str) -> Slot {
    names.entry(&folder(mount, names), &name.to_lowercase())
}

/// Reads a role.
pub(super) fn load(mount: &Mount, names: &Names, name: &str, view: &mut View) -> Result<Option<Role>, Interrupt> {
    match view.entry(&slot(mount, names, name))? {
        None => Ok(None),
        Some(row) => Ok(Some(record_format::decode(ROLE_VERSION, &row.payload)?)),
    }
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(tree::list(call, folder(call.mount, call.names), "", view)?))
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = load(call.mount, call.names, call.capture("name"), view)?.ok_or_else(Refusal::missing)?;
    let mut certificate = String::new();
    for trusted in &role.certificates {
        pem::write_certificate(&trusted.der, &mut certificate);
    }
    let mut data = Map::new();
    data.insert("certificate".to_owned(), json!(certificate));
    data.insert("display_name".to_owned(), json!(role.display_name));
    data.insert("allowed_metadata_extensions".to_owned(), json!(role.allowed_metadata_extensions));
    data.insert("ocsp_enabled".to_owned(), json!(false));
    role.constraints.describe(&mut data);
    role.tokens.describe(&mut data);
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = call.capture("name").to_lowercase();
    if name.len() > NAME_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("a name has at most {NAME_LENGTH_BYTES_MAX} bytes")).into());
    }
    let ask: Ask = call.request.parse()?;
    config::refuse_set(&ask.rest, |field| field.starts_with("ocsp_"))?;
    let known = load(call.mount, call.names, &name, view)?;
    if known.is_none() && view.list(&folder(call.mount, call.names))?.len() >= ROLES_MAX {
        return Err(Refusal::invalid(format!("a mount has at most {ROLES_MAX} roles")).into());
    }
    let mut role = known.unwrap_or_else(|| Role { name: name.clone(), display_name: name.clone(), ..Role::default() });
    apply(&mut role, ask)?;
    let payload = record_format::encode(ROLE_VERSION, &role)?;
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot: slot(call.mount, call.names, &name), payload }]))
}

fn apply(role: &mut Role, ask: Ask) -> Result<(), Refusal> {
    if let Some(text) = ask.certificate {
        role.certificates = trusted(&text).map_err(|reason| Refusal::invalid(format!("certificate: {reason}")))?;
    }
    if role.certificates.is_empty() {
        return Err(Refusal::invalid("certificate: name the authority, or the certificate itself, in PEM"));
    }
    if let Some(display_name) = ask.display_name.filter(|name| !name.is_empty()) {
        if display_name.len() > NAME_LENGTH_BYTES_MAX {
            return Err(Refusal::invalid(format!("display_name: at most {NAME_LENGTH_BYTES_MAX} bytes")));
        }
        role.display_name = display_name;
    }
    if let Some(asked) = ask.allowed_metadata_extensions {
        let list = constraints::checked("allowed_metadata_extensions", asked)?;
        if let Some(bad) = list.iter().find(|oid| !constraints::is_oid(oid)) {
            return Err(Refusal::invalid(format!("allowed_metadata_extensions: {bad:?} is no object identifier")));
        }
        role.allowed_metadata_extensions = list;
    }
    role.constraints.apply(ask.constraints)?;
    role.tokens.apply(ask.tokens)
}

/// Reads certificates to be trusted.
fn trusted(text: &str) -> Result<Vec<Trusted>, String> {
    let read = |der: Vec<u8>| Facts::read(&der).map(|facts| Trusted { der, subject: facts.subject });
    pem::read_certificates(text)?.into_iter().map(read).collect()
}

/// Removes a role; tokens that it made live on until they would have to be renewed.
pub(super) fn delete(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let slot = slot(call.mount, call.names, call.capture("name"));
    Ok(Step::commit(Reply::Empty, vec![Change::Delete { slot }]))
}
