//! What the core and a store say to each other: rows under opaque keys, and atomic batches with expectations.

use std::sync::Arc;

use crate::id::Revision;

/// Names one folder of rows: a keyed hash of 16 bytes that tells a reader of the disk nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FolderId(pub [u8; 16]);

/// Tells the two kinds of rows of a folder apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowKind {
    /// A row with a value.
    Entry,
    /// The mark of a folder inside the folder; the id half of its key is the [`FolderId`] of that folder.
    Folder,
}

/// The key of one row: folder (16 bytes) ‖ kind (1 byte) ‖ id (16 bytes).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowKey([u8; 33]);

impl RowKey {
    /// Number of bytes of a key.
    pub const LENGTH_BYTES: usize = 33;

    const KIND_ENTRY: u8 = b'e';
    const KIND_FOLDER: u8 = b'f';

    /// Puts a key together.
    pub const fn new(folder: FolderId, kind: RowKind, id: [u8; 16]) -> Self {
        let kind = match kind {
            RowKind::Entry => Self::KIND_ENTRY,
            RowKind::Folder => Self::KIND_FOLDER,
        };
        let FolderId([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]) = folder;
        let [q, r, s, t, u, v, w, x, y, z, aa, ab, ac, ad, ae, af] = id;
        Self([
            a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, kind, q, r, s, t, u, v, w, x, y, z, aa, ab, ac, ad, ae, af,
        ])
    }

    /// Reads a key back from a store; `None` if it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key = Self(bytes.try_into().ok()?);
        matches!(key.0[16], Self::KIND_ENTRY | Self::KIND_FOLDER).then_some(key)
    }

    /// Gives the bytes that a store orders rows by.
    pub const fn as_bytes(&self) -> &[u8; 33] {
        &self.0
    }

    /// Gives the folder that the row lies in.
    pub fn folder(&self) -> FolderId {
        FolderId(*self.0.first_chunk().unwrap_or(&[0; 16]))
    }

    /// Tells which kind the row is of.
    pub const fn kind(&self) -> RowKind {
        if self.0[16] == Self::KIND_FOLDER { RowKind::Folder } else { RowKind::Entry }
    }

    /// Gives the folder that this row marks, if it marks one.
    pub fn marked_folder(&self) -> Option<FolderId> {
        match self.kind() {
            RowKind::Entry => None,
            RowKind::Folder => self.0.last_chunk().copied().map(FolderId),
        }
    }
}

/// A row as a store holds it: both halves are sealed, except for the two rows that a sealed vault must read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The revision of the batch that last wrote the row.
    pub revision: Revision,
    /// The sealed name; short, and listed without its value.
    pub label: Arc<[u8]>,
    /// The sealed value.
    pub value: Arc<[u8]>,
}

/// One row of a listing: its key and sealed name, without its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The key; the next page starts after the last one.
    pub key: RowKey,
    /// The sealed name.
    pub label: Arc<[u8]>,
}

/// What must hold at the moment of the commit; otherwise nothing of the batch is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expect {
    /// The row is still the one that was read: last written at that revision, or absent (`None`).
    Unchanged {
        /// Which row.
        key: RowKey,
        /// Its revision when it was read.
        revision: Option<Revision>,
    },
    /// The folder holds the row `key` and no other, so that it can be given up with it.
    OnlyRow {
        /// The row that may be there, in the folder that is meant.
        key: RowKey,
    },
}

/// One change of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Write {
    /// Writes or replaces a row.
    Put {
        /// Which row.
        key: RowKey,
        /// Its sealed name.
        label: Arc<[u8]>,
        /// Its sealed value.
        value: Arc<[u8]>,
    },
    /// Removes a row; a missing one is not an error.
    Delete {
        /// Which row.
        key: RowKey,
    },
}

/// Changes that happen all together or not at all, under expectations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use = "a batch changes nothing until a store commits it"]
pub struct Batch {
    expects: Vec<Expect>,
    writes: Vec<Write>,
}

impl Batch {
    pub(crate) const fn new(expects: Vec<Expect>, writes: Vec<Write>) -> Self {
        Self { expects, writes }
    }

    /// Assembles a batch outside of the flow of requests. Only tests of backends do so.
    pub const fn danger_assemble(expects: Vec<Expect>, writes: Vec<Write>) -> Self {
        Self::new(expects, writes)
    }

    /// Takes the batch apart: what must hold at the moment of the commit, and what is then done, in order.
    pub fn into_parts(self) -> (Vec<Expect>, Vec<Write>) {
        (self.expects, self.writes)
    }

    /// Tells whether the batch would change nothing.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_back_what_it_was_made_of() {
        let folder = FolderId([1; 16]);
        let mark = RowKey::new(folder, RowKind::Folder, [2; 16]);
        assert_eq!(mark.folder(), folder);
        assert_eq!(mark.marked_folder(), Some(FolderId([2; 16])));
        assert_eq!(RowKey::from_bytes(mark.as_bytes()), Some(mark));
        let entry = RowKey::new(folder, RowKind::Entry, [2; 16]);
        assert_eq!(entry.marked_folder(), None);
        assert_ne!(entry, mark);
    }

    #[test]
    fn foreign_keys_are_refused() {
        assert_eq!(RowKey::from_bytes(&[0; 33]), None);
        assert_eq!(RowKey::from_bytes(&[b'e'; 32]), None);
    }
}
