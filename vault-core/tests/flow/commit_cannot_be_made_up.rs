//! A commit is vouched for by the store, never assembled.
use vault_core::flow::Committed;
use vault_core::id::Revision;

fn make() -> Committed {
    Committed { revision: Revision(1) }
}

fn main() {}
