//! Which consumers run: read by whoever has to do with them, and kept by the daemon.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::{ConsumerName, Handle};

/// The consumers that run, or should, by name, and a way to each. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Roster(Arc<RwLock<BTreeMap<ConsumerName, Handle>>>);

impl Roster {
    /// One has been started.
    pub fn enter(&self, name: ConsumerName, handle: Handle) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name, handle);
    }

    /// One is not to run any more.
    pub fn strike(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Handle> {
        self.read().get(name).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> BTreeMap<ConsumerName, Handle> {
        self.read().clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ConsumerName, Handle>> {
        // Nothing under the lock is left half-done by a panic.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
