//! Whether people meet a rule: each fills one place over the whole expression.
//!
//! A choice among branches leaves teams with numbers of places; whether different people fill them is a matching in a
//! bipartite graph, found by augmenting paths (Kuhn 1955). The choices are tried one after another with the matching
//! carried along; what lies behind a choice that is already worse than the best is left out. With choices over shared
//! people the problem contains that of packing sets, so that a bound on the number of choices is what keeps it quick.

use serde::Serialize;

use super::Rule;
use crate::charter::name::Name;
use crate::charter::people::{PersonIndex, PersonSet};

/// How many more people of a team are needed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Missing {
    /// How many.
    pub count: u8,
    /// Of which team.
    pub team: Name,
}

/// Says whether these people meet a rule.
pub(super) fn is_met(rule: &Rule, present: &PersonSet) -> bool {
    let mut search = Search { present: *present, everybody: rule.people(), best_missing: 1, best: None };
    search.run(Some(&Goal { item: Item::Rule(rule), next: None }), State::default());
    search.best.is_some()
}

/// Finds the way that needs the fewest more people, and who that could be.
pub(super) fn missing(rule: &Rule, present: &PersonSet) -> Vec<Missing> {
    let everybody = rule.people();
    let mut search = Search { present: *present, everybody, best_missing: usize::MAX, best: None };
    search.run(Some(&Goal { item: Item::Rule(rule), next: None }), State::default());
    let Some(State { here: mut matching, .. }) = search.best else { return Vec::new() };
    // Everybody who is here stays in a place while those who are not fill the rest, perhaps by moving the others.
    for leaf in 0..matching.leaves.len() {
        while matching.leaves.get(leaf).is_some_and(Leaf::has_room) && matching.augment(leaf, &everybody) {}
    }
    let mut missing: Vec<Missing> = Vec::new();
    for leaf in &matching.leaves {
        let absent = leaf.people.without(present).iter().count();
        let count = u8::try_from(absent).unwrap_or(u8::MAX);
        match missing.iter_mut().find(|missing| &missing.team == leaf.team) {
            _ if count == 0 => {}
            Some(missing) => missing.count = missing.count.saturating_add(count),
            None => missing.push(Missing { count, team: leaf.team.clone() }),
        }
    }
    missing
}

/// What is still to be met.
#[derive(Clone, Copy)]
enum Item<'a> {
    Rule(&'a Rule),
    /// So many of these rules, which have not been looked at.
    Choose {
        needed: u8,
        rules: &'a [Rule],
    },
}

struct Goal<'g, 'a> {
    item: Item<'a>,
    next: Option<&'g Goal<'g, 'a>>,
}

/// The teams of the branches chosen so far, with people in their places.
#[derive(Clone, Default)]
struct State<'a> {
    /// The people who are present, in as many places as they can fill.
    here: Matching<'a>,
    /// Everybody, in all of the places; a way that not even everybody could go is left out.
    possible: Matching<'a>,
    missing: usize,
}

struct Search<'a> {
    present: PersonSet,
    everybody: PersonSet,
    /// Only ways with fewer missing people than this are of interest.
    best_missing: usize,
    best: Option<State<'a>>,
}

impl<'a> Search<'a> {
    fn run(&mut self, goals: Option<&Goal<'_, 'a>>, mut state: State<'a>) {
        if state.missing >= self.best_missing {
            return;
        }
        let Some(Goal { item, next }) = goals else {
            self.best_missing = state.missing;
            self.best = Some(state);
            return;
        };
        match *item {
            Item::Rule(Rule::Team { needed, team, members }) => {
                let members = members.iter().copied().collect();
                let leaf = Leaf { team, needed: usize::from(*needed), members, people: PersonSet::default() };
                let filled = state.possible.add(leaf.clone(), &self.everybody);
                if filled == leaf.needed {
                    state.missing += leaf.needed - state.here.add(leaf, &self.present);
                    self.run(*next, state);
                }
            }
            Item::Rule(Rule::Of { needed, rules }) => {
                self.run(Some(&Goal { item: Item::Choose { needed: *needed, rules }, next: *next }), state);
            }
            Item::Choose { needed: 0, .. } => self.run(*next, state),
            Item::Choose { needed, rules } => {
                let Some((first, rest)) = rules.split_first() else { return };
                let others = Goal { item: Item::Choose { needed: needed - 1, rules: rest }, next: *next };
                let chosen = Goal { item: Item::Rule(first), next: Some(&others) };
                if rest.len() < usize::from(needed) {
                    return self.run(Some(&chosen), state);
                }
                self.run(Some(&chosen), state.clone());
                self.run(Some(&Goal { item: Item::Choose { needed, rules: rest }, next: *next }), state);
            }
        }
    }
}

/// Places of one team, and who is in them.
#[derive(Clone)]
struct Leaf<'a> {
    team: &'a Name,
    needed: usize,
    members: PersonSet,
    people: PersonSet,
}

impl Leaf<'_> {
    fn has_room(&self) -> bool {
        self.people.iter().count() < self.needed
    }
}

#[derive(Clone, Default)]
struct Matching<'a> {
    leaves: Vec<Leaf<'a>>,
    taken: PersonSet,
}

impl<'a> Matching<'a> {
    /// Adds places and fills as many of them as can be filled; places that stay empty could not be filled later either.
    fn add(&mut self, leaf: Leaf<'a>, available: &PersonSet) -> usize {
        let (place, needed) = (self.leaves.len(), leaf.needed);
        self.leaves.push(leaf);
        (0..needed).take_while(|_| self.augment(place, available)).count()
    }

    /// Puts one more person into a leaf, moving others if it must; nobody who is in a place loses all places.
    fn augment(&mut self, leaf: usize, available: &PersonSet) -> bool {
        self.augment_unvisited(leaf, available, &mut 0)
    }

    /// The leaves that were looked at are bits: there are at most 64, see [`super::LEAVES_MAX`].
    fn augment_unvisited(&mut self, leaf: usize, available: &PersonSet, visited: &mut u64) -> bool {
        *visited |= 1 << leaf;
        let Some(members) = self.leaves.get(leaf).map(|leaf| leaf.members) else { return false };
        if let Some(free) = members.and(available).without(&self.taken).first() {
            self.taken.insert(free);
            self.put(leaf, free);
            return true;
        }
        for other in 0..self.leaves.len() {
            let movable = self.leaves.get(other).and_then(|other| other.people.and(&members).first());
            let Some(movable) = movable.filter(|_| *visited & (1 << other) == 0) else { continue };
            if self.augment_unvisited(other, available, visited) {
                if let Some(other) = self.leaves.get_mut(other) {
                    other.people.remove(movable);
                }
                self.put(leaf, movable);
                return true;
            }
        }
        false
    }

    fn put(&mut self, leaf: usize, person: PersonIndex) {
        if let Some(leaf) = self.leaves.get_mut(leaf) {
            leaf.people.insert(person);
        }
    }
}
