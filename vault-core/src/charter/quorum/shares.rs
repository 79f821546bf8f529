//! The tree of shares that a rule for the unseal secret stands for.

use super::error::{QuorumError, QuorumProblem};
use super::{Quorum, Rule};
use crate::charter::people::{PersonIndex, PersonSet};
use crate::sharing::{Child, Node, Structure, StructureError};

/// Most shares: the number of a share is one byte.
pub const SHARES_MAX: usize = 255;

/// A node: so many of its children open it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShareNode {
    /// How many children are needed, from 1 up to their number.
    pub needed: u8,
    /// The children; a child's place is its position, from 1.
    pub children: Vec<ShareChild>,
}

/// A child of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ShareChild {
    /// A secret that is shared again.
    Node(ShareNode),
    /// A share of a person.
    Slot(Slot),
}

/// A share: its number, from 1, depth first from the left, and who holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// The number.
    pub number: u8,
    /// Who holds it.
    pub person: PersonIndex,
}

impl ShareNode {
    /// Gives the slots in the order of their numbers.
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots = Vec::new();
        self.collect(&mut slots);
        slots
    }

    /// Gives the sharing that the tree stands for, without the people.
    ///
    /// # Errors
    /// Answers [`StructureError`] for a tree beyond the bounds of a sharing, which no rule within its own bounds is.
    pub fn structure(&self) -> Result<Structure, StructureError> {
        Structure::new(self.node())
    }

    fn node(&self) -> Node {
        let child = |child: &ShareChild| match child {
            ShareChild::Node(node) => Child::Node(node.node()),
            ShareChild::Slot(_) => Child::Share,
        };
        Node { needed: self.needed, children: self.children.iter().map(child).collect() }
    }

    fn collect(&self, slots: &mut Vec<Slot>) {
        for child in &self.children {
            match child {
                ShareChild::Node(node) => node.collect(slots),
                ShareChild::Slot(slot) => slots.push(*slot),
            }
        }
    }
}

/// Makes the tree of a rule.
///
/// # Errors
/// Answers [`QuorumError`] if a person's two shares would count together, or if there are too many.
pub(in crate::charter) fn tree(quorum: &Quorum) -> Result<ShareNode, QuorumError> {
    let error = |problem| QuorumError { offset: 0, problem };
    let shares = count(quorum.rule());
    if shares > SHARES_MAX {
        return Err(error(QuorumProblem::TooManyShares { shares }));
    }
    if let Some(person) = overlap(quorum.rule()) {
        return Err(error(QuorumProblem::Overlap { person }));
    }
    Ok(node(quorum.rule(), &mut 0))
}

fn count(rule: &Rule) -> usize {
    match rule {
        Rule::Team { members, .. } => members.len(),
        Rule::Of { rules, .. } => rules.iter().map(count).sum(),
    }
}

/// Finds a person in two branches of which more than one counts.
fn overlap(rule: &Rule) -> Option<PersonIndex> {
    let Rule::Of { needed, rules } = rule else { return None };
    if *needed > 1 {
        let mut before = PersonSet::default();
        for rule in rules {
            let people = rule.people();
            if let Some(person) = before.and(&people).first() {
                return Some(person);
            }
            before = before.or(&people);
        }
    }
    rules.iter().find_map(overlap)
}

fn node(rule: &Rule, last: &mut u8) -> ShareNode {
    match rule {
        Rule::Team { needed, members, .. } => {
            let slot = |person: &PersonIndex| {
                // The number of shares was bounded before.
                *last = last.saturating_add(1);
                ShareChild::Slot(Slot { number: *last, person: *person })
            };
            ShareNode { needed: *needed, children: members.iter().map(slot).collect() }
        }
        // Parentheses around a single rule share nothing, so that the nodes stay fewer than twice the leaves.
        Rule::Of { rules, .. } if let [only] = rules.as_slice() => node(only, last),
        Rule::Of { needed, rules } => {
            let children = rules.iter().map(|rule| ShareChild::Node(node(rule, last))).collect();
            ShareNode { needed: *needed, children }
        }
    }
}
