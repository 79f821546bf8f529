//! One durable record lets one request go on.
use vault_core::flow::{Durable, Recorded, Recording};

fn twice(first: Recording, second: Recording, durable: Durable) -> (Recorded, Recorded) {
    (first.recorded(durable), second.recorded(durable))
}

fn main() {}
