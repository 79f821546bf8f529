//! What is stored of a secret and of the mount's settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::SecretBytes;
use crate::time::{Span, Timestamp};

/// Versions kept where nothing else is set.
pub(super) const VERSIONS_DEFAULT: u64 = 10;

/// Most versions that can be kept: each one is named in the metadata, which every read opens.
pub(super) const VERSIONS_MAX: u64 = 1_000;

const METADATA_VERSION: u8 = 1;
const CONFIG_VERSION: u8 = 1;
/// The version byte of a version's value.
pub(super) const VALUE_VERSION: u8 = 1;

/// What is known of the secret at one path.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Metadata {
    pub(super) created_at: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
    /// The newest version; 0 before the first one.
    pub(super) current: u64,
    pub(super) versions: BTreeMap<u64, Version>,
    /// Versions to keep; 0 for the mount's setting.
    pub(super) max_versions: u64,
    pub(super) cas_required: bool,
    /// Life of a new version; zero for the mount's setting.
    pub(super) delete_version_after: Span,
    pub(super) custom: Option<BTreeMap<String, String>>,
}

/// What is known of one version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) created_at: Timestamp,
    /// When it is or was deleted; it is there until then.
    pub(super) deleted_at: Option<Timestamp>,
    pub(super) destroyed: bool,
}

/// The settings of a mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) max_versions: u64,
    pub(super) cas_required: bool,
    pub(super) delete_version_after: Span,
}

impl Version {
    /// Tells whether the version can be read.
    pub(super) fn is_readable(&self, now: Timestamp) -> bool {
        !self.destroyed && !self.is_deleted(now)
    }

    /// Tells whether the version is deleted, be it by somebody or because its life is over.
    pub(super) fn is_deleted(&self, now: Timestamp) -> bool {
        self.deleted_at.is_some_and(|at| at <= now)
    }
}

impl Metadata {
    pub(super) fn encode(&self) -> Result<SecretBytes, Refusal> {
        record_format::encode(METADATA_VERSION, self)
    }

    pub(super) fn decode(bytes: &SecretBytes) -> Result<Self, Refusal> {
        record_format::decode(METADATA_VERSION, bytes)
    }

    /// Tells how many versions are kept.
    pub(super) fn kept(&self, config: &Config) -> u64 {
        match (self.max_versions, config.max_versions) {
            (0, 0) => VERSIONS_DEFAULT,
            (0, mount) => mount,
            (own, _) => own,
        }
    }

    /// Takes the oldest versions out until no more than `kept` are left, and names them.
    pub(super) fn prune(&mut self, kept: u64) -> Vec<u64> {
        let mut pruned = Vec::new();
        while self.versions.len() as u64 > kept {
            pruned.extend(self.versions.pop_first().map(|(number, _)| number));
        }
        pruned
    }

    /// Gives the oldest version that is kept; 0 while none has been given up, as stock clients expect.
    pub(super) fn oldest(&self) -> u64 {
        self.versions.first_key_value().map_or(0, |(number, _)| if *number == 1 { 0 } else { *number })
    }
}

impl Config {
    pub(super) fn encode(&self) -> Result<SecretBytes, Refusal> {
        record_format::encode(CONFIG_VERSION, self)
    }

    pub(super) fn decode(bytes: &SecretBytes) -> Result<Self, Refusal> {
        record_format::decode(CONFIG_VERSION, bytes)
    }
}
