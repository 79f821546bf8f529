//! A request whose record is written but not durable cannot go on.
use vault_core::flow::{Recorded, Recording};

fn skip(recording: Recording) -> Recorded {
    recording.recorded()
}

fn main() {}
