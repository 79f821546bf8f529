//! Stewards are made by the identification of an act that enough people have signed, and by nothing else.
use vault_core::auth::stewards::Stewards;

fn make(names: Vec<String>) -> Stewards {
    Stewards { names }
}

fn main() {}
