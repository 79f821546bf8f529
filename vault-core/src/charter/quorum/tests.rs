//! Rules against brute force, and the trees of shares.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::shares::{ShareChild, ShareNode, Slot, tree};
use super::*;
use crate::id::{Epoch, VaultFingerprint};
use crate::sharing::{Share, UnsealSecret, combine, split};

/// People as bits.
type Few = u8;

fn team(needed: u8, members: Few) -> Rule {
    let members: Vec<_> = (0..8).filter(|person| members & (1 << person) != 0).map(PersonIndex).collect();
    Rule::Team { needed, team: Name::parse("t").unwrap(), members }
}

fn set(people: Few) -> PersonSet {
    (0..8).filter(|person| people & (1 << person) != 0).map(PersonIndex).collect()
}

/// Every set of people, of those that are here, that fills the places of a rule exactly.
fn fillings(rule: &Rule, here: Few) -> BTreeSet<Few> {
    match rule {
        Rule::Team { needed, members, .. } => {
            let members: Few = members.iter().map(|person| 1 << person.0).sum();
            let may = members & here;
            (0..=may).filter(|some| some & !may == 0 && some.count_ones() == u32::from(*needed)).collect()
        }
        Rule::Of { needed, rules } => {
            let mut by_number = vec![BTreeSet::from([0])];
            by_number.resize(usize::from(*needed) + 1, BTreeSet::new());
            for rule in rules {
                let with = fillings(rule, here);
                for number in (0..usize::from(*needed)).rev() {
                    let pairs = by_number[number].iter().flat_map(|a| with.iter().map(move |b| (*a, *b)));
                    let joined: Vec<_> = pairs.filter(|(a, b)| a & b == 0).map(|(a, b)| a | b).collect();
                    by_number[number + 1].extend(joined);
                }
            }
            by_number.swap_remove(usize::from(*needed))
        }
    }
}

/// How many more people are needed at least, by trying everybody who could come.
fn fewest_missing(rule: &Rule, everybody: Few, here: Few) -> Option<u32> {
    (0..=everybody)
        .filter(|more| more & !(everybody & !here) == 0 && !fillings(rule, here | more).is_empty())
        .map(Few::count_ones)
        .min()
}

fn check(rule: &Rule, everybody: Few) {
    for here in 0..=everybody {
        let met = !fillings(rule, here).is_empty();
        assert_eq!(assignment::is_met(rule, &set(here)), met, "{rule:?} with {here:b}");
    }
    for here in [0, 1, everybody >> 1] {
        let missing = assignment::missing(rule, &set(here));
        let count: u32 = missing.iter().map(|missing| u32::from(missing.count)).sum();
        match fewest_missing(rule, everybody, here) {
            Some(fewest) => assert_eq!(count, fewest, "{rule:?} with {here:b}"),
            None => assert!(missing.is_empty(), "nobody can meet {rule:?}"),
        }
    }
}

/// Every number of every team of some of so many people.
fn leaves(people: u32) -> Vec<Rule> {
    let teams = 1..(1 << people);
    teams.flat_map(|members: Few| (1..=members.count_ones()).map(move |n| team(n as u8, members))).collect()
}

#[test]
fn every_pair_of_teams_of_four_is_as_brute_force_says() {
    let leaves = leaves(4);
    for a in &leaves {
        check(a, 0b1111);
        for b in &leaves {
            for needed in 1..=2 {
                check(&Rule::Of { needed, rules: vec![a.clone(), b.clone()] }, 0b1111);
            }
        }
    }
}

