//! Who handed a login out. Whoever issues a secret id knows it: they can log in with it, ask for something, and then agree to it
//! as themselves. So tokens carry through whose hands their login came, and whoever judges a request leaves all of them out.

use serde::{Deserialize, Serialize};

use super::{Kind, Token};
use crate::approval::Human;
use crate::auth::Sender;
use crate::engines::Call;
use crate::id::EntityId;
use crate::identity::{self, Entity};
use crate::mounts::Tables;
use crate::refusal::Refusal;
use crate::view::{Interrupt, View};

/// Most hands that one login goes through: a batch token carries all of them.
const HANDS_MAX: usize = 32;

/// The auth method whose logins are handed out, by which records from before issuers were kept are told apart.
const HANDS_OUT: &str = "approle";

/// Everybody through whose hands a login came.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Issuers {
    hands: Vec<Hand>,
    gap: Gap,
}

/// Somebody through whose hands a login came.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Hand {
    /// The entity that issued it, or whose token made the one that did.
    pub entity: EntityId,
    /// The person of the charter that the entity was then; it stays so when the entity is gone.
    pub person: Option<String>,
}

/// What is not known of the hands, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub enum Gap {
    /// Nothing: all of them are listed.
    #[default]
    None,
    /// Who used the root token of the bootstrap phase.
    Root,
    /// The record is older than issuers, and does not tell whether there were any.
    Untold,
    /// Somebody else.
    Unknown,
}

impl Issuers {
    /// The issuers of what a record from before issuers were kept says nothing about.
    pub const UNTOLD: Self = Self { hands: Vec::new(), gap: Gap::Untold };

    /// The issuers of what anybody may have handed out.
    pub const UNKNOWN: Self = Self { hands: Vec::new(), gap: Gap::Unknown };

    /// Lists those who are known.
    pub fn hands(&self) -> &[Hand] {
        &self.hands
    }

    /// Tells what is not known.
    pub const fn gap(&self) -> Gap {
        self.gap
    }

    /// Finds who handed the login of a token out; `None` where its owner logged in with what is theirs alone.
    pub fn of(token: &Token, tables: &Tables) -> Option<Self> {
        let issuers = token.issued_by.clone()?;
        if issuers.gap != Gap::Untold {
            return Some(issuers);
        }
        let made_by = tables.mounts().find(|mount| token.mount == Some(mount.id));
        let is_own = made_by.is_some_and(|mount| mount.kind != HANDS_OUT);
        (!is_own).then_some(Self::UNKNOWN)
    }

    /// Finds who issues what a call hands out: everybody behind the token that calls.
    ///
    /// # Errors
    /// Stops when something must be fetched first; refuses what has gone through too many hands.
    pub(crate) fn behind(call: &Call<'_>, view: &mut View) -> Result<Self, Interrupt> {
        // An act of stewards answers whoever brings it, who need not have signed it.
        let Sender::Token(caller) = call.sender else { return Ok(Self::UNKNOWN) };
        let token = caller.token();
        let mut issuers = Self::of(token, call.tables).unwrap_or_default();
        if token.kind == Kind::Batch && token.parent.is_none() && token.mount.is_none() {
            // It does not tell who made it.
            issuers.gap = Gap::Unknown;
        }
        issuers.hands.extend(caller.entity().map(|entity| Hand::of(entity, call.tables)));
        for maker in call.finder().makers(token, view)? {
            match identity::find(call.names, maker, view)? {
                Some(maker) => issuers.hands.push(Hand::of(&maker, call.tables)),
                None => issuers.gap = Gap::Unknown,
            }
        }
        if issuers.hands.is_empty() {
            let is_root = token.policies.iter().any(|policy| policy == "root");
            issuers.gap = issuers.gap.max(if is_root { Gap::Root } else { Gap::Unknown });
        }
        issuers.settle()?;
        Ok(issuers)
    }

    /// Joins the issuers of two logins.
    ///
    /// # Errors
    /// Refuses too many of them.
    pub(crate) fn join(one: Option<Self>, other: Option<Self>) -> Result<Option<Self>, Refusal> {
        let (Some(mut one), Some(other)) = (one.clone(), other.clone()) else { return Ok(one.or(other)) };
        one.hands.extend(other.hands);
        one.gap = one.gap.max(other.gap);
        one.settle()?;
        Ok(Some(one))
    }

    fn settle(&mut self) -> Result<(), Refusal> {
        self.hands.sort_unstable();
        self.hands.dedup();
        if self.hands.len() > HANDS_MAX {
            return Err(Refusal::invalid(format!("a login goes through at most {HANDS_MAX} hands")));
        }
        Ok(())
    }
}

impl Hand {
    fn of(entity: &Entity, tables: &Tables) -> Self {
        let charter = tables.custody().map(|custody| custody.charter().charter());
        Self { entity: entity.id, person: Human::of(entity, charter).person().map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::test_store::{mount, token};
    use crate::id::MountId;
    use crate::identity::Groups;

    #[test]
    fn what_older_records_do_not_tell_is_known_only_of_logins_that_are_not_handed_out() {
        let mut people = mount("auth/userpass/", "userpass", "");
        people.id = MountId([2; 16]);
        let machines = mount("auth/approle/", "approle", "");
        let (of_people, of_machines) = (people.id, machines.id);
        let tables = Tables::new([people, machines], [], Groups::new([]));
        let found = |issued_by: Option<Issuers>, mount: Option<MountId>| {
            Issuers::of(&Token { issued_by, mount, ..token(&["default"]) }, &tables)
        };
        assert_eq!(found(Some(Issuers::UNTOLD), Some(of_people)), None);
        for mount in [Some(of_machines), Some(MountId([9; 16])), None] {
            assert_eq!(found(Some(Issuers::UNTOLD), mount), Some(Issuers::UNKNOWN));
        }
        let known = Issuers { hands: vec![Hand { entity: EntityId([1; 16]), person: None }], gap: Gap::None };
        assert_eq!(found(Some(known.clone()), Some(of_people)), Some(known));
        assert_eq!(found(None, None), None);
    }

    #[test]
    fn two_logins_have_the_issuers_of_both() {
        let by = |hands: &[u8], gap| Issuers {
            hands: hands.iter().map(|id| Hand { entity: EntityId([*id; 16]), person: None }).collect(),
            gap,
        };
        let join = |one, other| Issuers::join(one, other).unwrap();
        assert_eq!(join(None, None), None);
        let one = by(&[1, 2], Gap::None);
        assert_eq!(join(Some(one.clone()), None), Some(one.clone()));
        assert_eq!(join(None, Some(one.clone())), Some(one.clone()));
        assert_eq!(join(Some(one), Some(by(&[3, 2], Gap::Root))), Some(by(&[1, 2, 3], Gap::Root)));
        let many: Vec<u8> = (0..20).collect();
        let more: Vec<u8> = (20..40).collect();
        assert!(Issuers::join(Some(by(&many, Gap::None)), Some(by(&more, Gap::None))).is_err());
    }
}
