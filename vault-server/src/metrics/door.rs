//! Requests that the door turns away before the vault sees them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use vault_core::refusal::Class;

/// Why a request is turned away.
pub(super) const REASONS: [(Class, &str); 5] = [
    (Class::Invalid, "malformed"),
    (Class::Missing, "no_such_place"),
    (Class::Unsupported, "method"),
    (Class::TooLarge, "too_large"),
    (Class::Denied, "token_malformed"),
];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// What is counted at the door.
pub(crate) struct DoorMetrics {
    refused: [Counter; REASONS.len()],
}

impl DoorMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let refused = Family::<ReasonLabel, Counter>::default();
        let made = Self { refused: REASONS.map(|(_, reason)| refused.get_or_create_owned(&ReasonLabel { reason })) };
        registry.register("http_requests_refused", "Requests turned away before the vault saw them", refused);
        made
    }

    /// Counts a request that is turned away.
    pub(crate) fn turned_away(&self, class: Class) {
        let position = REASONS.iter().position(|(own, _)| *own == class);
        if let Some(counter) = self.refused.get(position.unwrap_or_default()) {
            counter.inc();
        }
    }
}
