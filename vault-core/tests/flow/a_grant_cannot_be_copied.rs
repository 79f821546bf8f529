//! Stages of the flow cannot be cloned.
use vault_core::flow::{Approved, Permitted, Recorded};

fn copy(permitted: &Permitted, approved: &Approved, recorded: &Recorded) -> (Permitted, Approved, Recorded) {
    (permitted.clone(), approved.clone(), recorded.clone())
}

fn main() {}
