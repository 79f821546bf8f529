//! The auth method `approle`: roles for machines, which log in with a role id and a secret id.

mod field;
mod login;
mod role;
mod secret_id;
#[cfg(test)]
mod tests;
mod tidy;

use super::name;
use crate::auth::failures;
use crate::engines::{Call, Engine, Renewal, Route};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::refusal::Refusal;
use crate::request::Operation::{Delete, List, Read, Write};
use crate::view::{Interrupt, View};

/// The auth method of type `approle`.
pub(super) struct AppRole;

/// What the metadata of tokens and aliases call the role, and routes its name.
const ROLE_NAME: &str = "role_name";

/// Describes the route of a single setting of a role.
const fn setting(path: &'static str) -> Route {
    Route::new(path, &[(Read, field::read), (Write, field::write), (Delete, field::delete)], "A setting of a role")
}

static ROUTES: &[Route] = &[
    Route::open("login", &[(Write, login::login)], "Logs in with a role id and a secret id"),
    Route::new("tidy/secret-id", &[(Write, tidy::tidy)], "Removes secret ids that have ended"),
    Route::new("role", &[(List, role::list)], "Lists roles"),
    Route::new("role/{role_name}", &[(Read, role::read), (Write, role::write), (Delete, role::delete)], "A role"),
    Route::new(
        "role/{role_name}/role-id",
        &[(Read, role::read_role_id), (Write, role::write_role_id)],
        "The role id of a role",
    ),
    Route::new(
        "role/{role_name}/secret-id",
        &[(Write, secret_id::draw), (List, secret_id::list)],
        "Makes a secret id, or lists their accessors",
    ),
    Route::new("role/{role_name}/custom-secret-id", &[(Write, secret_id::custom)], "Takes a secret id of one's own"),
    Route::new("role/{role_name}/secret-id/lookup", &[(Write, secret_id::lookup)], "Describes a secret id"),
    Route::new(
        "role/{role_name}/secret-id/destroy",
        &[(Write, secret_id::destroy), (Delete, secret_id::destroy)],
        "Ends a secret id",
    ),
    Route::new(
        "role/{role_name}/secret-id-accessor/lookup",
        &[(Write, secret_id::lookup_accessor)],
        "Describes the secret id of an accessor",
    ),
    Route::new(
        "role/{role_name}/secret-id-accessor/destroy",
        &[(Write, secret_id::destroy_accessor), (Delete, secret_id::destroy_accessor)],
        "Ends the secret id of an accessor",
    ),
    Route::new("role/{role_name}/local-secret-ids", &[(Read, field::read)], "Whether secret ids stay on one cluster"),
    setting("role/{role_name}/policies"),
    setting("role/{role_name}/bind-secret-id"),
    setting("role/{role_name}/secret-id-bound-cidrs"),
    setting("role/{role_name}/secret-id-num-uses"),
    setting("role/{role_name}/secret-id-ttl"),
    setting("role/{role_name}/token-ttl"),
    setting("role/{role_name}/token-max-ttl"),
    setting("role/{role_name}/token-num-uses"),
    setting("role/{role_name}/token-bound-cidrs"),
    setting("role/{role_name}/period"),
];

impl Engine for AppRole {
    fn kind(&self) -> &'static str {
        "approle"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        ROUTES
    }

    fn existence(&self, call: &Call<'_>) -> Option<Slot> {
        call.route.filter(|route| route.path == "role/{role_name}")?;
        let name = name::canonical(call.capture(ROLE_NAME)).ok()?;
        Some(role::slot(call.mount, call.names, &name))
    }

    /// Renews only while the role is there.
    fn check_renewal(&self, renewal: &Renewal<'_>, view: &mut View) -> Result<(), Interrupt> {
        let name = renewal.token.role.as_deref().unwrap_or_default();
        match role::load(renewal.mount, renewal.call.names, name, view)? {
            Some(_) => Ok(()),
            None => Err(Refusal::invalid(format!("role {name:?} does not exist during renewal")).into()),
        }
    }

    fn folders(&self, mount: &Mount, names: &Names) -> Vec<Folder> {
        let own = ["roles", "role-ids", "secret-ids", "accessors", "tidy"].map(|name| mount.folder(names, name));
        own.into_iter().chain([failures::folder(mount, names)]).collect()
    }
}
