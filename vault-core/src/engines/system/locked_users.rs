//! `locked-users`: users whose logins are refused for a while after too many failures.

use rand_core::CryptoRng;
use serde_json::json;

use super::{Call, Step};
use crate::auth::failures;
use crate::mounts::Mount;
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// Lists them by mount; `mount_accessor` asks for one mount.
pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let only = call.request.parameter("mount_accessor").filter(|accessor| !accessor.is_empty());
    let mounts: Vec<&Mount> = match only {
        Some(accessor) => vec![find(call, accessor)?],
        None => call.tables.mounts().map(AsRef::as_ref).filter(|mount| mount.path.starts_with("auth/")).collect(),
    };
    let locked = failures::locked_users(&mounts, call.names, call.now, view)?;
    let mounts: Vec<_> = locked.into_iter().filter(|(_, users)| !users.is_empty()).collect();
    let total: usize = mounts.iter().map(|(_, users)| users.len()).sum();
    let shown: Vec<_> = mounts
        .iter()
        .map(|(mount, users)| {
            json!({ "mount_accessor": mount.accessor, "counts": users.len(), "alias_identifiers": users })
        })
        .collect();
    let by_namespace =
        json!([{ "namespace_id": "root", "namespace_path": "", "counts": total, "mount_accessors": shown }]);
    let by_namespace = if total == 0 { json!([]) } else { by_namespace };
    Ok(Step::answer(Reply::data(&json!({ "by_namespace": by_namespace, "total": total }))?))
}

/// Forgets a user's failures; of a user who has none there is nothing to forget.
pub(super) fn unlock(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mount = find(call, call.capture("mount_accessor"))?;
    let user = call.capture("alias_identifier").trim().to_ascii_lowercase();
    let changes = failures::unlock(mount, call.names, &user, call.now, view)?;
    Ok(Step::commit(Reply::Empty, changes))
}

fn find<'a>(call: &Call<'a>, accessor: &str) -> Result<&'a Mount, Refusal> {
    let mount = call.tables.mounts().find(|mount| mount.accessor == accessor && mount.path.starts_with("auth/"));
    mount.map(AsRef::as_ref).ok_or_else(|| Refusal::new(Class::Invalid, "no auth method has this mount accessor"))
}
