//! `remount`: moves a mount to another path. Its data lies under its id, so that only one row changes.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use super::{Call, Effect, Step};
use crate::auth::methods::METHODS;
use crate::engines::{Change, ENGINES};
use crate::mounts;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Ask {
    from: Option<String>,
    to: Option<String>,
}

/// Moves a secrets engine or an auth method. Policies are not rewritten: they speak of paths.
pub(super) fn start(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let given = |text: Option<String>, name: &str| {
        let text = text.map(|text| text.trim_matches('/').to_owned()).filter(|text| !text.is_empty());
        text.ok_or_else(|| Refusal::invalid(format!("'{name}' is needed: the path of a mount")))
    };
    let (from, to) = (given(ask.from, "from")?, given(ask.to, "to")?);
    let mount = call.tables.mount(&format!("{from}/"));
    let mount = mount.ok_or_else(|| Refusal::invalid(format!("no matching mount at {from:?}")))?;
    let to = match (from.strip_prefix("auth/"), to.strip_prefix("auth/")) {
        (None, None) => mounts::check_path(call.tables, &to)?,
        (Some(_), Some(to)) => mounts::check_auth_path(call.tables, to)?,
        _ => return Err(Refusal::invalid("a secrets engine and an auth method do not change places").into()),
    };
    if !ENGINES.iter().chain(METHODS).any(|engine| engine.kind() == mount.kind) {
        return Err(Refusal::invalid(format!("cannot move {from:?}: it is built in")).into());
    }
    let mut moved = mounts::Mount::clone(mount);
    moved.path = to;
    let slot = mounts::mount_slot(call.names, &mount.path);
    // Read for its revision: what is moved is this mount, and not one that has taken its place.
    view.entry(&slot)?;
    let changes = vec![Change::Delete { slot }, moved.store(call.names)?];
    // The move is done with the answer, so that its id only has to lead back to what was moved.
    let reply = Reply::data(&json!({ "migration_id": moved.id.to_string() }))?;
    Ok(Step::commit(reply, changes).then(Effect::ReloadTables))
}

/// Tells that a move is done: each is, as soon as it is answered.
pub(super) fn status(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let id = call.capture("migration_id");
    let mount = call.tables.mounts().find(|mount| mount.id.to_string() == id).ok_or_else(Refusal::missing)?;
    let info = json!({ "source_mount": "", "target_mount": mount.path, "status": "success" });
    Ok(Step::answer(Reply::data(&json!({ "migration_id": id, "migration_info": info }))?))
}
