//! Locks that let writers of the same path go one after another, so that a commit conflict is the exception.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Number of locks; two paths that meet only wait for each other.
const STRIPES: usize = 256;

/// A lock for every path, shared by paths that hash alike.
pub(super) struct Stripes {
    locks: Vec<Arc<Mutex<()>>>,
    hasher: RandomState,
}

impl Stripes {
    pub(super) fn new() -> Self {
        Self { locks: (0..STRIPES).map(|_| Arc::default()).collect(), hasher: RandomState::new() }
    }

    /// Waits for the lock of `path`.
    pub(super) async fn lock(&self, path: &str) -> Option<OwnedMutexGuard<()>> {
        let position = usize::try_from(self.hasher.hash_one(path) % STRIPES as u64).ok()?;
        Some(Arc::clone(self.locks.get(position)?).lock_owned().await)
    }
}
