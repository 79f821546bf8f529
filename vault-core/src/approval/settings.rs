//! The longest time that held requests wait: `sys/config/control-group`.

use crate::engines::Change;
use crate::names::{Domain, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::time::Span;
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

fn slot(names: &Names) -> Slot {
    names.entry(&names.root(Domain::System, "settings"), "control-group")
}

/// Reads the setting.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub(crate) fn load_ttl_max(names: &Names, view: &mut View) -> Result<Option<Span>, Interrupt> {
    match view.entry(&slot(names))? {
        None => Ok(None),
        Some(row) => Ok(Some(record_format::decode(VERSION, &row.payload)?)),
    }
}

/// Gives the change that sets it, or takes it away.
///
/// # Errors
/// Refuses with an internal error if it cannot be written.
pub(crate) fn store_ttl_max(names: &Names, ttl_max: Option<Span>) -> Result<Change, Refusal> {
    let slot = slot(names);
    match ttl_max {
        None => Ok(Change::Delete { slot }),
        Some(ttl_max) => Ok(Change::Put { slot, payload: record_format::encode(VERSION, &ttl_max)? }),
    }
}
