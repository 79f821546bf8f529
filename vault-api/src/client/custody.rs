//! Calls about custody; none needs a token.

use super::{Call, Client, Operation};
use crate::audit_log::{CheckpointGrowth, ReceiptText};
use crate::custody::{
    AcknowledgedShare, Bootstrap, BootstrapShare, CharterRequest, CharterText, CheckedUp, Custody, HandedOut,
    PossessionRequest, Question,
};
use crate::error::ApiError;
use crate::secret::SecretText;

impl Client {
    /// Asks which vault this is, how old, and whose shares have come; a person is named by the fingerprint of their
    /// signing key, and told more if the charter knows it.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn custody(&self, person: Option<&str>) -> Result<Custody, ApiError> {
        let call = Call::new(Operation::Read, "sys/custody");
        let call = match person {
            Some(fingerprint) => call.parameter("person", fingerprint),
            None => call,
        };
        self.call(call).await?.into_result()?.body()
    }

    /// Asks for the newest checkpoint of the audit log, and the proof that the log goes on from its first records.
    ///
    /// # Errors
    /// Answers [`ApiError`]; a refusal where nothing is signed yet.
    pub async fn log_checkpoint(&self, from: u64) -> Result<CheckpointGrowth, ApiError> {
        let call = Call::new(Operation::Read, "sys/audit-log/checkpoint").parameter("from", from);
        self.call(call).await?.into_result()?.body()
    }

    /// Asks for the proof that a record is in the audit log.
    ///
    /// # Errors
    /// Answers [`ApiError`]; a refusal where no checkpoint vouches for it yet.
    pub async fn log_receipt(&self, record: u64) -> Result<ReceiptText, ApiError> {
        let call = Call::new(Operation::Read, "sys/audit-log/receipt").parameter("record", record);
        self.call(call).await?.into_result()?.body()
    }

    /// Makes the vault by a charter; works once in the life of a vault.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn init_by_charter(&self, request: &CharterRequest) -> Result<HandedOut, ApiError> {
        self.write("sys/custody/init", request).await?.body()
    }

    /// Has new shares handed out by the charter that follows the one in force.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn rekey_by_charter(&self, request: &CharterRequest) -> Result<HandedOut, ApiError> {
        self.write("sys/custody/rekey", request).await?.body()
    }

    /// Proposes a first charter to the custodians of shares in clear.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn begin_bootstrap(&self, request: &CharterRequest) -> Result<Bootstrap, ApiError> {
        self.write("sys/custody/bootstrap", request).await?.body()
    }

    /// Asks how far an attempt with a first charter is, the one that is named or the one that is shown.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn bootstrap(&self, nonce: Option<&str>) -> Result<Bootstrap, ApiError> {
        let call = Call::new(Operation::Read, "sys/custody/bootstrap");
        let call = match nonce {
            Some(nonce) => call.parameter("nonce", nonce),
            None => call,
        };
        self.call(call).await?.into_result()?.body()
    }

    /// Gives a share in clear towards a first charter.
    ///
    /// # Errors
    /// Answers [`ApiError`]; the server names what is wrong with the share.
    pub async fn agree_to_bootstrap(&self, key: SecretText, nonce: &str) -> Result<Bootstrap, ApiError> {
        let share = BootstrapShare { key, nonce: nonce.to_owned() };
        self.write("sys/custody/bootstrap/update", &share).await?.body()
    }

    /// Asks for a question that a proof of possession answers.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn possession_question(&self) -> Result<Question, ApiError> {
        self.read("sys/custody/question").await?.body()
    }

    /// Shows that a share in force is at hand.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn check_up(&self, request: &PossessionRequest) -> Result<CheckedUp, ApiError> {
        self.write("sys/custody/check", request).await?.body()
    }

    /// Shows that a new share is at hand.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn acknowledge_share(&self, request: &PossessionRequest) -> Result<AcknowledgedShare, ApiError> {
        self.write("sys/custody/acknowledge", request).await?.body()
    }

    /// Fetches a charter of the chain, the newest unless an epoch is named.
    ///
    /// # Errors
    /// Answers [`ApiError`]; strangers to the charter in force are denied.
    pub async fn charter(&self, person: &str, epoch: Option<u32>) -> Result<CharterText, ApiError> {
        let call = Call::new(Operation::Read, "sys/custody/charter").parameter("person", person);
        let call = match epoch {
            Some(epoch) => call.parameter("epoch", epoch),
            None => call,
        };
        self.call(call).await?.into_result()?.body()
    }
}
