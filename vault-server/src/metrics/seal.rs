//! Whether the vault is open, and how far an attempt to open it is.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::driver::Status;

/// What is told of the seal.
pub(crate) struct SealMetrics {
    unsealed: Gauge,
    received: Gauge,
    needed: Gauge,
    /// Shares that were refused since the start.
    pub(crate) refused: Counter,
}

impl SealMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let made = Self {
            unsealed: Gauge::default(),
            received: Gauge::default(),
            needed: Gauge::default(),
            refused: Counter::default(),
        };
        registry.register("unsealed", "Whether the vault is open: 1, or 0", made.unsealed.clone());
        let help = "Shares received in the running attempt to unseal";
        registry.register("unseal_shares_received", help, made.received.clone());
        let help = "Shares that unsealing takes at least; 0 before initialisation";
        registry.register("unseal_shares_needed", help, made.needed.clone());
        registry.register("unseal_shares_refused", "Shares that were refused", made.refused.clone());
        made
    }

    /// Shows that the vault was sealed.
    pub(crate) fn closed(&self) {
        self.unsealed.set(0);
        self.received.set(0);
    }

    /// Shows how it stands with the seal.
    pub(crate) fn is(&self, status: &Status) {
        self.unsealed.set(i64::from(!status.sealed));
        let received = status.attempt.as_ref().map_or(0, |attempt| attempt.given.len());
        self.received.set(i64::try_from(received).unwrap_or(i64::MAX));
        self.needed.set(status.config.as_ref().map_or(0, |config| i64::from(config.threshold().needed())));
    }
}
