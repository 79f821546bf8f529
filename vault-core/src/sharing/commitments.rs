//! The public commitments by which a good share is told from a bad one.

use std::num::NonZeroU8;
use std::sync::LazyLock;

use curve25519_dalek::RistrettoPoint;

use super::polynomial::Polynomial;
use super::share::{Share, ShareError, VerifiedShare};
use super::structure::{Child, Node, Structure, sum_of_smallest};
use super::threshold::{ShareIndex, Threshold};
use crate::keys;

static BLINDING_GENERATOR: LazyLock<RistrettoPoint> = LazyLock::new(keys::blinding_generator);

/// Gives the second generator `H`, to which nobody knows the logarithm.
pub(super) fn blinding_generator() -> RistrettoPoint {
    *BLINDING_GENERATOR
}

/// Commits to the polynomials of every node of a sharing; a node below commits to what its parent's polynomials hold
/// at its place.
///
/// The points are public; they say nothing about the secret, even to an attacker without bounds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commitments {
    structure: Structure,
    root: CommittedNode,
}

/// A node and what its children are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CommittedNode {
    pub(super) polynomial: Polynomial,
    pub(super) children: Vec<CommittedChild>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum CommittedChild {
    Share(ShareIndex),
    Node(CommittedNode),
}

/// Says why lists are not the commitments of a set. Nodes count from 0, depth first from the left.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CommitmentsError {
    /// There is a list for each node.
    #[error("there are {found} lists of commitments; the sharing has {nodes} nodes")]
    Lists {
        /// How many there are.
        found: usize,
        /// How many there must be.
        nodes: usize,
    },
    /// A longer list would let shares pass that do not combine, a shorter one would need fewer people.
    #[error("there are {found} commitments of node {node}; a node of which {needed} open has exactly {needed}")]
    Count {
        /// Which node.
        node: usize,
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: u8,
    },
    /// An entry is no point of the group.
    #[error(
        "commitment {position} of node {node} is damaged: it is not the hexadecimal form of a point of Ristretto255"
    )]
    Undecodable {
        /// Which node.
        node: usize,
        /// Its place in the list, from 0.
        position: usize,
    },
    /// An entry commits to nothing.
    #[error("commitment {position} of node {node} is empty: it is the identity of the group")]
    Identity {
        /// Which node.
        node: usize,
        /// Its place in the list, from 0.
        position: usize,
    },
    /// The shares below would give another secret than the node above asks for.
    #[error("node {node} does not share what the node above it holds at its place")]
    NotOfParent {
        /// Which node.
        node: usize,
    },
}

impl Commitments {
    /// Reads the commitments of a sharing: a list for each node, depth first from the left, each commitment as 64
    /// hexadecimal digits in lower case.
    ///
    /// # Errors
    /// Answers [`CommitmentsError`] unless each node has exactly as many points as it needs children, and each node
    /// below shares what the one above it holds.
    pub fn from_hex<T: AsRef<str>>(
        lists: &[Vec<T>],
        structure: impl Into<Structure>,
    ) -> Result<Self, CommitmentsError> {
        let structure = structure.into();
        Self::read(lists, structure, |list, number, node| Polynomial::from_hex(list, number, node.needed))
    }

    /// Takes the points of a sharing as they were dealt: a list for each node, depth first from the left.
    ///
    /// # Errors
    /// Answers [`CommitmentsError`] as [`Commitments::from_hex`].
    pub(super) fn from_points(lists: &[Vec<RistrettoPoint>], structure: Structure) -> Result<Self, CommitmentsError> {
        Self::read(lists, structure, |list, number, node| Polynomial::new(list, number, node.needed))
    }

    fn read<T>(
        lists: &[Vec<T>],
        structure: Structure,
        polynomial: impl Fn(&[T], usize, &Node) -> Result<Polynomial, CommitmentsError>,
    ) -> Result<Self, CommitmentsError> {
        let nodes = structure.nodes();
        if lists.len() != nodes.len() {
            return Err(CommitmentsError::Lists { found: lists.len(), nodes: nodes.len() });
        }
        let polynomials = lists.iter().zip(nodes).enumerate();
        let polynomials = polynomials.map(|(number, (list, node))| polynomial(list, number, node));
        let polynomials: Vec<Polynomial> = polynomials.collect::<Result<_, _>>()?;
        let root = Assembly::new(&polynomials).node(structure.root(), None)?;
        Ok(Self { structure, root })
    }

    /// Gives the list of each node, depth first from the left, each commitment as 64 hexadecimal digits.
    pub fn to_hex(&self) -> Vec<Vec<String>> {
        let mut lists = Vec::new();
        self.root.write(&mut lists);
        lists
    }