#[test]
fn every_small_tree_over_three_people_is_as_brute_force_says() {
    let leaves = leaves(3);
    for a in &leaves {
        for b in &leaves {
            for c in &leaves {
                for needed in 1..=3 {
                    check(&Rule::Of { needed, rules: vec![a.clone(), b.clone(), c.clone()] }, 0b111);
                }
                for (outer, inner) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
                    let inner = Rule::Of { needed: inner, rules: vec![b.clone(), c.clone()] };
                    check(&Rule::Of { needed: outer, rules: vec![a.clone(), inner] }, 0b111);
                }
            }
        }
    }
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let leaf =
        (1_u8..=255, any::<u8>()).prop_map(|(members, n)| team(1 + n % members.count_ones() as u8, members & 0x3f | 1));
    leaf.prop_recursive(3, 12, 4, |inner| {
        (prop::collection::vec(inner, 1..5), any::<u8>())
            .prop_map(|(rules, n)| Rule::Of { needed: 1 + n % rules.len() as u8, rules })
    })
}

proptest! {
    #[test]
    fn larger_trees_are_as_brute_force_says(rule in any_rule(), here in 0_u8..64) {
        let met = !fillings(&rule, here).is_empty();
        prop_assert_eq!(assignment::is_met(&rule, &set(here)), met);
        let count: u32 = assignment::missing(&rule, &set(here)).iter().map(|missing| u32::from(missing.count)).sum();
        prop_assert_eq!(count, fewest_missing(&rule, 63, here).unwrap_or(0));
    }
}

const SECURITY: &[PersonIndex] = &[PersonIndex(2), PersonIndex(0), PersonIndex(1)];
const OPERATIONS: &[PersonIndex] = &[PersonIndex(3), PersonIndex(4)];
const BOTH: &[PersonIndex] = &[PersonIndex(0), PersonIndex(4)];

fn parse(text: &str) -> Result<Quorum, QuorumError> {
    Quorum::parse(text, |team| match team {
        "security" => Some(SECURITY),
        "operations" => Some(OPERATIONS),
        "both" => Some(BOTH),
        _ => None,
    })
}

fn problem(text: &str) -> QuorumProblem {
    parse(text).unwrap_err().problem
}

#[test]
fn one_human_fills_one_place() {
    let quorum = parse("1 of security and 1 of both").unwrap();
    assert!(!quorum.is_met_by(&[PersonIndex(0)].into_iter().collect()));
    assert!(quorum.is_met_by(&[PersonIndex(0), PersonIndex(1)].into_iter().collect()));
    let missing = quorum.missing(&[PersonIndex(4)].into_iter().collect());
    assert_eq!(missing, [Missing { count: 1, team: Name::parse("security").unwrap() }]);
    assert_eq!(quorum.people_needed_min(), 2);
    assert_eq!(quorum.teams().iter().map(|team| team.as_str()).collect::<Vec<_>>(), ["security", "both"]);
}

#[test]
fn nobody_is_sent_where_there_is_nobody_left() {
    // The one who is here could fill either place, but the other team has nobody else.
    let quorum = parse("2 of both and 1 of operations").unwrap();
    let missing = quorum.missing(&[PersonIndex(4)].into_iter().collect());
    let count = |team: &str| missing.iter().find(|missing| missing.team.as_str() == team).map_or(0, |m| m.count);
    assert_eq!((count("both"), count("operations")), (1, 1));
}

#[test]
fn what_cannot_be_met_does_not_parse() {
    assert_eq!(problem("1 of nobody"), QuorumProblem::UnknownTeam { team: "nobody".to_owned() });
    let (needed, team, members) = (3, "operations".to_owned(), 2);
    assert_eq!(problem("3 of operations"), QuorumProblem::MoreThanMembers { needed, team, members });
    assert_eq!(problem("2 of (1 of security)"), QuorumProblem::MoreThanBranches { needed: 2, branches: 1 });
    assert_eq!(problem("2 of operations and 1 of operations"), QuorumProblem::Unreachable);
    assert_eq!(problem("3 of security and 2 of both"), QuorumProblem::Unreachable);
    assert_eq!(parse("1 of security and 1 of nobody").unwrap_err().offset, 23);
    let many = format!("16 of ({})", vec!["1 of security"; 32].join(", "));
    assert_eq!(problem(&many), QuorumProblem::TooManyWays);
}

