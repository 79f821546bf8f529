//! The gate: the only place that makes [`Approved`].
//!
//! A rule may hold a request back until enough people have said yes. No rule exists yet, so the gate passes
//! every permitted request; whatever rules come are asked here and nowhere else.

use crate::flow::{Approved, Permitted};

/// Decides whether a permitted request may go on.
#[derive(Default)]
pub struct Gate {}

impl Gate {
    /// Lets a request pass that no rule holds back.
    pub fn pass(&self, permitted: Permitted) -> Approved {
        Approved::new(permitted)
    }
}
