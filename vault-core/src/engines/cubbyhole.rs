//! Cubbyhole: a place of its own for each token, which nobody else can reach and which goes with the token.

use rand_core::CryptoRng;

use super::kv::v1;
use super::{Call, Engine, Step};
use crate::auth::token;
use crate::names::Slot;
use crate::view::{Interrupt, View};

/// The engine of type `cubbyhole`.
pub(super) struct Cubbyhole;

impl Engine for Cubbyhole {
    fn kind(&self) -> &'static str {
        "cubbyhole"
    }

    fn existence(&self, call: &Call<'_>) -> Option<Slot> {
        v1::existence(call, token::cubbyhole_folder(call.names, call.identity.token_id()))
    }

    fn handle(&self, call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
        v1::handle(call, token::cubbyhole_folder(call.names, call.identity.token_id()), view)
    }
}
