//! `sys/rekey-recovery-key` and `sys/rekey/recovery-key-backup`: recovery keys belong to seals that open by themselves,
//! and this vault has none.

use vault_core::refusal::Refusal;

use super::{Answer, Call};

pub(super) fn answer(_: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        Err(Refusal::invalid("there are no recovery keys: the shares of this vault open it, and sys/rekey renews them"))
    })
}
