//! The wire types of the Vault HTTP API. What can hold a secret has no `Debug`; unknown fields are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::secret::{SecretText, all_exposed, exposed};

/// `GET sys/seal-status`, and the answer to each share given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealStatus {
    /// How the vault is sealed: `shamir`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Whether shares were ever made.
    pub initialized: bool,
    /// Whether nothing can be read.
    pub sealed: bool,
    /// How many shares are needed.
    #[serde(rename = "t", default)]
    pub threshold: u64,
    /// How many shares there are.
    #[serde(rename = "n", default)]
    pub shares: u64,
    /// How many shares were given in this attempt.
    #[serde(default)]
    pub progress: u64,
    /// Names the attempt.
    #[serde(default)]
    pub nonce: String,
    /// The server's version.
    #[serde(default)]
    pub version: String,
    /// The day the server was built.
    #[serde(default)]
    pub build_date: String,
    /// Name of the vault, once unsealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Id of the vault, once unsealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// Where the data lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_type: Option<String>,
    /// What else the vault has to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
}

impl SealStatus {
    /// Counts the shares that are still to be given.
    pub const fn missing(&self) -> u64 {
        self.threshold.saturating_sub(self.progress)
    }
}

/// `GET sys/health`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Health {
    /// Whether shares were ever made.
    pub initialized: bool,
    /// Whether nothing can be read.
    pub sealed: bool,
    /// Whether another server serves.
    #[serde(default)]
    pub standby: bool,
    /// The server's clock, seconds since 1970.
    #[serde(default)]
    pub server_time_utc: i64,
    /// The server's version.
    #[serde(default)]
    pub version: String,
    /// Name of the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Id of the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
}

/// `POST sys/init`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InitRequest {
    /// How many shares are made.
    pub secret_shares: u64,
    /// How many of them are needed.
    pub secret_threshold: u64,
}

/// Answers `POST sys/init`: the only time that the shares are seen.
#[derive(Serialize, Deserialize)]
pub struct InitResponse {
    /// The shares in hexadecimal.
    #[serde(serialize_with = "all_exposed")]
    pub keys: Vec<SecretText>,
    /// The same shares in base64.
    #[serde(serialize_with = "all_exposed")]
    pub keys_base64: Vec<SecretText>,
    /// The first token, which may do everything.
    #[serde(serialize_with = "exposed")]
    pub root_token: SecretText,
}

/// `POST sys/unseal`.
#[derive(Default, Serialize, Deserialize)]
pub struct UnsealRequest {
    /// A share in any form that the server knows.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "option_exposed")]
    pub key: Option<SecretText>,
    /// Whether the shares given so far are forgotten instead.
    #[serde(default)]
    pub reset: bool,
}

/// The envelope around the data of most answers.
#[derive(Deserialize)]
pub struct Envelope {
    /// Names the request in the server's log.
    #[serde(default)]
    pub request_id: String,
    /// Names the lease, if there is one.
    #[serde(default)]
    pub lease_id: String,
    /// Whether the lease can be renewed.
    #[serde(default)]
    pub renewable: bool,
    /// For how many seconds the data may be kept.
    #[serde(default)]
    pub lease_duration: u64,
    /// The data, not parsed yet.
    #[serde(default)]
    pub data: Option<Data>,
    /// What the data were wrapped in.
    #[serde(default)]
    pub wrap_info: Option<WrapInfo>,
    /// Texts for the person who called.
    #[serde(default)]
    pub warnings: Option<Vec<String>>,
    /// A token that was made or renewed.
    #[serde(default)]
    pub auth: Option<Auth>,
}

/// Data as JSON that is parsed only by the one who needs it; wiped when dropped.
pub struct Data(SecretText);

impl Data {
    /// Shows the JSON.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(SecretText::new(Box::<str>::from(raw).into_string())))
    }
}

