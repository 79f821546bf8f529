//! Has witnesses sign for the log: now and then, and before each release where the settings ask for that.

use std::sync::Arc;
use std::time::Duration;

use vault_core::refusal::{Class, Refusal};
use vault_log::proof::Receipt;

use crate::config::WitnessOutage;
use crate::driver::Vault;
use crate::witness::Witnesses;

/// How often witnesses are shown what is new.
const PAUSE: Duration = Duration::from_secs(10);

impl Vault {
    /// Shows witnesses the newest checkpoint, for as long as it is polled.
    pub async fn keep_witnesses(self: Arc<Self>) {
        let (witnesses, Some(tree)) = (&self.settings.witnesses, self.log_tree()) else { return };
        if witnesses.is_empty() {
            return;
        }
        let mut told = String::new();
        loop {
            tokio::time::sleep(PAUSE).await;
            let folder = tree.clone();
            let newest = tokio::task::spawn_blocking(move || folder.last_checkpoint()).await;
            let Ok(Ok(Some(newest))) = newest else { continue };
            let asked = witnesses.cover(newest.checkpoint.size, tree).await;
            self.metrics.witnesses.answered(asked.count, asked.failures.len());
            let failures = asked.failures.join("; ");
            if failures.is_empty() {
                self.metrics.witnesses.last_time.set(self.environment.now().unix_seconds());
            } else if failures != told {
                tracing::error!("a witness has not signed for the log: {failures}");
            }
            told = failures;
        }
    }

    /// Lets a release go on once enough witnesses have signed for its record, and gives the receipt with what they signed.
    ///
    /// # Errors
    /// Refuses while they have not, where the settings hold releases back then.
    pub(super) async fn witness(&self, record: u64, receipt: Option<Receipt>) -> Result<Option<Receipt>, Refusal> {
        let witnesses: &Witnesses = &self.settings.witnesses;
        if witnesses.required() == 0 {
            return Ok(receipt);
        }
        let held = |reason: String| {
            let text = "witnesses must sign for the log before this goes on, and too few have: what people agreed to stands, try again";
            Refusal::new(Class::Unavailable, text).with_private(reason)
        };
        let tree = self.log_tree().ok_or_else(|| held("the log is no file".to_owned()))?;
        let asked = witnesses.cover(record + 1, tree).await;
        self.metrics.witnesses.answered(asked.count, asked.failures.len());
        if asked.count >= witnesses.required() {
            let Some(signed) = asked.signed else { return Ok(receipt) };
            let folder = tree.clone();
            let proven = tokio::task::spawn_blocking(move || Receipt::prove(record, &signed, &folder)).await;
            return Ok(proven.ok().and_then(Result::ok).or(receipt));
        }
        let reason = asked.failures.join("; ");
        match witnesses.outage() {
            WitnessOutage::Hold => Err(held(reason)),
            WitnessOutage::GoOn => {
                tracing::error!("record {record} is released without witnesses: {reason}");
                self.metrics.witnesses.unwitnessed.inc();
                Ok(receipt)
            }
        }
    }
}
