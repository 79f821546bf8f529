//! A request that is held back cannot go on as an approved one.
use vault_core::approval::Passage;
use vault_core::flow::{Approved, Held};

fn skip(held: Held) -> Passage {
    Passage::Approved(held)
}

fn unwrap(held: Held) -> Approved {
    Approved::new(held.permitted, None)
}

fn main() {}
