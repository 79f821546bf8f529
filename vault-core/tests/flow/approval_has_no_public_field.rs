//! `Approved` cannot be put together from its parts.
use vault_core::flow::{Approved, Permitted};

fn make(permitted: Permitted) -> Approved {
    Approved { permitted }
}

fn main() {}
