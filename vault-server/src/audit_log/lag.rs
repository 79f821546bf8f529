//! How far the log is behind what was asked of it.

use std::sync::{Arc, Weak};

use super::{AuditLog, Shared};
use crate::metrics::AuditLag;

impl AuditLog {
    /// Gives what tells how far the log is behind, for as long as the log lives.
    pub(crate) fn lag(&self) -> impl Fn() -> AuditLag + Send + Sync + 'static {
        let shared: Weak<Shared> = Arc::downgrade(&self.shared);
        move || shared.upgrade().map(|shared| shared.lag()).unwrap_or_default()
    }
}

impl Shared {
    fn lag(&self) -> AuditLag {
        let state = self.lock();
        AuditLag {
            waiting: state.next.saturating_sub(state.durable),
            unsigned: state.next.saturating_sub(state.checkpointed.0),
        }
    }
}
