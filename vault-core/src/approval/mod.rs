//! The gate: the only place that makes [`Approved`].
//!
//! In service, what gives power takes stewards together: a charter's quorum `change`, who have signed the very request.
//! Rules that hold other requests back until enough people have said yes are asked here too, once there are any.

mod power;

use crate::flow::{Approved, Denied, Permitted};
use crate::mounts::Tables;
use crate::refusal::Refusal;
use power::{Place, gives_power};

/// Decides whether a permitted request may go on.
#[derive(Default)]
pub struct Gate {}

impl Gate {
    /// Lets a request pass that no rule holds back.
    ///
    /// # Errors
    /// Gives back [`Denied`] for what one person alone may not do.
    pub fn pass(&self, permitted: Permitted, tables: &Tables) -> Result<Approved, Denied> {
        if tables.is_in_service() && needs_stewards(&permitted) {
            return Err(permitted.hold(Refusal::denied_because(
                "this needs a quorum of stewards: keyturn act propose, then each of them keyturn act sign, then keyturn \
                 act submit",
            )));
        }
        Ok(Approved::new(permitted))
    }
}

fn needs_stewards(permitted: &Permitted) -> bool {
    let (request, sender) = (permitted.identified().request(), permitted.identified().sender());
    let path = request.path.as_str();
    let place = permitted.target().and_then(|target| {
        let below = path.strip_prefix(target.mount.path.as_str())?;
        Some(Place { kind: &target.mount.kind, below })
    });
    sender.stewards().is_none() && gives_power(request.operation, path, place, permitted.access())
}
