//! A recorded request decides once: deciding consumes it.
use vault_core::flow::Recorded;
use vault_core::refusal::Refusal;

fn twice(recorded: Recorded) {
    let _ = recorded.refuse(Refusal::denied());
    let _ = recorded.refuse(Refusal::denied());
}

fn main() {}
