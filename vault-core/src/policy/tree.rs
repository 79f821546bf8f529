//! Patterns with wildcards as a tree of segments, so that a look-up walks along the path instead of trying them all.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::denial::{Gap, Piece};

/// A tree whose nodes are reached segment by segment. Nodes lie in one list: neither a look-up nor the end of the tree's
/// life recurses, however long a path is.
pub(super) struct Tree<T> {
    nodes: Vec<Node<T>>,
}

struct Node<T> {
    literals: HashMap<String, usize>,
    plus: Option<usize>,
    gaps: Vec<(Gap, usize)>,
    /// What ends here.
    end: Option<T>,
    /// What ends in the next segment with any rest after this text.
    prefixes: BTreeMap<String, T>,
    gap_prefixes: Vec<(Gap, T)>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { nodes: Vec::new() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: HashMap::new(),
            plus: None,
            gaps: Vec::new(),
            end: None,
            prefixes: BTreeMap::new(),
            gap_prefixes: Vec::new(),
        }
    }
}

impl<T> Tree<T> {
    /// Adds a leaf; one that is there for the same pieces is replaced.
    pub(super) fn insert(&mut self, pieces: &[Piece], any_rest: bool, leaf: T) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let (inner, last) = match pieces.split_last() {
            Some((last, inner)) if any_rest => (inner, Some(last)),
            _ => (pieces, None),
        };
        let mut at = 0;
        for piece in inner {
            at = self.child(at, piece);
        }
        let Some(node) = self.nodes.get_mut(at) else { return };
        match last {
            None => node.end = Some(leaf),
            Some(Piece::Literal(text)) => drop(node.prefixes.insert(text.clone(), leaf)),
            Some(Piece::Gap(gap)) => node.set_gap_prefix(gap.clone(), leaf),
            // A '+' before the '*' is refused when it is parsed; a gap means the same.
            Some(Piece::Plus) => node.set_gap_prefix(Gap::between(vec![String::new(); 2]), leaf),
        }
    }

    /// Finds or makes the node behind a piece.
    fn child(&mut self, at: usize, piece: &Piece) -> usize {
        let fresh = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let child = match piece {
            Piece::Literal(text) => *node.literals.entry(text.clone()).or_insert(fresh),
            Piece::Plus => *node.plus.get_or_insert(fresh),
            Piece::Gap(gap) => match node.gaps.iter().find(|(known, _)| known == gap) {
                Some((_, child)) => *child,
                None => {
                    node.gaps.push((gap.clone(), fresh));
                    fresh
                }
            },
        };
        if child == fresh {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Hands over the leaves that fit a path. Of several plain beginnings of one segment only the longest is handed
    /// over: it is the more specific one.
    pub(super) fn find<'a>(&'a self, path: &str, mut found: impl FnMut(&'a T)) {
        if self.nodes.is_empty() {
            return;
        }
        let mut open = vec![(0, Some(path))];
        while let Some((at, rest)) = open.pop() {
            let Some(node) = self.nodes.get(at) else { continue };
            let Some(rest) = rest else {
                node.end.iter().for_each(&mut found);
                continue;
            };
            let (segment, after) = rest.split_once('/').map_or((rest, None), |(segment, after)| (segment, Some(after)));
            longest_prefix(&node.prefixes, segment).into_iter().for_each(&mut found);
            let fitting = node.gap_prefixes.iter().filter(|(gap, _)| gap.covers(segment, true).is_some());
            fitting.map(|(_, leaf)| leaf).for_each(&mut found);
            let gaps = node.gaps.iter().filter(|(gap, _)| gap.covers(segment, false).is_some());
            let children = node.literals.get(segment).into_iter().chain(&node.plus);
            open.extend(children.chain(gaps.map(|(_, child)| child)).map(|child| (*child, after)));
        }
    }

    /// Gives all leaves.
    pub(super) fn leaves(&self) -> impl Iterator<Item = &T> {
        self.nodes.iter().flat_map(|node| {
            let gaps = node.gap_prefixes.iter().map(|(_, leaf)| leaf);
            node.end.iter().chain(node.prefixes.values()).chain(gaps)
        })
    }
}

impl<T> Node<T> {
    fn set_gap_prefix(&mut self, gap: Gap, leaf: T) {
        self.gap_prefixes.retain(|(known, _)| *known != gap);
        self.gap_prefixes.push((gap, leaf));
    }
}

/// Finds the longest key that a text begins with. In the order of texts, its beginnings lie before it; whatever lies
/// between the longest and the text shares less with the text than itself is long, so the search goes on with what
/// they share.
pub(super) fn longest_prefix<'a, T>(prefixes: &'a BTreeMap<String, T>, text: &str) -> Option<&'a T> {
    let mut end = text;
    loop {
        let (candidate, found) = prefixes.range::<str, _>((Bound::Unbounded, Bound::Included(end))).next_back()?;
        if text.starts_with(candidate.as_str()) {
            return Some(found);
        }
        end = common_start(end, candidate);
    }
}

/// Gives what two texts begin with in common.
fn common_start<'a>(one: &'a str, other: &str) -> &'a str {
    let length = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let boundary = (0..=length).rev().find(|end| one.is_char_boundary(*end)).unwrap_or(0);
    one.get(..boundary).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(pattern: &str) -> Vec<Piece> {
        let piece = |text: &str| if text == "+" { Piece::Plus } else { Piece::Literal(text.to_owned()) };
        pattern.split('/').map(piece).collect()
    }

    #[test]
    fn leaves_are_found_along_the_path() {
        let mut tree = Tree::default();
        for (pattern, any_rest) in
            [("a/+", false), ("a/+/c", false), ("+/b", true), ("a/", true), ("+/", true), ("a/+/", false)]
        {
            tree.insert(&pieces(pattern), any_rest, (pattern, any_rest));
        }
        let found = |path: &str| {
            let mut found = Vec::new();
            tree.find(path, |leaf| found.push(leaf.0));
            found.sort_unstable();
            found
        };
        assert_eq!(found("a/b"), ["+/b", "a/", "a/+"]);
        assert_eq!(found("a/x/c"), ["+/", "a/", "a/+/c"]);
        assert_eq!(found("a/x/"), ["+/", "a/", "a/+/"]);
        assert_eq!(found("a"), [""; 0]);
        assert_eq!(tree.leaves().count(), 6);
    }

    #[test]
    fn long_paths_do_not_recurse() {
        let mut tree = Tree::default();
        let long = vec!["+"; 200_000].join("/");
        tree.insert(&pieces(&long), false, ());
        let mut count = 0;
        tree.find(&long, |()| count += 1);
        assert_eq!(count, 1);
    }
}
