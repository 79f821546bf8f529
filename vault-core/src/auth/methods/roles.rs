//! What auth methods with roles have in common: where roles and settings lie, and what of them needs no knowledge of
//! their content.

use rand_core::CryptoRng;
use serde::Serializer;

use crate::engines::{Call, Change, Renewal, Step, tree};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

/// Longest name of a role.
const NAME_LENGTH_BYTES_MAX: usize = 256;

/// Longest address and longest list of authorities.
const URL_LENGTH_BYTES_MAX: usize = 2_048;
const AUTHORITIES_LENGTH_BYTES_MAX: usize = 64 * 1024;

/// Finds the folder of a mount's roles.
pub(super) fn folder(mount: &Mount, names: &Names) -> Folder {
    mount.folder(names, "roles")
}

/// Finds the folder of a mount's settings.
pub(super) fn settings_folder(mount: &Mount, names: &Names) -> Folder {
    mount.folder(names, "config")
}

/// Finds the row of a mount's settings.
pub(super) fn settings_slot(mount: &Mount, names: &Names) -> Slot {
    names.entry(&settings_folder(mount, names), "config")
}

/// Finds the row of a role, whatever the case of its name.
pub(super) fn slot(mount: &Mount, names: &Names, name: &str) -> Slot {
    names.entry(&folder(mount, names), &name.to_lowercase())
}

/// Chooses the role that a login asks for, by its lower-case name.
pub(super) fn chosen(asked: Option<String>, default: &str) -> Result<String, Refusal> {
    let name = asked.filter(|name| !name.is_empty()).unwrap_or_else(|| default.to_owned());
    if name.is_empty() || name.len() > NAME_LENGTH_BYTES_MAX {
        return Err(Refusal::denied().with_private("no role is named, and there is no default role"));
    }
    Ok(name.to_lowercase())
}

/// Names the row that tells whether a write makes a role or changes one.
pub(super) fn existence(call: &Call<'_>) -> Option<Slot> {
    let name = call.capture("name");
    (!name.is_empty()).then(|| slot(call.mount, call.names, name))
}

/// Answers a LIST of roles.
pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(tree::list(call, folder(call.mount, call.names), "", view)?))
}

/// Removes a role; tokens that it made live on until they would have to be renewed.
pub(super) fn delete(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let slot = slot(call.mount, call.names, call.capture("name"));
    Ok(Step::commit(Reply::Empty, vec![Change::Delete { slot }]))
}

/// Lets a token live on only while its role is there.
pub(super) fn check_renewal(renewal: &Renewal<'_>, view: &mut View) -> Result<(), Interrupt> {
    let gone = || Refusal::denied().with_private("the role that made the token is gone");
    let name = renewal.token.role.as_deref().ok_or_else(gone)?;
    let slot = slot(renewal.mount, renewal.call.names, name);
    view.entry(&slot)?.ok_or_else(gone)?;
    Ok(())
}

/// Writes a secret into a record, which is sealed before it is stored. It stands on a field by name:
/// `#[serde(serialize_with = "…")]`.
pub(super) fn store_secret<S: Serializer>(secret: &SecretText, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// Checks an address in outline; where the server may connect at all it decides itself.
pub(super) fn checked_url(field: &str, asked: Option<String>) -> Result<Option<String>, Refusal> {
    let Some(url) = asked.filter(|url| !url.is_empty()) else { return Ok(None) };
    let scheme = url.starts_with("https://") || url.starts_with("http://");
    if !scheme || url.len() > URL_LENGTH_BYTES_MAX || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Refusal::invalid(format!("{field}: it is no address beginning with https://")));
    }
    Ok(Some(url))
}

/// Checks the length of authorities in PEM; whether they can be trusted shows when they are used.
pub(super) fn checked_authorities(field: &str, text: String) -> Result<String, Refusal> {
    if text.len() > AUTHORITIES_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("{field}: at most {AUTHORITIES_LENGTH_BYTES_MAX} bytes")));
    }
    if !text.trim().is_empty() && !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(Refusal::invalid(format!("{field}: it holds no certificate in PEM")));
    }
    Ok(text.trim().to_owned())
}
