//! Numbers about a journal.

use std::sync::atomic::Ordering::Relaxed;

use crate::commit::Committer;
use crate::{ConsumerCursor, Journal, Offset};

/// Numbers about a journal at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The oldest message kept.
    pub earliest: Offset,
    /// The offset that the next message gets.
    pub next: Offset,
    /// Messages before this survive a loss of power.
    pub durable: Offset,
    /// Of messages and outcomes on disk.
    pub disk_bytes: u64,
    /// Of messages in memory.
    pub memory_bytes: u64,
    /// Messages that memory mode dropped though some consumer had not passed them.
    pub dropped_oldest: u64,
    /// Messages that memory mode never took in.
    pub dropped_newest: u64,
    /// How many dead letters there are.
    pub dead_letters: usize,
    /// Every consumer.
    pub consumers: Vec<ConsumerCursor>,
    /// Why the last group commit could not write everything; it is tried again.
    pub trouble: Option<String>,
}

impl Journal {
    /// Numbers about it.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &self.shared;
        let next = self.next();
        Stats {
            earliest: self.earliest(),
            next,
            durable: shared.committer.as_ref().map_or(Offset(0), |committer| Offset(committer.durable())),
            disk_bytes: shared.segments.as_ref().map_or(0, |segments| segments.bytes())
                + shared.outcomes.disk_bytes(),
            memory_bytes: shared.ring.bytes(),
            dropped_oldest: shared.dropped_oldest.load(Relaxed),
            dropped_newest: shared.dropped_newest.load(Relaxed),
            dead_letters: shared.dead_letters.list().len(),
            consumers: self.consumers(),
            trouble: shared.committer.as_ref().and_then(Committer::trouble),
        }
    }
}