    /// Gives which sets of shares open.
    pub const fn structure(&self) -> &Structure {
        &self.structure
    }

    /// Gives the number of shares, and of those that the smallest set which opens has.
    pub const fn threshold(&self) -> Threshold {
        self.structure.threshold()
    }

    /// Gives how many further shares it takes at least to open, beside these; zero exactly if these open.
    pub fn missing(&self, given: &[VerifiedShare]) -> u8 {
        let missing = self.root.missing(&|index| given.iter().any(|share| share.index() == index));
        u8::try_from(missing).unwrap_or(u8::MAX)
    }

    /// Checks one share alone; only a verified share can be combined.
    ///
    /// # Errors
    /// Answers [`ShareError::NotOfThisSet`] if the share does not open the commitment to its index.
    pub fn verify(&self, share: Share) -> Result<VerifiedShare, ShareError> {
        if self.admit(&share) {
            Ok(VerifiedShare::new(share))
        } else {
            Err(ShareError::NotOfThisSet { index: share.index() })
        }
    }

    pub(super) const fn root(&self) -> &CommittedNode {
        &self.root
    }

    pub(super) fn admit(&self, share: &Share) -> bool {
        self.of_share(share.index()).is_some_and(|commitment| share.opening().opens(&commitment))
    }

    /// Gives the commitment that the share `index` opens, if there is such a share.
    pub(super) fn of_share(&self, index: ShareIndex) -> Option<RistrettoPoint> {
        self.root.of_share(index)
    }
}

/// Puts the polynomials of the nodes in their places.
struct Assembly<'a> {
    polynomials: std::iter::Enumerate<std::slice::Iter<'a, Polynomial>>,
    next_share: ShareIndex,
}

impl<'a> Assembly<'a> {
    fn new(polynomials: &'a [Polynomial]) -> Self {
        Self { polynomials: polynomials.iter().enumerate(), next_share: ShareIndex(NonZeroU8::MIN) }
    }

    /// Builds a node whose parent, unless it is the root, holds `held` at its place.
    fn node(&mut self, node: &Node, held: Option<RistrettoPoint>) -> Result<CommittedNode, CommitmentsError> {
        // There is a polynomial for each node.
        let (number, polynomial) = self.polynomials.next().ok_or(CommitmentsError::Lists { found: 0, nodes: 1 })?;
        if held.is_some_and(|held| held != *polynomial.secret()) {
            return Err(CommitmentsError::NotOfParent { node: number });
        }
        let children = node.children.iter().zip(places()).map(|(child, place)| match child {
            Child::Share => Ok(CommittedChild::Share(self.number_share())),
            Child::Node(node) => self.node(node, Some(polynomial.at(place))).map(CommittedChild::Node),
        });
        Ok(CommittedNode { children: children.collect::<Result<_, _>>()?, polynomial: polynomial.clone() })
    }

    fn number_share(&mut self) -> ShareIndex {
        let number = self.next_share;
        // A structure has at most 255 shares, so the addition saturates after the last one only.
        self.next_share = ShareIndex(number.0.saturating_add(1));
        number
    }
}

impl CommittedNode {
    fn write(&self, lists: &mut Vec<Vec<String>>) {
        lists.push(self.polynomial.to_hex());
        for child in &self.children {
            if let CommittedChild::Node(node) = child {
                node.write(lists);
            }
        }
    }

    fn missing(&self, is_given: &dyn Fn(ShareIndex) -> bool) -> u64 {
        let of_child = |child: &CommittedChild| match child {
            CommittedChild::Share(index) => u64::from(!is_given(*index)),
            CommittedChild::Node(node) => node.missing(is_given),
        };
        sum_of_smallest(self.polynomial.needed(), self.children.iter().map(of_child).collect())
    }

    fn of_share(&self, index: ShareIndex) -> Option<RistrettoPoint> {
        self.children.iter().zip(places()).find_map(|(child, place)| match child {
            CommittedChild::Share(own) => (*own == index).then(|| self.polynomial.at(place)),
            CommittedChild::Node(node) => node.of_share(index),
        })
    }
}

/// Gives the places of the children of a node, at which its polynomials are evaluated; at place 0 lies its secret.
pub(super) fn places() -> impl Iterator<Item = NonZeroU8> {
    (1..=u8::MAX).filter_map(NonZeroU8::new)
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::Scalar;
    use curve25519_dalek::traits::IsIdentity;

    use super::*;

    #[test]
    fn the_blinding_generator_is_none_of_the_trivial_points() {
        let base = RistrettoPoint::mul_base(&Scalar::ONE);
        assert!(!blinding_generator().is_identity());
        assert_ne!(blinding_generator(), base);
        assert_ne!(blinding_generator(), -base);
    }
}