/// A token that was made or renewed.
#[derive(Deserialize)]
pub struct Auth {
    /// The token.
    pub client_token: SecretText,
    /// Names the token without being able to use it.
    #[serde(default)]
    pub accessor: String,
    /// Policies in force.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Policies of the token itself.
    #[serde(default)]
    pub token_policies: Vec<String>,
    /// Facts attached at creation.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
    /// For how many seconds it is good.
    #[serde(default)]
    pub lease_duration: u64,
    /// Whether it can be renewed.
    #[serde(default)]
    pub renewable: bool,
    /// Whether it outlives the token that made it.
    #[serde(default)]
    pub orphan: bool,
    /// How often it may be used; zero for as often as needed.
    #[serde(default)]
    pub num_uses: u64,
}

/// Where wrapped data wait.
#[derive(Deserialize)]
pub struct WrapInfo {
    /// The token that unwraps, once.
    pub token: SecretText,
    /// Names the wrapping token.
    #[serde(default)]
    pub accessor: String,
    /// For how many seconds it is good.
    pub ttl: u64,
    /// The path that was asked for.
    #[serde(default)]
    pub creation_path: String,
    /// Whether the request waits for others to agree; the accessor names it.
    #[serde(default)]
    pub held: bool,
}

/// The body of a refusal.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What the server says.
    #[serde(default)]
    pub errors: Vec<String>,
}

/// The names that a list answers; a name with a slash at its end is a folder.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Keys {
    /// The names.
    pub keys: Vec<String>,
}

/// One mount, as `sys/mounts` lists it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MountOutput {
    /// The engine.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Names the mount without its path.
    #[serde(default)]
    pub accessor: String,
    /// The engine's own settings, such as the `version` of `kv`.
    #[serde(default)]
    pub options: Option<BTreeMap<String, String>>,
    /// Where it is mounted; only some answers hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl MountOutput {
    /// Gives the version of a `kv` mount; without one it is the first.
    pub fn kv_version(&self) -> u64 {
        let version = self.options.as_ref().and_then(|options| options.get("version"));
        version.and_then(|version| version.parse().ok()).unwrap_or(1)
    }
}

/// What a token is, as `auth/token/lookup-self` answers it; the token itself is left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenLookup {
    /// Names the token without being able to use it.
    pub accessor: String,
    /// What it was named at creation.
    #[serde(default)]
    pub display_name: String,
    /// Policies in force.
    #[serde(default)]
    pub policies: Vec<String>,
    /// For how many seconds it is still good; zero for no end.
    #[serde(default)]
    pub ttl: u64,
    /// When it ends.
    #[serde(default)]
    pub expire_time: Option<String>,
    /// Whether it can be renewed.
    #[serde(default)]
    pub renewable: bool,
    /// Whether it outlives the token that made it.
    #[serde(default)]
    pub orphan: bool,
    /// How often it may still be used; zero for as often as needed.
    #[serde(default)]
    pub num_uses: u64,
    /// The entity that it acts for; empty for none.
    #[serde(default)]
    pub entity_id: String,
}

fn option_exposed<S: serde::Serializer>(secret: &Option<SecretText>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => exposed(secret, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_with_nulls_reads() {
        let envelope: Envelope = serde_json::from_str(
            r#"{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":null,
            "warnings":null,"auth":{"client_token":"t","accessor":"a","policies":["p"],"token_policies":["p"],
            "metadata":null,"lease_duration":60,"renewable":true,"entity_id":"","token_type":"service","orphan":true}}"#,
        )
        .unwrap();
        assert!(envelope.data.is_none());
        assert_eq!(envelope.auth.unwrap().client_token.expose(), "t");
    }

    #[test]
    fn an_unseal_request_sends_the_share_and_a_reset_sends_none() {
        let share = UnsealRequest { key: Some(SecretText::new("s".to_owned())), reset: false };
        assert_eq!(serde_json::to_string(&share).unwrap(), r#"{"key":"s","reset":false}"#);
        let reset = UnsealRequest { key: None, reset: true };
        assert_eq!(serde_json::to_string(&reset).unwrap(), r#"{"reset":true}"#);
    }

    #[test]
    fn a_kv_mount_without_a_version_is_the_first() {
        let mount: MountOutput = serde_json::from_str(r#"{"type":"kv","options":null}"#).unwrap();
        assert_eq!(mount.kv_version(), 1);
        let mount: MountOutput = serde_json::from_str(r#"{"type":"kv","options":{"version":"2"}}"#).unwrap();
        assert_eq!(mount.kv_version(), 2);
    }
}
