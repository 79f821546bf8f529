//! Logins by tokens that somebody else signed (`jwt`), and by way of that somebody's web pages (`oidc`). The two kinds are
//! one engine, as in Vault: they differ in their name.
//!
//! `config` holds whose signatures count, `role` what a token must say, `keys` finds the keys, `claims` checks, `login`
//! takes a token, `flow` sends people to their provider and takes them back.

mod claims;
mod config;
mod flow;
mod keys;
mod login;
mod role;
#[cfg(test)]
mod tests;

use super::roles;
use crate::engines::{Call, Engine, Renewal, Route};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::request::Operation::{Delete, List, Read, Write};
use crate::view::{Interrupt, View};

/// The auth methods of types `jwt` and `oidc`.
pub(super) struct Jwt {
    kind: &'static str,
}

/// The auth method of type `jwt`.
pub(super) static JWT: Jwt = Jwt { kind: "jwt" };
/// The auth method of type `oidc`.
pub(super) static OIDC: Jwt = Jwt { kind: "oidc" };

static ROUTES: [Route; 6] = [
    Route::new("config", &[(Read, config::read), (Write, config::write)], "Whose signatures count"),
    Route::new("role", &[(List, roles::list)], "Lists roles"),
    Route::new("role/{name}", &[(Read, role::read), (Write, role::write), (Delete, roles::delete)], "A role"),
    Route::open("login", &[(Write, login::login)], "Logs in with a signed token"),
    Route::open("oidc/auth_url", &[(Write, flow::auth_url)], "Begins a login at the provider's web pages"),
    Route::open("oidc/callback", &[(Read, flow::callback), (Write, flow::callback)], "Ends it"),
];

impl Engine for Jwt {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        &ROUTES
    }

    fn existence(&self, call: &Call<'_>) -> Option<Slot> {
        roles::existence(call)
    }

    fn check_renewal(&self, renewal: &Renewal<'_>, view: &mut View) -> Result<(), Interrupt> {
        roles::check_renewal(renewal, view)
    }

    fn folders(&self, mount: &Mount, names: &Names) -> Vec<Folder> {
        vec![roles::settings_folder(mount, names), roles::folder(mount, names), flow::folder(mount, names)]
    }
}
