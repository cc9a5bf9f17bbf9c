//! How many messages are handed over at once.

use std::time::{Duration, Instant};

use super::options::LARGEST_BATCH;

/// A batch that takes longer is made smaller, so that a slow consumer can be stopped, and its cursor moved, message by
/// message; unless the operator has said how large it is to be.
const LONG: Duration = Duration::from_millis(20);

/// How many messages are handed over at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    size: usize,
    fixed: bool,
}

impl Pace {
    /// As the operator says, or from one message on, by trying.
    pub(super) fn new(batch: Option<usize>) -> Self {
        Self { size: batch.unwrap_or(1), fixed: batch.is_some() }
    }

    /// As many at most.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Learns from a batch that was begun then.
    pub(super) fn done(&mut self, begun: Instant) {
        if !self.fixed {
            let long = begun.elapsed() > LONG;
            self.size = if long { self.size.div_ceil(2) } else { (self.size * 2).min(LARGEST_BATCH) };
        }
    }
}
