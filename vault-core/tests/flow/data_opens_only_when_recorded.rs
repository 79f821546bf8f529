//! The barrier opens no data row for a request that is only approved.
use vault_core::barrier::Barrier;
use vault_core::flow::Approved;
use vault_core::names::Domain;
use vault_core::store::RowKey;

fn skip(barrier: &Barrier, approved: &Approved, key: &RowKey, sealed: &[u8]) {
    let _ = barrier.open(approved, Domain::Data, key, sealed);
}

fn main() {}