#[test]
fn the_largest_expressions_are_answered() {
    let people: Vec<_> = (0..255).map(PersonIndex).collect();
    let text = format!("6 of ({})", vec!["20 of all"; 14].join(", "));
    let quorum = Quorum::parse(&text, |_| Some(&people)).unwrap();
    let present: PersonSet = (0..119).map(PersonIndex).collect();
    assert!(!quorum.is_met_by(&present), "20 for each of six places, and one too few");
    assert_eq!(quorum.missing(&present), [Missing { count: 1, team: Name::parse("all").unwrap() }]);
}

#[test]
fn shares_are_numbered_from_the_left_in_the_order_of_the_teams() {
    let quorum = parse("2 of security and 1 of operations").unwrap();
    let slot = |number, person| ShareChild::Slot(Slot { number, person: PersonIndex(person) });
    let security = ShareNode { needed: 2, children: vec![slot(1, 2), slot(2, 0), slot(3, 1)] };
    let operations = ShareNode { needed: 1, children: vec![slot(4, 3), slot(5, 4)] };
    let children = vec![ShareChild::Node(security), ShareChild::Node(operations)];
    let made = tree(&quorum).unwrap();
    assert_eq!(made, ShareNode { needed: 2, children });
    assert_eq!(made.slots().iter().map(|slot| slot.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let flat = tree(&parse("2 of security").unwrap()).unwrap();
    assert_eq!(flat, ShareNode { needed: 2, children: vec![slot(1, 2), slot(2, 0), slot(3, 1)] });
}

#[test]
fn the_shares_open_exactly_for_the_people_who_meet_the_rule() {
    let mut rng = StdRng::seed_from_u64(1);
    for text in [
        "2 of security",
        "1 of (2 of security)",
        "2 of security and 1 of operations",
        "1 of security or 1 of both",
        "1 of (2 of security, 1 of operations) or 2 of both",
        "(2 of security and 2 of operations) or 2 of operations or 2 of both",
    ] {
        let quorum = parse(text).unwrap();
        let made = tree(&quorum).unwrap();
        let secret = UnsealSecret::random(&mut rng);
        let vault = VaultFingerprint([1; 8]);
        let (commitments, shares) = split(&secret, made.structure().unwrap(), vault, Epoch(1), &mut rng).unwrap();
        for people in 0..32 {
            let present = set(people);
            let of_present = made.slots().into_iter().zip(&shares).filter(|(slot, _)| present.contains(slot.person));
            let given = of_present.map(|(_, share)| Share::from_bytes(share.to_bytes().expose()).unwrap());
            let given: Vec<_> = given.map(|share| commitments.verify(share).unwrap()).collect();
            assert_eq!(combine(&given, &commitments).is_ok(), quorum.is_met_by(&present), "{text}: {people:b}");
        }
    }
}

#[test]
fn a_person_holds_no_two_shares_that_count_together() {
    let problem = |text: &str| tree(&parse(text).unwrap()).map(|_| ()).map_err(|error| error.problem);
    let overlap = |person| Err(QuorumProblem::Overlap { person: PersonIndex(person) });
    assert_eq!(problem("1 of security and 1 of both"), overlap(0));
    assert_eq!(problem("2 of (1 of security, 1 of operations, 1 of both)"), overlap(0));
    assert_eq!(problem("1 of operations or (1 of security and 1 of both)"), overlap(0));
    assert_eq!(problem("(2 of security or 2 of operations) and 1 of both"), overlap(0));
    assert_eq!(problem("1 of security or 1 of both"), Ok(()));
    assert_eq!(problem("1 of (1 of security, 1 of operations, 2 of both)"), Ok(()));
}

#[test]
fn more_shares_than_one_byte_numbers_are_refused() {
    let people: Vec<_> = (0..200).map(PersonIndex).collect();
    let quorum = Quorum::parse("1 of a or 2 of a", |_| Some(&people)).unwrap();
    assert_eq!(tree(&quorum).unwrap_err().problem, QuorumProblem::TooManyShares { shares: 400 });
}
