//! `[journal]`: how what was received is kept until every consumer has dealt with it.

use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

/// The least that a size may be: smaller ones would make more files or waits than work.
const LEAST: u64 = 64 << 10;

/// `[journal]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JournalSettings {
    /// Where messages are kept.
    pub mode: JournalMode,
    /// Durable only: as much, at most, goes when power is lost.
    #[serde(with = "duration")]
    pub sync_interval: Duration,
    /// The newest messages, in bytes, that stay in memory; with `mode = "memory"`, all there is.
    pub memory_bytes: u64,
    /// What to do when memory is full of messages that a consumer has not dealt with; `mode = "memory"` only.
    pub when_full: WhenFull,
    /// Messages that are older may go, once every consumer has dealt with them.
    #[serde(with = "duration")]
    pub max_age: Duration,
    /// Beyond this, in bytes, the oldest messages may go, once every consumer has dealt with them.
    pub max_bytes: u64,
    /// Beyond this, in bytes, the oldest messages go whoever still needs them; 0 is no such limit.
    pub hard_max_bytes: u64,
    /// Messages are kept, and go, in files of this size, in bytes.
    pub segment_bytes: u64,
    /// The most, in bytes, that is kept of outcomes; the oldest go first.
    pub outcomes_bytes: u64,
    /// A message whose `msg_id` came so shortly before is a duplicate; `0s` delivers each as it comes.
    #[serde(with = "duration")]
    pub dedup_window: Duration,
    /// As many ids are remembered at most, about 100 bytes each.
    pub dedup_ids: usize,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            mode: JournalMode::Durable,
            sync_interval: Duration::from_millis(20),
            memory_bytes: 16 << 20,
            when_full: WhenFull::Block,
            max_age: Duration::from_secs(7 * 24 * 3600),
            max_bytes: 4 << 30,
            hard_max_bytes: 0,
            segment_bytes: 64 << 20,
            outcomes_bytes: 256 << 20,
            dedup_window: Duration::from_secs(600),
            dedup_ids: 65_536,
        }
    }
}

impl JournalSettings {
    /// Keys, inside `[journal]`, with values that cannot be, and why.
    pub(crate) fn out_of_range(&self) -> impl Iterator<Item = (&'static str, String)> {
        let sizes = [
            ("memory_bytes", self.memory_bytes),
            ("max_bytes", self.max_bytes),
            ("segment_bytes", self.segment_bytes),
            ("outcomes_bytes", self.outcomes_bytes),
        ];
        let small = sizes.into_iter().filter(|(_, bytes)| *bytes < LEAST);
        let mut wrong: Vec<_> =
            small.map(|(key, _)| (key, format!("must be at least {LEAST} (bytes)"))).collect();
        if self.sync_interval.is_zero() {
            wrong.push(("sync_interval", "must be more than 0s".to_owned()));
        }
        if self.hard_max_bytes != 0 && self.hard_max_bytes < self.max_bytes {
            let message =
                format!("must be 0 (no such limit) or at least journal.max_bytes, {}", self.max_bytes);
            wrong.push(("hard_max_bytes", message));
        }
        wrong.into_iter()
    }
}

/// Where messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalMode {
    /// On disk: what was received survives the end of the process, however it ends.
    Durable,
    /// In memory: faster, and gone with the process.
    Memory,
}

/// What to do when memory is full of messages that a consumer has not dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Wait for the consumer; meanwhile ZeroMQ's queues fill, then the publishers'.
    Block,
    /// Drop the oldest messages; a consumer that has not got to them loses them.
    DropOldest,
    /// Drop what comes in.
    DropNewest,
}
