//! Cubbyhole: a place of its own for each token, which nobody else can reach and which goes with the token.

use rand_core::CryptoRng;

use super::kv::v1;
use super::{Call, Engine, Route, Step};
use crate::auth::token::{self, Kind};
use crate::mounts::Mount;
use crate::names::{Folder, Slot};
use crate::refusal::Refusal;
use crate::request::Operation::{Delete, List, Read, Write};
use crate::view::{Interrupt, View};

/// The engine of type `cubbyhole`.
pub(super) struct Cubbyhole;

static ROUTES: [Route; 1] = [Route::new(
    "{path*}",
    &[(Read, handle), (List, handle), (Write, handle), (Delete, handle)],
    "Keeps values that only the token itself can reach",
)];

impl Engine for Cubbyhole {
    fn kind(&self) -> &'static str {
        "cubbyhole"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        &ROUTES
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn existence(&self, call: &Call<'_>) -> Option<Slot> {
        v1::existence(call, root(call).ok()?)
    }
}

fn handle(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    v1::handle(call, root(call)?, view)
}

fn root(call: &Call<'_>) -> Result<Folder, Refusal> {
    let identity = call.identity()?;
    match identity.token().kind {
        Kind::Service => Ok(token::cubbyhole_folder(call.names, identity.token_id())),
        // Nothing ends a batch token that could take its values along.
        Kind::Batch => Err(Refusal::invalid("cubbyhole operations are only supported by service tokens")),
    }
}
