//! What a group of lines is for the tree: its leaves, the checkpoint over them, and the receipts that were asked for.

use std::sync::Arc;

use tokio::sync::oneshot;
use vault_core::audit::Record;
use vault_log::checkpoint::Checkpoint;
use vault_log::proof::{Receipt, SignedCheckpoint};
use vault_log::tree::{Tree, leaf_of};

use super::tree_folder::Grown;

/// Signs a checkpoint over so many records with this root.
pub type Checkpointer = Arc<dyn Fn(u64, [u8; 32]) -> Option<CheckpointRecord> + Send + Sync>;

/// A checkpoint, and the record that tells of it.
pub struct CheckpointRecord {
    /// The signed note.
    pub note: String,
    /// The record with the note in it.
    pub record: Record,
}

/// Somebody who waits for the proof that their record is in the log.
pub(super) struct ReceiptWanted {
    pub(super) number: u64,
    pub(super) answer: oneshot::Sender<Receipt>,
}

/// How a group of lines changes the tree.
pub(super) struct Growth {
    leaves: Vec<[u8; 32]>,
    /// The tree over all lines but the checkpoint.
    tree: Tree,
    checkpoint: Option<NewCheckpoint>,
}

struct NewCheckpoint {
    note: String,
    leaf: [u8; 32],
    line_bytes: u64,
}

impl Growth {
    /// Adds the lines to a tree, and appends the checkpoint over them if one is due.
    pub(super) fn of(tree: &Tree, lines: &mut Vec<u8>, checkpointer: Option<&Checkpointer>) -> Self {
        let each_line = lines.split_inclusive(|byte| *byte == b'\n');
        let leaves: Vec<[u8; 32]> = each_line.map(|line| leaf_of(line.trim_ascii_end())).collect();
        let mut tree = tree.clone();
        leaves.iter().for_each(|leaf| tree.append_leaf(*leaf));
        let signed = checkpointer.and_then(|sign| sign(tree.size(), tree.root()));
        let checkpoint = signed.map(|CheckpointRecord { note, record }| {
            let start = lines.len();
            lines.extend_from_slice(format!("{{\"number\":{},", tree.size()).as_bytes());
            lines.extend_from_slice(record.fields());
            let leaf = leaf_of(lines.get(start..).unwrap_or_default());
            lines.push(b'\n');
            NewCheckpoint { note, leaf, line_bytes: (lines.len() - start) as u64 }
        });
        Self { leaves, tree, checkpoint }
    }

    /// Takes the lines into the tree, now that they are durable up to `length_bytes` of the log, and proves to those who
    /// want it that theirs are there.
    pub(super) fn keep(self, grown: &mut Grown, length_bytes: u64, receipts: Vec<ReceiptWanted>) {
        grown.append(self.leaves);
        grown.tree = self.tree;
        let Some(NewCheckpoint { note, leaf, line_bytes }) = self.checkpoint else { return };
        grown.checkpoint(&note, length_bytes.saturating_sub(line_bytes));
        if let (false, Some(folder), Ok(checkpoint)) =
            (receipts.is_empty(), grown.folder(), Checkpoint::danger_unverified(&note))
        {
            let signed = SignedCheckpoint { checkpoint, note };
            for ReceiptWanted { number, answer } in receipts {
                match Receipt::prove(number, &signed, folder) {
                    // A caller that has gone away no longer wants to know.
                    Ok(receipt) => drop(answer.send(receipt)),
                    Err(error) => tracing::warn!("record {number} has no receipt: {error}"),
                }
            }
        }
        grown.append([leaf]);
        grown.tree.append_leaf(leaf);
    }
}
