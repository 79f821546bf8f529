//! How many tokens of each kind there are, and how many leases.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use vault_core::auth::token::census::{Class, Counted};

/// The kinds that tokens are counted by.
pub(super) const CLASSES: [(Class, &str); 6] = [
    (Class::Root, "root"),
    (Class::Wrapping, "wrapping"),
    (Class::Periodic, "periodic"),
    (Class::Login, "login"),
    (Class::Orphan, "orphan"),
    (Class::Child, "child"),
];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// What is counted of tokens.
pub(crate) struct TokenMetrics {
    tokens: [Gauge; CLASSES.len()],
    leases: Gauge,
}

/// Tokens that are being counted.
#[derive(Default)]
pub(crate) struct TokenCount {
    tokens: [i64; CLASSES.len()],
    leases: i64,
}

impl TokenCount {
    /// Counts one more.
    pub(crate) fn add(&mut self, counted: Counted) {
        let position = CLASSES.iter().position(|(class, _)| *class == counted.class);
        if let Some(count) = position.and_then(|position| self.tokens.get_mut(position)) {
            *count += 1;
        }
        self.leases += i64::from(counted.is_leased);
    }
}

impl TokenMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let tokens = Family::<KindLabel, Gauge>::default();
        let made = Self {
            tokens: CLASSES.map(|(_, kind)| tokens.get_or_create_owned(&KindLabel { kind })),
            leases: Gauge::default(),
        };
        registry.register("tokens", "Tokens that are alive, batch tokens apart, as last counted", tokens);
        registry.register("leases", "Leases of tokens, as last counted", made.leases.clone());
        made
    }

    /// Shows what was counted.
    pub(crate) fn are(&self, count: &TokenCount) {
        for (gauge, count) in self.tokens.iter().zip(count.tokens) {
            gauge.set(count);
        }
        self.leases.set(count.leases);
    }
}
