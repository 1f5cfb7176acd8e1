//! Turns on a bed that tests share.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held while a test uses the bed.
#[derive(Debug)]
pub enum Turn {
    /// Beside others.
    Shared {
        /// Keeps those out who want to be alone.
        _guard: RwLockReadGuard<'static, ()>,
    },
    /// With the bed for itself, to make the store or the orchestrator fail.
    Alone {
        /// Keeps all others out.
        _guard: RwLockWriteGuard<'static, ()>,
    },
}

impl Turn {
    /// Waits for those who are alone. A test that failed in its turn leaves the bed to the others.
    pub fn shared(bed: &'static RwLock<()>) -> Self {
        let guard = bed.read().unwrap_or_else(PoisonError::into_inner);
        Self::Shared { _guard: guard }
    }

    /// Waits for all others.
    pub fn alone(bed: &'static RwLock<()>) -> Self {
        let guard = bed.write().unwrap_or_else(PoisonError::into_inner);
        Self::Alone { _guard: guard }
    }
}
