//! `internal/ui/mounts`: what stock command lines ask to find out of which kind a path is; and `version-history`.

use serde_json::{Map, Value, json};

use super::mounts::describe;
use super::{Call, Step};
use crate::mounts::Mount;
use crate::policy::IdentityFacts;
use crate::refusal::Refusal;
use crate::reply::Reply;

/// Tells the mounts that the caller can do something at.
pub(super) fn all(call: &Call<'_>) -> Result<Step, Refusal> {
    let acl = call.tables.acl(&call.identity.token().policies, &IdentityFacts::default());
    let mut secret = Map::new();
    let mut auth = Map::new();
    for mount in call.tables.mounts().filter(|mount| acl.reaches(&mount.path)) {
        match mount.path.strip_prefix("auth/") {
            Some(path) => auth.insert(path.to_owned(), with_path(mount)),
            None => secret.insert(mount.path.clone(), with_path(mount)),
        };
    }
    Ok(Step::answer(Reply::data(&json!({ "secret": secret, "auth": auth }))?))
}

/// Tells the mount of a path, to those who can do something below the mount; to others it is denied, be it there or not.
pub(super) fn one(call: &Call<'_>, path: &str) -> Result<Step, Refusal> {
    let acl = call.tables.acl(&call.identity.token().policies, &IdentityFacts::default());
    let denied = || Refusal::denied().with_private(format!("preflight capability check at {path:?}"));
    let (mount, _) = call.tables.route(&format!("{path}/")).ok_or_else(denied)?;
    if !acl.reaches(&mount.path) {
        return Err(denied());
    }
    Ok(Step::answer(Reply::data(&with_path(mount))?))
}

fn with_path(mount: &Mount) -> Value {
    let mut described = describe(mount);
    if let Value::Object(fields) = &mut described {
        fields.insert("path".to_owned(), mount.path.clone().into());
    }
    described
}

/// This server keeps no history of its own versions.
pub(super) fn versions() -> Result<Step, Refusal> {
    Ok(Step::answer(Reply::data(&json!({ "keys": [], "key_info": {} }))?))
}
