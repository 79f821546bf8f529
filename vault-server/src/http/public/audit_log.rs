//! `sys/audit-log/checkpoint` and `sys/audit-log/receipt`: what shows that the log only grows, and that a record is in it. It is
//! for everybody, also while the vault is sealed: hashes tell nothing of what is in the log, and whoever could be kept from asking
//! could be shown another log.

use http::StatusCode;
use vault_api::audit_log::{CheckpointGrowth, ReceiptText};
use vault_core::refusal::{Class, Refusal};
use vault_log::folder::TreeFolder;
use vault_log::proof::{Growth, ProofError, Receipt, SignedCheckpoint};

use super::{Answer, Call};
use crate::http::envelope;

pub(super) fn checkpoint(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let from = number(&call, "from")?.unwrap_or_default();
        let grown = on_disk(&call, move |tree, signed| {
            let size = signed.checkpoint.size;
            // A log that is shorter than the caller knows has no proof; its checkpoint says so itself.
            let growth = if from > size { Growth::default() } else { Growth::prove(from, size, tree)? };
            Ok(CheckpointGrowth { checkpoint: signed.note.clone(), growth: growth.to_texts() })
        });
        Ok(envelope::json(StatusCode::OK, &grown.await?))
    })
}

pub(super) fn receipt(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let record = number(&call, "record")?.ok_or_else(|| Refusal::invalid("'record' must be a record's number"))?;
        let receipt = on_disk(&call, move |tree, signed| Receipt::prove(record, signed, tree));
        Ok(envelope::json(StatusCode::OK, &ReceiptText { receipt: receipt.await?.to_string() }))
    })
}

fn number(call: &Call<'_>, name: &str) -> Result<Option<u64>, Refusal> {
    if !call.is_read() {
        return Err(Refusal::unsupported());
    }
    let number = |text: &str| text.parse().map_err(|_| Refusal::invalid(format!("{name:?} is not a number")));
    call.parameter(name).map(number).transpose()
}

/// Reads the tree beside the log, away from the threads that serve.
async fn on_disk<T: Send + 'static>(
    call: &Call<'_>,
    prove: impl FnOnce(&TreeFolder, &SignedCheckpoint) -> Result<T, ProofError> + Send + 'static,
) -> Result<T, Refusal> {
    let tree = call.edge.vault.log_tree().cloned();
    let proven = tokio::task::spawn_blocking(move || {
        let none = || Refusal::new(Class::Missing, "nothing of this log is signed yet");
        let tree = tree.ok_or_else(none)?;
        let unreadable = |error: std::io::Error| Refusal::internal(format!("the tree of the log: {error}"));
        let signed = tree.last_checkpoint().map_err(unreadable)?.ok_or_else(none)?;
        prove(&tree, &signed).map_err(|error| {
            Refusal::new(Class::Missing, "there is no proof of it, or not yet").with_private(error.to_string())
        })
    });
    proven.await.map_err(|error| Refusal::internal(format!("a proof: {error}")))?
}
