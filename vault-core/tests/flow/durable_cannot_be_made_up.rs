//! Durability is vouched for by name, never assembled.
use vault_core::flow::Durable;

fn make() -> Durable {
    Durable { record_number: 0 }
}

fn main() {}
