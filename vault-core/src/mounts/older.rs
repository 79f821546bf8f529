//! Mounts as earlier versions wrote them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Lockout, Mount, MountSettings};
use crate::auth::token::TokenType;
use crate::id::MountId;
use crate::time::Span;

/// The record before mounts could be auth methods.
#[derive(Deserialize)]
pub(super) struct MountBeforeAuthMethods {
    path: String,
    kind: String,
    id: MountId,
    accessor: String,
    description: String,
    options: BTreeMap<String, String>,
    settings: SettingsBeforeAuthMethods,
}

#[derive(Deserialize)]
struct SettingsBeforeAuthMethods {
    default_lease_ttl: Span,
    max_lease_ttl: Span,
    listing_visibility: String,
    audit_non_hmac_request_keys: Vec<String>,
    audit_non_hmac_response_keys: Vec<String>,
    force_no_cache: bool,
}

impl From<MountBeforeAuthMethods> for Mount {
    fn from(old: MountBeforeAuthMethods) -> Self {
        let MountBeforeAuthMethods { path, kind, id, accessor, description, options, settings } = old;
        let settings = MountSettings {
            default_lease_ttl: settings.default_lease_ttl,
            max_lease_ttl: settings.max_lease_ttl,
            listing_visibility: settings.listing_visibility,
            audit_non_hmac_request_keys: settings.audit_non_hmac_request_keys,
            audit_non_hmac_response_keys: settings.audit_non_hmac_response_keys,
            force_no_cache: settings.force_no_cache,
            lockout: Lockout::default(),
            token_type: TokenType::Default,
        };
        Self { path, kind, id, accessor, description, options, settings }
    }
}
