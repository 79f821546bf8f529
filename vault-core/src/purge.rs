//! The purge queue: folders whose rows are given up and removed later, in bounded batches.
//!
//! What is given up must already be out of reach when it is enqueued (its mount or token is gone in the same
//! batch), so a crash before the purge leaves only rubbish, never something that can be read.

use data_encoding::HEXLOWER;

use crate::engines::Change;
use crate::flow::Recorded;
use crate::names::{Domain, Folder, Names, Slot};
use crate::secret::SecretBytes;
use crate::store::{Batch, FolderId, RowKey, Write};

/// Finds the folder of the queue; each entry is named by the folder that waits in it, in hexadecimal.
pub fn queue(names: &Names) -> Folder {
    names.root(Domain::System, "purge")
}

/// Enqueues a folder, with everything below it.
pub fn enqueue(names: &Names, given_up: &Folder) -> Change {
    Change::Put { slot: slot(names, given_up.id()), payload: SecretBytes::new(Vec::new()) }
}

/// Reads a name of the queue back; `None` if it is none.
pub fn parse(name: &str) -> Option<FolderId> {
    HEXLOWER.decode(name.as_bytes()).ok()?.try_into().ok().map(FolderId)
}

/// Takes a folder off the queue, once nothing is left in it.
pub fn done(_: &Recorded, names: &Names, folder: FolderId) -> Batch {
    Batch::new(Vec::new(), vec![Write::Delete { key: *slot(names, folder).key() }])
}

/// Removes rows of a folder that waits in the queue, on the durable record of the purge.
pub fn remove(_: &Recorded, rows: impl IntoIterator<Item = RowKey>) -> Batch {
    Batch::new(Vec::new(), rows.into_iter().map(|key| Write::Delete { key }).collect())
}

fn slot(names: &Names, folder: FolderId) -> Slot {
    names.entry(&queue(names), &HEXLOWER.encode(&folder.0))
}
