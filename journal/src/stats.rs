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
    /// Of messages, those of dead letters included, and outcomes on disk.
    pub disk_bytes: u64,
    /// Of messages in memory.
    pub memory_bytes: u64,
    /// Messages that memory mode dropped though some consumer had not passed them, or had failed at them.
    pub dropped_oldest: u64,
    /// Messages that memory mode never took in.
    pub dropped_newest: u64,
    /// How many dead letters there are.
    pub dead_letters: usize,
    /// Every consumer.
    pub consumers: Vec<ConsumerCursor>,
    /// Why the last group commit could not have everything confirmed; it is tried again.
    pub trouble: Option<String>,
}

impl Journal {
    /// Numbers about it.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &self.shared;
        let next = self.next();
        let committer = shared.committer();
        let messages =
            shared.durable.as_ref().map_or(0, |durable| durable.messages.bytes() + durable.kept.bytes());
        Stats {
            earliest: self.earliest(),
            next,
            durable: Offset(committer.map_or(0, Committer::durable)),
            disk_bytes: messages + shared.outcomes.disk_bytes(),
            memory_bytes: shared.ring.bytes(),
            dropped_oldest: shared.dropped_oldest.load(Relaxed),
            dropped_newest: shared.dropped_newest.load(Relaxed),
            dead_letters: shared.dead_letters.count(),
            consumers: self.consumers(),
            trouble: committer.and_then(Committer::trouble),
        }
    }
}
