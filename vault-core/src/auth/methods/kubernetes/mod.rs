//! Logins by the service account tokens of a Kubernetes cluster. What a token says is never looked at: the cluster's own
//! TokenReview tells whose it is, so tokens of deleted pods and accounts are refused at once.
//!
//! `config` names the cluster, `role` who may come in, `login` asks the cluster.

mod config;
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

/// The auth method of type `kubernetes`.
pub(super) struct Kubernetes;

static ROUTES: [Route; 4] = [
    Route::new("config", &[(Read, config::read), (Write, config::write)], "Which cluster is asked"),
    Route::new("role", &[(List, roles::list)], "Lists roles"),
    Route::new("role/{name}", &[(Read, role::read), (Write, role::write), (Delete, roles::delete)], "A role"),
    Route::open("login", &[(Write, login::login)], "Logs in with a service account token"),
];

impl Engine for Kubernetes {
    fn kind(&self) -> &'static str {
        "kubernetes"
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
        vec![roles::settings_folder(mount, names), roles::folder(mount, names)]
    }
}
