//! Only the gate makes `Approved`.
use vault_core::flow::{Approved, Permitted};

fn make(permitted: Permitted) -> Approved {
    Approved::new(permitted, None)
}

fn main() {}
