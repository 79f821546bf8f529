//! The tree over the records, as far as appending needs it.

use tlog_tiles::{Hash, node_hash, record_hash};

/// Gives the hash of a record as a leaf of the tree.
pub fn leaf_of(record: &[u8]) -> [u8; 32] {
    record_hash(record).0
}

/// The right edge of the tree: roots of full subtrees, each smaller than the one before.
#[derive(Clone, Default, Debug)]
pub struct Tree {
    size: u64,
    /// Roots with the heights of their subtrees, from the left.
    edge: Vec<(u32, Hash)>,
}

impl Tree {
    /// Adds a record: a line of the log without its line feed.
    pub fn append(&mut self, record: &[u8]) {
        self.append_leaf(leaf_of(record));
    }

    /// Adds a record by its hash.
    pub fn append_leaf(&mut self, leaf: [u8; 32]) {
        self.append_subtree(0, leaf);
    }

    /// Adds a full subtree of 2^`height` records by its root; those to its left are as high or higher.
    pub(crate) fn append_subtree(&mut self, height: u32, root: [u8; 32]) {
        let (mut top, mut hash) = (height, Hash(root));
        while let Some((left_height, left)) = self.edge.last().copied()
            && left_height == top
        {
            self.edge.pop();
            (top, hash) = (top + 1, node_hash(left, hash));
        }
        self.edge.push((top, hash));
        self.size += 1 << height;
    }

    /// Counts the records.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Gives the root; that of an empty tree is the hash of nothing (RFC 6962 section 2.1).
    pub fn root(&self) -> [u8; 32] {
        const OF_NOTHING: [u8; 32] = [
            0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae,
            0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
        ];
        let mut smaller_first = self.edge.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = smaller_first.next() else { return OF_NOTHING };
        smaller_first.fold(last, |right, left| node_hash(left, right)).0
    }

    /// Writes the edge down, so that a log can be gone on with without reading all of it: size (8, big-endian), then the
    /// roots.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        self.edge.iter().for_each(|(_, hash)| bytes.extend_from_slice(&hash.0));
        bytes
    }

    /// Reads what [`Self::to_bytes`] writes; the heights follow from the size. `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, roots) = bytes.split_first_chunk::<8>()?;
        let size = u64::from_be_bytes(*size);
        let heights = (0..u64::BITS).rev().filter(|height| size & (1 << height) != 0);
        let (roots, rest) = roots.as_chunks::<32>();
        let heights: Vec<u32> = heights.collect();
        let fits = rest.is_empty() && heights.len() == roots.len();
        fits.then(|| Self { size, edge: heights.into_iter().zip(roots.iter().map(|root| Hash(*root))).collect() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition of RFC 6962 section 2.1, word for word.
    fn by_definition(records: &[Vec<u8>]) -> [u8; 32] {
        match records {
            [] => Tree::default().root(),
            [only] => record_hash(only).0,
            _ => {
                let half = (records.len() as u64).next_power_of_two() as usize / 2;
                let (left, right) = records.split_at(half);
                node_hash(Hash(by_definition(left)), Hash(by_definition(right))).0
            }
        }
    }

    proptest! {
        #[test]
        fn the_root_is_that_of_the_definition(records: Vec<Vec<u8>>) {
            let mut tree = Tree::default();
            records.iter().for_each(|record| tree.append(record));
            prop_assert_eq!(tree.root(), by_definition(&records));
            let again = Tree::from_bytes(&tree.to_bytes()).unwrap();
            prop_assert_eq!((again.size(), again.root()), (tree.size(), tree.root()));
            let mut more = again;
            more.append(b"x");
            tree.append(b"x");
            prop_assert_eq!(more.root(), tree.root());
        }

        #[test]
        fn any_bytes_are_an_edge_or_not(bytes: Vec<u8>) {
            if let Some(tree) = Tree::from_bytes(&bytes) {
                prop_assert_eq!(tree.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn the_roots_of_certificate_transparency_come_out() {
        // Inputs and roots of the reference implementation of RFC 6962.
        let inputs: [&[u8]; 4] = [b"", b"\x00", b"\x10", b"\x20\x21"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ];
        let mut tree = Tree::default();
        for (input, root) in inputs.into_iter().zip(roots) {
            tree.append(input);
            assert_eq!(data_encoding::HEXLOWER.encode(&tree.root()), root);
        }
    }
}
