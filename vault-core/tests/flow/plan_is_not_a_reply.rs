//! A plan with changes gives no reply before its batch is committed.
use vault_core::flow::{Completed, Pending};

fn skip(pending: Pending) -> Completed {
    pending.committed()
}

fn peek(pending: Pending) -> Completed {
    pending.completed
}

fn main() {}
