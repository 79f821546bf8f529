//! The auth method `userpass`: names and passwords.

mod login;
#[cfg(test)]
mod tests;
mod user;

use super::name;
use crate::auth::failures;
use crate::engines::{Call, Engine, Renewal, Route};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::refusal::Refusal;
use crate::request::Operation::{Delete, List, Read, Write};
use crate::view::{Interrupt, View};

/// The auth method of type `userpass`.
pub(super) struct Userpass;

/// What the metadata of tokens and aliases call the user.
const USERNAME: &str = "username";

static ROUTES: [Route; 5] = [
    Route::new("users", &[(List, user::list)], "Lists users"),
    Route::new("users/{username}", &[(Read, user::read), (Write, user::write), (Delete, user::delete)], "A user"),
    Route::new("users/{username}/password", &[(Write, user::write_password)], "Sets a user's password"),
    Route::new("users/{username}/policies", &[(Write, user::write_policies)], "Sets a user's policies"),
    Route::open("login/{username}", &[(Write, login::login)], "Logs in with a password"),
];

impl Engine for Userpass {
    fn kind(&self) -> &'static str {
        "userpass"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        &ROUTES
    }

    fn existence(&self, call: &Call<'_>) -> Option<Slot> {
        call.route.filter(|route| route.path == "users/{username}")?;
        let name = name::canonical(call.capture(USERNAME)).ok()?;
        Some(user::slot(call.mount, call.names, &name))
    }

    /// Renews only while the user is there and has the policies that the token was made with.
    fn check_renewal(&self, renewal: &Renewal<'_>, view: &mut View) -> Result<(), Interrupt> {
        let name = renewal.token.metadata.get(USERNAME).map(String::as_str).unwrap_or_default();
        let user = user::load(renewal.mount, renewal.call.names, name, view)?;
        let user = user.ok_or_else(|| Refusal::invalid("the user is gone: the token is not renewed"))?;
        let own = |policies: &[String]| -> Vec<String> {
            policies.iter().filter(|name| *name != "default").cloned().collect()
        };
        if own(&user.parameters.policies) != own(&renewal.token.policies) {
            return Err(Refusal::invalid("policies have changed, not renewing").into());
        }
        Ok(())
    }

    fn folders(&self, mount: &Mount, names: &Names) -> Vec<Folder> {
        vec![user::folder(mount, names), failures::folder(mount, names)]
    }
}
