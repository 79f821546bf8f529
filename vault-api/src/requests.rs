//! The wire types of requests that wait for others to agree.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `GET sys/requests`: what concerns the caller.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HeldRequests {
    /// What others ask for and the caller may agree to.
    #[serde(default)]
    pub waiting: Vec<HeldSummary>,
    /// What the caller has asked for.
    #[serde(default)]
    pub asked: Vec<HeldSummary>,
    /// What has ended.
    #[serde(default)]
    pub history: Vec<HeldSummary>,
}

/// One line of the list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldSummary {
    /// Names it.
    pub id: String,
    /// `open`, `expired`, `denied`, `cancelled`, `released` or `stale`.
    pub state: String,
    /// `read`, `list`, `write`, `patch` or `delete`.
    pub operation: String,
    /// The path.
    pub path: String,
    /// Who asks.
    pub requester: HeldRequester,
    /// Why, in their words.
    #[serde(default)]
    pub reason: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it ends, RFC 3339.
    pub expires_at: String,
    /// Who has voted.
    #[serde(default)]
    pub voted: Vec<String>,
}

/// Who asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldRequester {
    /// The entity's id.
    pub entity: String,
    /// The entity's name.
    pub name: String,
    /// The person of the charter, if there is one.
    #[serde(default)]
    pub person: Option<String>,
}

/// `GET sys/requests/<id>`: everything that is needed to decide.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldRequest {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: HeldSummary,
    /// What is decided about, word for word.
    pub statement: String,
    /// Its digest, `sha256:…`.
    pub digest: String,
    /// How often it may still be used.
    pub uses_left: u32,
    /// `requester`, `issuer`, `approver`, `delegate` or `trainee`.
    pub your_part: String,
    /// How far it has come.
    pub standing: HeldStanding,
    /// What people have said.
    #[serde(default)]
    pub votes: Vec<HeldVote>,
    /// What people have remarked.
    #[serde(default)]
    pub comments: Vec<HeldComment>,
    /// What would change.
    pub shown: HeldChange,
    /// Whom it concerns besides.
    #[serde(default)]
    pub affects: HeldAffected,
    /// The salt of the digests, in hexadecimal, where all of the body may be shown.
    #[serde(default)]
    pub salt: Option<String>,
    /// How it ended, if it was closed.
    #[serde(default)]
    pub how_it_ended: Option<String>,
    /// Through whose hands the login that asks came, where it was handed out.
    #[serde(default)]
    pub issued_by: Option<Vec<HeldIssuer>>,
}

/// Somebody who handed a login out, as applications have them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldIssuer {
    /// The entity's id.
    pub entity: String,
    /// The entity's name, if it is still there.
    #[serde(default)]
    pub name: Option<String>,
    /// The person of the charter that it was, if it was one.
    #[serde(default)]
    pub person: Option<String>,
}

/// Whom a request concerns.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HeldAffected {
    /// Policies that read the path, or the one that is changed.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Groups that have one of them.
    #[serde(default)]
    pub groups: Vec<String>,
    /// How many policies there are in all.
    #[serde(default)]
    pub policy_count: usize,
    /// How many groups there are in all.
    #[serde(default)]
    pub group_count: usize,
    /// Whether there are more policies than were looked at.
    #[serde(default)]
    pub is_incomplete: bool,
}

/// How far a request has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldStanding {
    /// Whether enough people agree.
    pub is_approved: bool,
    /// Each rule.
    pub rules: Vec<HeldRule>,
}

/// One rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldRule {
    /// Whether it is met.
    pub is_met: bool,
    /// Its factors.
    pub factors: Vec<HeldFactor>,
}

/// One factor of a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldFactor {
    /// What the policy calls it.
    pub name: String,
    /// Who must agree, in words.
    pub needed: String,
    /// Who of them has.
    #[serde(default)]
    pub approved_by: Vec<String>,
}

/// What somebody said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldVote {
    /// The entity's name.
    pub name: String,
    /// The person of the charter, if there is one.
    #[serde(default)]
    pub person: Option<String>,
    /// When, RFC 3339.
    pub at: String,
    /// `full`, `training` or `delegated`.
    pub weight: String,
}

/// What somebody remarked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldComment {
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// What.
    pub text: String,
}

/// What a request would change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HeldChange {
    /// Field by field.
    #[serde(default)]
    pub fields: Vec<HeldField>,
    /// The body, where all of it may be shown.
    #[serde(default)]
    pub body: Option<String>,
    /// That the same was denied before.
    #[serde(default)]
    pub earlier_denial: Option<EarlierDenial>,
}

/// What happens to one field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldField {
    /// Its name, with dots.
    pub name: String,
    /// `new`, `changed`, `same` or `removed`.
    pub change: String,
    /// What it is, if that may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it would be, if that may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// A denial of the same thing before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EarlierDenial {
    /// The request.
    pub request: String,
    /// Who denied it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
}

/// What approving answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Approved {
    /// Whether enough people agree now.
    pub approved: bool,
    /// How far it has come.
    pub standing: HeldStanding,
}

/// What somebody says of a request.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Said {
    /// The digest of the statement that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// A signed approval or denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Value>,
    /// Why it is denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
