//! An identified request cannot pass the gate without being permitted first.
use vault_core::approval::{Gate, Passage, Stopped};
use vault_core::engines::Surroundings;
use vault_core::flow::Identified;
use vault_core::view::View;

fn skip(gate: &Gate, identified: Identified, around: &Surroundings<'_>, view: &mut View) -> Result<Passage, Stopped> {
    gate.pass(identified, around, view)
}

fn main() {}
