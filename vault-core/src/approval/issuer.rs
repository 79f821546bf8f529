//! Whoever handed a login out could use it themselves, so that what it asks for is as good as asked for by them.

use super::held::HeldRequest;
use super::human::Human;
use super::judge::Judge;
use crate::auth::token::{Gap, Hand, Issuers};
use crate::engines::Call;
use crate::identity;
use crate::refusal::Refusal;
use crate::view::{Interrupt, View};

impl Judge<'_> {
    /// Tells whether the login that asks came through a human's hands.
    ///
    /// # Errors
    /// Stops when something must be fetched first.
    pub(super) fn has_issued(&self, held: &HeldRequest, human: &Human, view: &mut View) -> Result<bool, Interrupt> {
        for hand in held.requester.issued_by.iter().flat_map(Issuers::hands) {
            let was = hand.person.as_deref().is_some_and(|person| human.person() == Some(person));
            if was || *human == Human::Entity(hand.entity) || self.human_now(hand, view)?.as_ref() == Some(human) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn human_now(&self, hand: &Hand, view: &mut View) -> Result<Option<Human>, Interrupt> {
        let entity = identity::find(self.names, hand.entity, view)?;
        Ok(entity.map(|entity| Human::of(&entity, self.charter())))
    }
}

/// Finds who handed the caller's login out, and checks that the vault could tell each of them from those who decide.
///
/// # Errors
/// Stops when something must be fetched first; refuses a login of which that is not known.
pub(super) fn known_issuers(call: &Call<'_>, view: &mut View) -> Result<Option<Issuers>, Interrupt> {
    let Some(issuers) = Issuers::of(call.identity()?.token(), call.tables) else { return Ok(None) };
    let refused = |private: &'static str| {
        let text = "the vault cannot tell who handed this login out from those who must agree: log in again, with a secret id that \
                    somebody issued who logs in and in service is a person of the charter";
        Interrupt::from(Refusal::denied_because(text).with_private(private))
    };
    let in_service = call.tables.is_in_service();
    match issuers.gap() {
        Gap::None => {}
        Gap::Root if !in_service => {}
        Gap::Root => return Err(refused("a root token issued the login")),
        Gap::Untold | Gap::Unknown => return Err(refused("it is not known who issued the login")),
    }
    let judge = Judge { tables: call.tables, names: call.names, now: call.now };
    for hand in issuers.hands() {
        let is_known = match judge.human_now(hand, view)? {
            _ if hand.person.is_some() => true,
            Some(human) => !in_service || human.person().is_some(),
            None => false,
        };
        if !is_known {
            return Err(refused("an entity that issued the login is gone, or nobody of the charter"));
        }
    }
    Ok(Some(issuers))
}

/// Checks that whoever calls logged in with what is theirs alone: what speaks by a login that somebody handed out is a machine,
/// which may ask and has no vote.
///
/// # Errors
/// Refuses a login that was handed out.
pub(super) fn check_own_login(call: &Call<'_>) -> Result<(), Refusal> {
    match Issuers::of(call.identity()?.token(), call.tables) {
        None => Ok(()),
        Some(_) => {
            let text = "this login was handed out, as machines have them, or is older than the vault can tell: it agrees to nothing, \
                        log in as yourself";
            Err(Refusal::denied_because(text))
        }
    }
}
