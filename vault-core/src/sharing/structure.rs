//! Which sets of shares open: a tree of thresholds.

use serde::{Deserialize, Serialize};

use super::threshold::{Threshold, ThresholdError};

/// Deepest nesting of nodes.
pub const STRUCTURE_DEPTH_MAX: usize = 16;

/// Most nodes of a structure.
pub const STRUCTURE_NODES_MAX: usize = 255;

/// Most shares of a structure: the number of a share is one byte.
pub const STRUCTURE_SHARES_MAX: u8 = u8::MAX;

/// A node of a structure: so many of its children open it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// How many children are needed, from 1 up to their number.
    pub needed: u8,
    /// The children; a child's place is its position, from 1.
    pub children: Vec<Child>,
}

/// A child of a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Child {
    /// A share that somebody keeps.
    Share,
    /// A secret that is shared again.
    Node(Node),
}

/// Says which sets of shares open; shares are numbered from 1, depth first from the left.
///
/// `2 of (a, b, c) and 1 of (d, e)` is a node that needs both of its children, which are nodes of shares; a plain
/// threshold is a single node. Whoever fills it is another matter: it speaks of shares only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Structure {
    root: Node,
    threshold: Threshold,
}

/// Says why a tree is no structure.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StructureError {
    /// A node asks for none of its children, or for more than it has.
    #[error("a node of the sharing: {0}")]
    Node(#[from] ThresholdError),
    /// It is nested too deeply.
    #[error("the sharing is nested more than {STRUCTURE_DEPTH_MAX} deep")]
    TooDeep,
    /// It has too many nodes.
    #[error("the sharing has more than {STRUCTURE_NODES_MAX} nodes")]
    TooManyNodes,
    /// It has too many shares.
    #[error("the sharing has {shares} shares; at most {STRUCTURE_SHARES_MAX} can be made")]
    TooManyShares {
        /// How many.
        shares: usize,
    },
}

/// What a tree has, counted while its nodes are checked.
#[derive(Default)]
struct Counts {
    nodes: usize,
    shares: usize,
}

impl Structure {
    /// Checks a tree.
    ///
    /// # Errors
    /// Answers [`StructureError`] for a node that cannot be met and for what passes the bounds.
    pub fn new(root: Node) -> Result<Self, StructureError> {
        let mut counts = Counts::default();
        count(&root, 1, &mut counts)?;
        let Ok(total) = u8::try_from(counts.shares) else {
            return Err(StructureError::TooManyShares { shares: counts.shares });
        };
        let threshold = Threshold::new(fewest(&root), total.into())?;
        Ok(Self { root, threshold })
    }

    /// Gives the node that the secret itself is shared by.
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// Gives the number of shares, and of those that the smallest set which opens has.
    pub const fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// Tells whether the threshold is all there is to it.
    pub fn is_flat(&self) -> bool {
        self.root.children.iter().all(|child| matches!(child, Child::Share))
    }

    /// Gives the nodes, depth first from the left.
    pub fn nodes(&self) -> Vec<&Node> {
        let mut found = Vec::new();
        self.root.collect(&mut found);
        found
    }
}

impl Node {
    /// Gives how many children there are and how many are needed.
    pub(super) fn threshold(&self) -> Result<Threshold, ThresholdError> {
        let total = u64::try_from(self.children.len()).unwrap_or(u64::MAX);
        Threshold::new(self.needed.into(), total)
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Self>) {
        found.push(self);
        for child in &self.children {
            if let Child::Node(node) = child {
                node.collect(found);
            }
        }
    }
}

impl From<Threshold> for Structure {
    fn from(threshold: Threshold) -> Self {
        let root = Node { needed: threshold.needed(), children: vec![Child::Share; threshold.total().into()] };
        Self { root, threshold }
    }
}

/// Gives the size of the smallest set of shares that opens a node.
fn fewest(node: &Node) -> u64 {
    let of_child = |child: &Child| match child {
        Child::Share => 1,
        Child::Node(node) => fewest(node),
    };
    sum_of_smallest(node.needed, node.children.iter().map(of_child).collect())
}

/// Adds up so many of the numbers, the smallest ones.
pub(super) fn sum_of_smallest(count: u8, mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.iter().take(count.into()).sum()
}

fn count(node: &Node, depth: usize, counts: &mut Counts) -> Result<(), StructureError> {
    if depth > STRUCTURE_DEPTH_MAX {
        return Err(StructureError::TooDeep);
    }
    node.threshold()?;
    counts.nodes += 1;
    if counts.nodes > STRUCTURE_NODES_MAX {
        return Err(StructureError::TooManyNodes);
    }
    for child in &node.children {
        match child {
            Child::Share => counts.shares += 1,
            Child::Node(node) => count(node, depth + 1, counts)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nest(node: Node) -> Node {
        Node { needed: 1, children: vec![Child::Node(node)] }
    }

    fn flat(needed: u8, total: usize) -> Node {
        Node { needed, children: vec![Child::Share; total] }
    }

    #[test]
    fn a_node_needs_one_child_at_least_and_no_more_than_it_has() {
        for (needed, total) in [(0, 0), (0, 1), (2, 1), (1, 0), (1, 256)] {
            let refused = |node| matches!(Structure::new(node), Err(StructureError::Node(_)));
            assert!(refused(flat(needed, total)), "{needed} of {total}");
            assert!(refused(nest(flat(needed, total))), "{needed} of {total}, below");
        }
    }

    #[test]
    fn the_bounds_are_kept() {
        let deep = |depth| (1..depth).fold(flat(1, 1), |node, _| nest(node));
        assert!(Structure::new(deep(STRUCTURE_DEPTH_MAX)).is_ok());
        assert_eq!(Structure::new(deep(STRUCTURE_DEPTH_MAX + 1)), Err(StructureError::TooDeep));
        let wide = |nodes, shares| Node { needed: 1, children: vec![Child::Node(flat(1, shares)); nodes] };
        assert!(Structure::new(wide(STRUCTURE_NODES_MAX - 1, 1)).is_ok());
        assert_eq!(Structure::new(wide(STRUCTURE_NODES_MAX, 1)), Err(StructureError::TooManyNodes));
        assert!(Structure::new(wide(5, 51)).is_ok());
        assert_eq!(Structure::new(wide(4, 64)), Err(StructureError::TooManyShares { shares: 256 }));
    }

    #[test]
    fn a_threshold_is_a_single_node() {
        let threshold = Threshold::new(2, 3).unwrap();
        assert_eq!(Structure::new(flat(2, 3)).unwrap(), Structure::from(threshold));
        assert!(Structure::from(threshold).is_flat());
        let nested = Structure::new(nest(flat(2, 3))).unwrap();
        assert!(!nested.is_flat());
        assert_eq!((nested.threshold(), nested.nodes().len()), (threshold, 2));
    }

    #[test]
    fn the_written_form_is_the_documented_one() {
        let node = Node { needed: 2, children: vec![Child::Share, Child::Node(flat(1, 2))] };
        let text = r#"{"needed":2,"children":["share",{"node":{"needed":1,"children":["share","share"]}}]}"#;
        assert_eq!(serde_json::to_string(&node).unwrap(), text);
        assert_eq!(serde_json::from_str::<Node>(text).unwrap(), node);
        assert!(serde_json::from_str::<Node>(&text.replace("\"needed\":1", "\"needed\":1,\"x\":1")).is_err());
    }
}
