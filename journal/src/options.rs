//! How a journal is to be kept.

use std::time::{Duration, SystemTime};

use crate::Offset;

/// How a journal is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// On disk or in memory.
    pub mode: Mode,
    /// Durable only: how many bytes of the newest messages stay in memory, so that readers who keep up need no disk.
    pub ring_bytes: u64,
    /// A segment that has reached this size is sealed, and a new one begun. Retention removes whole segments.
    pub segment_bytes: u64,
    /// The most that is kept of outcomes; the oldest go first.
    pub outcomes_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Durable { sync_interval: Duration::from_millis(20) },
            ring_bytes: 16 << 20,
            segment_bytes: 64 << 20,
            outcomes_bytes: 256 << 20,
        }
    }
}

/// Where messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On disk. What was appended survives the end of the process, however it ends.
    Durable {
        /// As much, at most, goes when power is lost, as long as the disk confirms within half of it.
        sync_interval: Duration,
    },
    /// In memory, and gone with the process: messages, cursors, outcomes and dead letters.
    Memory {
        /// For the messages.
        max_bytes: u64,
        /// What to do when a slow consumer holds more than that.
        when_full: WhenFull,
    },
}

/// What to do when memory is full of messages that some consumer has not passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// [`append`](crate::Appender::append) waits for the consumer.
    Block,
    /// The oldest are dropped; whom they were for learns it by [`Next::Gap`](crate::Next::Gap).
    DropOldest,
    /// What is being appended is dropped, as a whole batch.
    DropNewest,
}

/// Where a consumer begins that has no cursor yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    New,
    /// With the oldest that is kept.
    Earliest,
    /// With the first that was received at or after this time.
    At(SystemTime),
    /// With this one.
    Offset(Offset),
}

/// What to keep, in whole segments: the newest one always stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Older ones may go once every consumer has passed them.
    pub max_age: Option<Duration>,
    /// Beyond this the oldest may go, on the same terms.
    pub max_bytes: Option<u64>,
    /// Beyond this the oldest go, whoever still needs them. The messages of dead letters count, and stay.
    pub hard_max_bytes: Option<u64>,
}
