//! Messages on their way to a consumer's instances, and what happens when all of them are dealt with.

use std::sync::Arc;

use journal::{Batch, Cursor, Entry, Offset};

use super::replay::Listener;

/// Some messages of a batch.
#[derive(Debug)]
pub(super) struct Share {
    /// What they are in.
    pub(super) batch: Batch,
    /// Which of them.
    pub(super) picks: Vec<usize>,
    /// They were asked for again.
    pub(super) replayed: bool,
}

impl Share {
    /// The messages.
    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        let mut all = self.batch.iter();
        let mut passed = 0;
        let each = self.picks.iter().filter_map(|pick| {
            let entry = all.nth(pick - passed);
            passed = pick + 1;
            entry
        });
        each.collect()
    }
}

/// What happens when messages are dealt with.
#[derive(Debug, Clone)]
pub(super) enum Then {
    /// The cursor moves.
    Commit(Cursor, Offset),
    /// The operator is told.
    Tell(Arc<Listener>, Offset),
}

impl Then {
    /// The same for what ends earlier.
    pub(super) fn at(&self, end: Offset) -> Self {
        match self {
            Self::Commit(cursor, _) => Self::Commit(cursor.clone(), end),
            Self::Tell(listener, _) => Self::Tell(Arc::clone(listener), end),
        }
    }

    /// All are dealt with.
    pub(super) fn all(&self) {
        match self {
            Self::Commit(cursor, end) => cursor.commit(*end),
            Self::Tell(listener, end) => listener.tell(*end),
        }
    }

    /// All before `offset` are dealt with.
    pub(super) fn some(&self, offset: Offset) {
        match self {
            Self::Commit(cursor, _) => cursor.commit(offset),
            Self::Tell(..) => {}
        }
    }
}
