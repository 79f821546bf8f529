//! Logins by the client certificate of the TLS connection.
//!
//! `role` holds whom to trust and what a certificate must say (`constraints`), `crl` what is revoked, `config` the
//! method's settings. `shown` reads certificates, `chain` checks them, `login` decides. See docs/decisions/0014.

mod chain;
mod config;
mod constraints;
mod crl;
mod login;
mod pem;
mod role;
mod shown;
#[cfg(test)]
mod tests;

use crate::engines::{Call, Engine, Renewal, Route};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::request::Operation::{Delete, List, Read, Write};
use crate::view::{Interrupt, View};
pub use chain::{Link, check_path};
pub use crl::Crl;
pub use pem::read_certificates;
pub use shown::Facts;

/// The auth method of type `cert`.
pub(super) struct Cert;

static ROUTES: [Route; 6] = [
    Route::new("config", &[(Read, config::read), (Write, config::write)], "What tokens are bound to"),
    Route::new("certs", &[(List, role::list)], "Lists roles"),
    Route::new("certs/{name}", &[(Read, role::read), (Write, role::write), (Delete, role::delete)], "A role"),
    Route::new("crls", &[(List, crl::list)], "Lists lists of revoked certificates"),
    Route::new(
        "crls/{name}",
        &[(Read, crl::read), (Write, crl::write), (Delete, crl::delete)],
        "A list of revoked certificates",
    ),
    Route::open("login", &[(Write, login::login)], "Logs in with the client certificate of the connection"),
];

impl Engine for Cert {
    fn kind(&self) -> &'static str {
        "cert"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        &ROUTES
    }

    fn existence(&self, call: &Call<'_>) -> Option<Slot> {
        let name = call.capture("name");
        let folder = if call.path.starts_with("crls/") { crl::folder } else { role::folder };
        (!name.is_empty()).then(|| call.names.entry(&folder(call.mount, call.names), &name.to_lowercase()))
    }

    fn check_renewal(&self, renewal: &Renewal<'_>, view: &mut View) -> Result<(), Interrupt> {
        login::check_renewal(renewal, view)
    }

    fn folders(&self, mount: &Mount, names: &Names) -> Vec<Folder> {
        vec![config::folder(mount, names), role::folder(mount, names), crl::folder(mount, names)]
    }
}
