//! The wire types of custody: who holds the shares, and how they show it.

use serde::{Deserialize, Serialize};

use crate::secret::{SecretText, exposed};

/// `GET sys/custody`: what a custodian looks at before they give a share.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Custody {
    /// The vault's id.
    pub vault: String,
    /// Its short form, which shares carry.
    pub fingerprint: String,
    /// The generation of the shares, from 1.
    pub epoch: u32,
    /// How many batches the store ever committed.
    pub revision: u64,
    /// Whether nothing can be read.
    pub sealed: bool,
    /// How many shares are needed at least.
    pub threshold: u8,
    /// How many shares there are.
    pub shares: u8,
    /// The attempt to unseal that runs, if one does.
    pub attempt: Option<CustodyAttempt>,
    /// Whether the shares were handed out in clear.
    #[serde(default)]
    pub shares_in_clear: bool,
    /// The seal configuration as it is stored, with the commitments to the shares.
    #[serde(default)]
    pub seal_config: String,
    /// The charter in force, if there is one.
    #[serde(default)]
    pub charter: Option<CustodyCharter>,
    /// The public key that verifies the audit log, while the vault is open.
    #[serde(default)]
    pub audit_key: Option<String>,
    /// What the person who is named may know besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// An attempt to unseal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CustodyAttempt {
    /// Names it.
    pub nonce: String,
    /// Numbers of the shares that have come, in their order.
    pub given: Vec<u8>,
    /// When its shares are wiped, RFC 3339.
    pub deadline: String,
}

/// Which charter is meant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CustodyCharter {
    /// Its epoch.
    pub epoch: u32,
    /// Its digest, `sha256:…`.
    pub digest: String,
}

/// What a person of the charter may know.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Known {
    /// Who asks, as the charter calls them.
    pub person: String,
    /// The custodian of each share.
    pub custodians: Vec<Custodian>,
    /// The rule for unsealing.
    pub rule: String,
    /// Who is still needed to unseal, as `1 more of operations`; empty when nobody is.
    pub still_needed: String,
    /// Which limit on check-ups is breached: `kept` (none), `soft` or `hard`.
    #[serde(default)]
    pub checkup_limit: String,
    /// The shares of the person who asks, if they are kept beside the vault.
    pub sealed_shares: Vec<SealedShare>,
    /// The record of the ceremony that made the shares: an envelope as text.
    pub record: String,
    /// New shares that wait for their custodians.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingShares>,
}

/// A custodian.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Custodian {
    /// The number of the share.
    pub number: u8,
    /// Who holds it.
    pub person: String,
    /// Whether it has come in the running attempt.
    pub given: bool,
    /// When they last showed that they hold it, RFC 3339.
    pub checked_at: Option<String>,
    /// Whether that is too long ago.
    #[serde(default)]
    pub overdue: bool,
}

/// A share as it was sealed to its custodian.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealedShare {
    /// The number of the share.
    pub number: u8,
    /// Whose it is.
    pub person: String,
    /// The age file, in base64.
    pub age: String,
}

/// New shares that are not in force yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingShares {
    /// The charter that they come with.
    pub charter: CustodyCharter,
    /// Their generation.
    pub epoch: u32,
    /// Their seal configuration.
    pub seal_config: String,
    /// The record of their ceremony: an envelope as text.
    pub record: String,
    /// Who has yet to acknowledge theirs.
    pub waiting_for: Vec<String>,
    /// The new shares of the person who asks, if they are kept beside the vault.
    pub sealed_shares: Vec<SealedShare>,
}

/// `POST sys/custody/init` and `sys/custody/rekey`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CharterRequest {
    /// The charter in its envelope, as text.
    pub charter: String,
    /// Whether the sealed shares are kept beside the vault.
    #[serde(default = "yes")]
    pub keep: bool,
}

const fn yes() -> bool {
    true
}

/// Answers [`CharterRequest`]: every share, sealed to its custodian.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HandedOut {
    /// The vault's id.
    pub vault: String,
    /// Its short form.
    pub fingerprint: String,
    /// The generation of the shares.
    pub epoch: u32,
    /// The charter that they come with.
    pub charter: CustodyCharter,
    /// The record of the ceremony: an envelope as text.
    pub record: String,
    /// The shares.
    pub sealed_shares: Vec<SealedShare>,
}

/// `sys/custody/bootstrap`: how far the custodians of shares in clear are with a first charter.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Names the attempt; empty if none is running.
    pub nonce: String,
    /// The digest of the charter that it is for.
    pub charter: String,
    /// How many shares have come.
    pub progress: u8,
    /// How many are needed.
    pub required: u8,
    /// What was handed out, once enough have agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_out: Option<HandedOut>,
}

/// `POST sys/custody/bootstrap/update`.
#[derive(Serialize, Deserialize)]
pub struct BootstrapShare {
    /// A share in any form that the server knows.
    #[serde(serialize_with = "exposed")]
    pub key: SecretText,
    /// The attempt.
    pub nonce: String,
}

/// `GET sys/custody/question`: what a proof of possession answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// 32 bytes in hexadecimal.
    pub nonce: String,
}

/// `POST sys/custody/check` and `sys/custody/acknowledge`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PossessionRequest {
    /// The question that it answers.
    pub nonce: String,
    /// The number of the share.
    pub share: u8,
    /// The proof, in hexadecimal.
    pub proof: String,
}

/// Answers `sys/custody/check`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckedUp {
    /// When the custodian was seen: now, RFC 3339.
    pub checked_at: String,
}

/// Answers `sys/custody/acknowledge`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AcknowledgedShare {
    /// Whether the new shares are in force.
    pub complete: bool,
    /// The generation of the new shares.
    pub epoch: u32,
    /// Who has yet to acknowledge theirs.
    pub waiting_for: Vec<String>,
}

/// Answers `GET sys/custody/charter`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CharterText {
    /// The charter in its envelope, as text.
    pub charter: String,
}
