//! Version 1: one value at each path.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::engines::tree;
use crate::engines::{Call, Change, Step};
use crate::names::{Folder, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::request::Operation;
use crate::time::Span;
use crate::view::{Interrupt, View};

const VALUE_VERSION: u8 = 1;

/// What a reader is told when neither the secret nor the mount says how long a value may be kept: 32 days.
const LEASE_DEFAULT: Span = Span(32 * 24 * 3600);

/// Finds the folder of the mount's values.
pub(in crate::engines) fn root(call: &Call<'_>) -> Folder {
    call.mount.root(call.names)
}

/// Finds the row that tells a create from an update.
pub(in crate::engines) fn existence(call: &Call<'_>, root: Folder) -> Option<Slot> {
    Some(tree::slot(call.names, root, call.path))
}

/// Names the secret that a read gives out.
pub(super) fn secret(below: &str) -> Option<String> {
    (!below.is_empty() && !below.ends_with('/')).then(|| below.to_owned())
}

/// Decides a call on the values below `root`.
pub(in crate::engines) fn handle(call: &Call<'_>, root: Folder, view: &mut View) -> Result<Step, Interrupt> {
    match call.request.operation {
        Operation::List => tree::list(call, root, call.path, view).map(Step::answer),
        _ if call.path.is_empty() || call.path.ends_with('/') => {
            Err(Refusal::invalid("a path that names no entry can only be listed").into())
        }
        Operation::Read => read(call, root, view),
        Operation::Write => write(call, root, view),
        Operation::Delete => delete(call, root, view),
        Operation::Patch => Err(Refusal::unsupported().into()),
    }
}

fn read(call: &Call<'_>, root: Folder, view: &mut View) -> Result<Step, Interrupt> {
    let opened = view.entry(&tree::slot(call.names, root, call.path))?.ok_or_else(Refusal::missing)?;
    let value = record_format::raw(VALUE_VERSION, &opened.payload)?;
    let content = Content {
        lease_duration: lease(call, value),
        data: Some(crate::secret::SecretBytes::new(value.to_vec())),
        ..Content::default()
    };
    Ok(Step::answer(Reply::Content(content)))
}

/// Tells how long a reader may keep a value: its own field `ttl` or `lease`, else the mount's setting.
fn lease(call: &Call<'_>, value: &[u8]) -> Span {
    #[derive(Deserialize)]
    struct Lease<'a> {
        #[serde(borrow)]
        ttl: Option<&'a RawValue>,
        #[serde(borrow)]
        lease: Option<&'a RawValue>,
    }
    let default = call.mount.settings.default_lease_ttl;
    let default = if default.is_zero() { LEASE_DEFAULT } else { default };
    let own: Option<Lease<'_>> = serde_json::from_slice(value).ok();
    own.and_then(|own| own.ttl.or(own.lease))
        .and_then(|text| Span::parse(text.get().trim_matches('"')).ok())
        .unwrap_or(default)
}

fn write(call: &Call<'_>, root: Folder, view: &mut View) -> Result<Step, Interrupt> {
    let body = call.request.body.as_ref().ok_or_else(|| Refusal::invalid("missing data fields"))?;
    let fields: std::collections::BTreeMap<String, &RawValue> = call.request.parse_borrowed()?;
    if fields.is_empty() {
        return Err(Refusal::invalid("missing data fields").into());
    }
    let place = tree::place(call.names, root, call.path);
    let mut changes = match view.entry(&place.slot)? {
        Some(_) => Vec::new(),
        None => tree::missing_marks(&place, view)?,
    };
    let payload = record_format::encode_raw(VALUE_VERSION, body.expose().trim_ascii());
    changes.push(Change::Put { slot: place.slot, payload });
    Ok(Step::commit(Reply::Empty, changes))
}

fn delete(call: &Call<'_>, root: Folder, view: &mut View) -> Result<Step, Interrupt> {
    let place = tree::place(call.names, root, call.path);
    if view.entry(&place.slot)?.is_none() {
        return Ok(Step::answer(Reply::Empty));
    }
    let changes = tree::removal(&place, view)?;
    Ok(Step::commit(Reply::Empty, changes))
}
