//! `policies/password`: rules by which passwords are made, and passwords made by them.

use data_encoding::BASE64;
use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use super::policies::check_name;
use super::{Call, Step};
use crate::engines::Change;
use crate::names::{Domain, Folder, Names, Slot};
use crate::policy::PasswordPolicy;
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretBytes;
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

#[derive(Deserialize)]
struct Ask {
    policy: Option<String>,
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let keys = view.list(&folder(call.names))?;
    if keys.is_empty() {
        return Err(Refusal::missing().into());
    }
    Ok(Step::answer(Reply::data(&json!({ "keys": keys }))?))
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::data(&json!({ "policy": text(call, view)? }))?))
}

pub(super) fn write(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let written = ask.policy.filter(|text| !text.trim().is_empty());
    let written = written.ok_or_else(|| Refusal::invalid("missing policy"))?;
    // Stock clients send the text as it is or in base64, which no policy's text could be.
    let decoded = BASE64.decode(written.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = decoded.unwrap_or(written);
    PasswordPolicy::parse(&text).map_err(|error| Refusal::invalid(format!("failed to parse policy: {error}")))?;
    let slot = slot(call.names, &name(call)?);
    let change = Change::Put { slot, payload: record_format::encode_raw(VERSION, text.as_bytes()) };
    Ok(Step::commit(Reply::Empty, vec![change]))
}

pub(super) fn delete(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let change = Change::Delete { slot: slot(call.names, &name(call)?) };
    Ok(Step::commit(Reply::Empty, vec![change]))
}

/// Makes a password.
pub(super) fn generate(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let policy = PasswordPolicy::parse(&text(call, view)?)
        .map_err(|error| Refusal::internal(format!("a stored password policy is damaged: {error}")))?;
    let password = policy.generate(rng);
    Ok(Step::answer(Reply::data(&json!({ "password": password.expose() }))?))
}

fn text(call: &Call<'_>, view: &mut View) -> Result<String, Interrupt> {
    let row = view.entry(&slot(call.names, &name(call)?))?.ok_or_else(Refusal::missing)?;
    let payload: &SecretBytes = &row.payload;
    let text = std::str::from_utf8(record_format::raw(VERSION, payload)?);
    Ok(text.map_err(|_| Refusal::internal("a stored password policy is not text"))?.to_owned())
}

fn name(call: &Call<'_>) -> Result<String, Refusal> {
    let name = call.capture("name").to_owned();
    check_name(&name)?;
    Ok(name)
}

fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "password-policies")
}

fn slot(names: &Names, name: &str) -> Slot {
    names.entry(&folder(names), name)
}
