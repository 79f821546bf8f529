//! Tests of thresholds within thresholds: exactly the allowed sets open.

use super::*;

const SHARES_MAX: usize = 5;

fn structure(root: Node) -> Structure {
    Structure::new(root).unwrap()
}

fn flat(needed: u8, total: usize) -> Child {
    Child::Node(Node { needed, children: vec![Child::Share; total] })
}

/// `2 of (a, b, c) and 1 of (d, e)`.
fn two_teams() -> Structure {
    structure(Node { needed: 2, children: vec![flat(2, 3), flat(1, 2)] })
}

/// Says from the rule alone whether a set of shares is allowed, walking over the shares as they are numbered.
fn allows(node: &Node, next: &mut usize, mask: u32) -> bool {
    let mut met = 0;
    for child in &node.children {
        let is_met = match child {
            Child::Share => {
                *next += 1;
                mask >> (*next - 1) & 1 == 1
            }
            Child::Node(node) => allows(node, next, mask),
        };
        met += u8::from(is_met);
    }
    met >= node.needed
}

/// Gives every list of children with so many shares in all, nested so deep at most.
fn children(shares: usize, depth: usize) -> Vec<Vec<Child>> {
    if shares == 0 {
        return vec![Vec::new()];
    }
    let mut lists = Vec::new();
    for first_shares in 1..=shares {
        let mut firsts = if first_shares == 1 { vec![Child::Share] } else { Vec::new() };
        if depth > 1 {
            firsts.extend(nodes(first_shares, depth - 1).into_iter().map(Child::Node));
        }
        for rest in children(shares - first_shares, depth) {
            lists.extend(firsts.iter().map(|first| [vec![first.clone()], rest.clone()].concat()));
        }
    }
    lists
}

/// Gives every node over so many shares, nested so deep at most.
fn nodes(shares: usize, depth: usize) -> Vec<Node> {
    let with_each_threshold = |children: Vec<Child>| {
        let most = children.len() as u8;
        (1..=most).map(move |needed| Node { needed, children: children.clone() })
    };
    children(shares, depth).into_iter().flat_map(with_each_threshold).collect()
}

fn check_every_subset(root: Node, seed: u64) {
    let (set, total) =
        (Set::of(structure(root.clone()), seed), Structure::new(root.clone()).unwrap().threshold().total());
    let mut smallest = u32::MAX;
    for mask in 0..1_u32 << total {
        let allowed = allows(&root, &mut 0, mask);
        let verified = set.verified(bits(mask));
        assert_eq!(set.opens(bits(mask)), allowed, "{root:?}, {mask:b}");
        let missing = set.commitments.missing(&verified);
        assert_eq!(missing == 0, allowed, "{root:?}, {mask:b}");
        // The least number of further shares, found by trying all of them.
        let supersets = (0..1_u32 << total).filter(|more| more & mask == mask && allows(&root, &mut 0, *more));
        let least = supersets.map(|more| (more & !mask).count_ones()).min().unwrap();
        assert_eq!(u32::from(missing), least, "{root:?}, {mask:b}");
        if allowed {
            smallest = smallest.min(mask.count_ones());
        }
    }
    assert_eq!(u32::from(set.commitments.threshold().needed()), smallest);
}

#[test]
fn exactly_the_allowed_sets_open_for_every_small_tree() {
    let mut tried = 0;
    for shares in 1..=SHARES_MAX {
        // Three levels of up to three shares, two levels of up to five.
        for node in nodes(shares, if shares <= 3 { 3 } else { 2 }) {
            check_every_subset(node, tried);
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn two_teams_open_together_only() {
    let set = Set::of(two_teams(), 1);
    assert_eq!(set.commitments.threshold(), Threshold::new(3, 5).unwrap());
    for (positions, opens) in [
        (vec![0, 1, 3], true),
        (vec![4, 2, 0], true),
        (vec![0, 1, 2], false),
        (vec![3, 4, 0], false),
        (vec![0, 1, 2, 3, 4], true),
    ] {
        assert_eq!(set.opens(positions.iter().copied()), opens, "{positions:?}");
    }
    let refused = combine(&set.verified([0, 1, 2]), &set.commitments).err();
    assert_eq!(refused, Some(CombineError::TooFew { given: 3, missing: 1 }));
}

#[test]
fn a_share_of_one_team_is_no_share_of_another() {
    let set = Set::of(two_teams(), 2);
    // The same opening under every other number: only shares of the same constant polynomial are alike.
    for share in &set.shares {
        for number in 1..=6 {
            let index = ShareIndex::new(number).unwrap();
            let opening = Opening::new(share.opening().value(), share.opening().blinding());
            let verified = set.commitments.verify(Share::new(VAULT, EPOCH, index, opening)).is_ok();
            let alike = share.index().get() >= 4 && (4..=5).contains(&number);
            assert_eq!(verified, index == share.index() || alike, "{} as {number}", share.index());
        }
    }
}

#[test]
fn commitments_of_a_nested_set_are_read_as_they_were_written() {
    let set = Set::of(two_teams(), 3);
    let hex = set.commitments.to_hex();
    assert_eq!(hex.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    let read = Commitments::from_hex(&hex, two_teams()).unwrap();
    assert_eq!(read, set.commitments);
    assert_eq!(read.structure(), &two_teams());
}

#[test]
fn lists_that_do_not_belong_together_are_refused() {
    let set = Set::of(two_teams(), 4);
    let other = Set::of(two_teams(), 5).commitments.to_hex();
    let hex = set.commitments.to_hex();
    for node in 1..3 {
        let mut mixed = hex.clone();
        mixed[node] = other[node].clone();
        assert_eq!(Commitments::from_hex(&mixed, two_teams()), Err(CommitmentsError::NotOfParent { node }));
    }
    let mut mixed = hex.clone();
    mixed[0] = other[0].clone();
    assert_eq!(Commitments::from_hex(&mixed, two_teams()), Err(CommitmentsError::NotOfParent { node: 1 }));
    for found in [0, 2, 4] {
        let lists: Vec<_> = hex.iter().cycle().take(found).cloned().collect();
        assert_eq!(Commitments::from_hex(&lists, two_teams()), Err(CommitmentsError::Lists { found, nodes: 3 }));
    }
    let swapped = [hex[0].clone(), hex[2].clone(), hex[1].clone()];
    let expected = Err(CommitmentsError::Count { node: 1, found: 1, needed: 2 });
    assert_eq!(Commitments::from_hex(&swapped, two_teams()), expected);
}

#[test]
fn large_nested_sets_open() {
    let team = |needed, total| flat(needed, total);
    let root = Node { needed: 3, children: vec![team(10, 51), team(1, 51), team(51, 51), team(2, 51), team(26, 51)] };
    let set = Set::of(structure(root), 6);
    assert_eq!(set.commitments.threshold(), Threshold::new(13, 255).unwrap());
    let chosen = (0..10).chain(60..61).chain(153..155);
    assert!(set.opens(chosen.clone()));
    assert!(!set.opens(chosen.skip(1)));
}

/// A team's shares say nothing about those of another: what they share are points of a polynomial with a coefficient
/// of its own.
#[test]
fn teams_do_not_share_the_same_value() {
    let set = Set::of(two_teams(), 7);
    let values: Vec<_> = set.shares.iter().map(|share| share.opening().value().to_bytes()).collect();
    let different: std::collections::BTreeSet<_> = values.iter().collect();
    // The two shares of `1 of (d, e)` are alike.
    assert_eq!(different.len(), 4);
    assert!(!values.contains(&set.secret.0.value().to_bytes()));
}
