//! Messages that a consumer is to have again while others go on: those in retry with `on_retry = "continue"`, those that
//! the plugin wants later, and dead letters that the operator has requeued.
//!
//! Each is a dead letter with its mark `requeued`, so that the cursor may pass it: after a crash it is there again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant, SystemTime};

use journal::{DeadLetter, Offset};

/// As many messages are set aside at once at most; then the next one holds those behind it. A service that is down
/// fails every message, and they are better off in the journal.
const MOST: usize = 1000;

/// The messages set aside, by when they are due.
#[derive(Debug, Default)]
pub(super) struct Aside(BinaryHeap<Reverse<(Instant, Failing)>>);

/// A message that has failed, or that a dead letter is there of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Failing {
    /// Which.
    pub(super) offset: Offset,
    /// At how many attempts.
    pub(super) attempts: u32,
    /// When the first of them was.
    pub(super) first: SystemTime,
    /// It is a dead letter in the journal.
    pub(super) buried: bool,
    /// It lets others pass.
    pub(super) aside: bool,
    /// The hub ended at the last of the attempts.
    pub(super) in_hand: bool,
    /// It failed when it was replayed.
    pub(super) replayed: bool,
}

impl From<&DeadLetter> for Failing {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            offset: letter.offset,
            attempts: letter.attempts,
            first: letter.first,
            buried: true,
            aside: true,
            in_hand: letter.in_hand,
            replayed: false,
        }
    }
}

impl Aside {
    /// Whether there is room for one more in retry.
    pub(super) fn has_room(&self) -> bool {
        self.0.len() < MOST
    }

    /// Sets one aside for so long.
    pub(super) fn put(&mut self, failing: Failing, wait: Duration) {
        self.0.push(Reverse((Instant::now() + wait, failing)));
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((due, _))| *due)
    }

    /// One that was due then.
    pub(super) fn take_due(&mut self, then: Instant) -> Option<Failing> {
        self.next_due().filter(|due| *due <= then)?;
        self.0.pop().map(|Reverse((_, failing))| failing)
    }
}
