//! The gate: the only place that makes [`Approved`].
//!
//! What a policy puts under a control group, and in service what gives power, waits until enough people have agreed. The gate
//! holds such a request back (`hold`), people say what they think of it (`votes`), and when it is made again (`redeem`) the gate
//! checks everything anew and spends the agreement with the effect. Format: docs/formats.md, "Held request"; reasons:
//! docs/decisions/0025-two-person-access.md.

mod affects;
mod asker;
mod counted;
mod delegation;
mod ended;
mod hand_over;
mod held;
mod hold;
mod human;
mod issuer;
mod judge;
mod power;
mod reach;
mod redeem;
mod settings;
mod shown;
mod statement;
mod tell;
mod votes;

pub(crate) use affects::affected;
pub use counted::{Counted, CountedEvent, Waiting, requests};
pub use delegation::{DELEGATION_PAYLOAD_TYPE, DELEGATION_SPAN_MAX, DELEGATION_USES_MAX, Delegation};
pub use ended::sweep_request;
pub(crate) use hand_over::delegations;
pub(crate) use held::Draft;
pub use held::folder;
pub use held::{Comment, HeldRequest, Requester, State, Vote, Weight};
pub(crate) use hold::{hold, not_there};
pub use human::{Human, PERSON_METADATA};
pub use judge::{FactorStanding, Judge, RuleStanding, Standing};
pub(crate) use judge::{approving_groups, quorum_named};
pub(crate) use power::{Place as PowerPlace, gives_power, places_of_power, sets_password_of};
pub(crate) use reach::check_rules;
pub(crate) use redeem::{Bearer, carry_out, make_again};
pub use redeem::{Grant, Redemption};
pub(crate) use settings::{load_ttl_max, store_ttl_max};
pub use shown::is_of_body;
pub use statement::{
    APPROVAL_PAYLOAD_TYPE, CharterInForce, DENIAL_PAYLOAD_TYPE, StatedRequester, Statement, StatementError,
    TEXT_LENGTH_BYTES_MAX, is_body,
};
pub(crate) use tell::tell;
pub(crate) use votes::{Agreed, Part, Visitor};

use crate::auth::Identity;
use crate::engines::Surroundings;
use crate::flow::{Approved, Denied, Held, Permitted};
use crate::identity::Entity;
use crate::mounts::Mount;
use crate::policy::ControlGroup;
use crate::refusal::Refusal;
use crate::view::{Interrupt, View};
use power::Place;

/// Decides whether a permitted request may go on.
#[derive(Default)]
pub struct Gate {}

/// A request that goes on.
pub enum Passage {
    /// To be carried out.
    Approved(Approved),
    /// To be kept until people have agreed.
    Held(Held),
}

/// A request that does not go on.
pub enum Stopped {
    /// Something must be fetched first.
    Fetch(Permitted),
    /// It was refused.
    Denied(Denied),
}

impl Gate {
    /// Lets a request pass that no rule holds back, or that enough people have agreed to; holds others back.
    ///
    /// # Errors
    /// Gives back [`Stopped`] for what waits for rows, and for what is made again and is not what people agreed to.
    pub fn pass(&self, permitted: Permitted, around: &Surroundings<'_>, view: &mut View) -> Result<Passage, Stopped> {
        let rules = rules_over(&permitted, around);
        if permitted.identified().request().redeems.is_some() {
            return match check(&permitted, &rules, around, view) {
                Ok(grant) => Ok(Passage::Approved(Approved::new(permitted, Some(Box::new(grant))))),
                Err(Interrupt::Fetch) => Err(Stopped::Fetch(permitted)),
                Err(Interrupt::Refuse(refusal)) => Err(Stopped::Denied(permitted.refuse(refusal))),
            };
        }
        if rules.is_empty() || permitted.target().is_none() {
            return Ok(Passage::Approved(Approved::new(permitted, None)));
        }
        Ok(Passage::Held(Held::new(permitted, rules)))
    }
}

/// Lists the rules that hold a request back.
fn rules_over(permitted: &Permitted, around: &Surroundings<'_>) -> Vec<ControlGroup> {
    let mut rules = permitted.control_groups().to_vec();
    if around.tables.is_in_service() && needs_stewards(permitted) {
        rules.push(ControlGroup::of_charter_change());
    }
    rules
}

fn check(
    permitted: &Permitted,
    rules: &[ControlGroup],
    around: &Surroundings<'_>,
    view: &mut View,
) -> Result<Grant, Interrupt> {
    let identified = permitted.identified();
    let target = permitted.target().ok_or_else(not_there)?;
    let below = identified.request().path.as_str().strip_prefix(target.mount.path.as_str());
    let call =
        around.call(identified, target, below.ok_or_else(|| Refusal::internal("a path is not below its mount"))?);
    Grant::check(&call, rules, view)
}

fn needs_stewards(permitted: &Permitted) -> bool {
    let (request, sender) = (permitted.identified().request(), permitted.identified().sender());
    let path = request.path.as_str();
    let place = permitted.target().and_then(|target| {
        let below = path.strip_prefix(target.mount.path.as_str())?;
        Some(Place { kind: &target.mount.kind, below })
    });
    if sender.stewards().is_some() {
        return false;
    }
    let is_anothers = permitted.target().zip(place).is_some_and(|(target, place)| {
        let entity = sender.identity().and_then(Identity::entity);
        power::sets_password_of(place).is_some_and(|user| !entity.is_some_and(|own| is_user(own, &target.mount, user)))
    });
    is_anothers || gives_power(request.operation, path, place, permitted.access())
}

/// Tells whether an entity is the user of an auth method.
fn is_user(entity: &Entity, mount: &Mount, user: &str) -> bool {
    let user = user.to_lowercase();
    entity.aliases.iter().any(|alias| alias.mount_accessor == mount.accessor && alias.name == user)
}
