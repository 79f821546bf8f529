//! Capabilities by name, and sets of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a policy grants at a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Nothing at all, whatever else is granted.
    Deny,
    /// Write where nothing was.
    Create,
    /// Read.
    Read,
    /// Write over what is there.
    Update,
    /// Change parts of what is there.
    Patch,
    /// Remove.
    Delete,
    /// See names.
    List,
    /// Use the paths that need particular trust.
    Sudo,
}

impl Capability {
    /// Every capability, in the order of the enum.
    pub const ALL: [Self; 8] =
        [Self::Deny, Self::Create, Self::Read, Self::Update, Self::Patch, Self::Delete, Self::List, Self::Sudo];

    /// Gives the word that policies and `sys/capabilities` use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Sudo => "sudo",
        }
    }

    /// Finds a capability by its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.word() == word)
    }
}

/// A set of capabilities. Deny stands alone: adding it removes the others, and then nothing can be added.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Capabilities(u8);

impl Capabilities {
    /// Adds a capability.
    pub(super) const fn add(&mut self, capability: Capability) {
        self.unite(Self(1 << capability as u8));
    }

    /// Adds all of another set.
    pub(super) const fn unite(&mut self, other: Self) {
        let both = Self(self.0 | other.0);
        *self = if both.denies() { Self(1 << Capability::Deny as u8) } else { both };
    }

    /// Tells whether `capability` is granted; deny is never granted.
    pub(super) const fn grants(self, capability: Capability) -> bool {
        !self.denies() && self.0 & (1 << capability as u8) != 0
    }

    /// Tells whether everything is denied.
    pub(super) const fn denies(self) -> bool {
        self.0 & (1 << Capability::Deny as u8) != 0
    }

    /// Tells whether anything at all is granted.
    pub(super) const fn grants_anything(self) -> bool {
        !self.denies() && self.0 != 0
    }

    /// Lists the set as people see it: deny alone when nothing is granted.
    pub(super) fn listed(self) -> BTreeSet<Capability> {
        if self.grants_anything() {
            Capability::ALL.into_iter().filter(|capability| self.grants(*capability)).collect()
        } else {
            BTreeSet::from([Capability::Deny])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_stands_alone_in_either_order() {
        let mut first = Capabilities::default();
        first.add(Capability::Deny);
        first.add(Capability::Read);
        let mut last = Capabilities::default();
        last.add(Capability::Read);
        last.add(Capability::Deny);
        for set in [first, last] {
            assert!(!set.grants(Capability::Read) && !set.grants(Capability::Deny));
            assert_eq!(set.listed(), BTreeSet::from([Capability::Deny]));
        }
    }

    #[test]
    fn every_word_leads_back_to_its_capability() {
        for capability in Capability::ALL {
            assert_eq!(Capability::parse(capability.word()), Some(capability));
        }
        assert_eq!(Capability::parse("root"), None);
    }
}
