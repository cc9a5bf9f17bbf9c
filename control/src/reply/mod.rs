//! What is answered, as it stands on a line and as `--json` shows it.

mod message;
mod outcome;

use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

use jiff::Timestamp;
use journal::{GapCause, Offset};
use serde::{Deserialize, Serialize};

pub use message::Message;
pub use outcome::Outcome;

use crate::{Refusal, Status};

/// One line of an answer. The last one is [`Reply::Done`] or [`Reply::Error`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply<'a> {
    /// Numbers about the journal.
    Stats(Stats),
    /// How the hub is doing.
    Status(Box<Status>),
    /// What is logged.
    LogLevel(LogLevel),
    /// A message.
    #[serde(borrow)]
    Message(Message<'a>),
    /// Messages that are no longer there.
    Gap(Gap),
    /// What became of a message.
    Outcome(Outcome),
    /// A dead letter; of a purge, one that is gone now.
    #[serde(borrow)]
    DeadLetter(DeadLetter<'a>),
    /// A dead letter that is delivered again.
    Requeued(Requeued),
    /// A place in a file that cannot be read.
    Damage(Damage),
    /// All was read.
    Verified(Verified),
    /// How far it is.
    Progress(Progress),
    /// How far a replay is.
    Replay(Replay),
    /// Nothing new; the hub is at it. A hub that has nothing else to say for a while says this.
    Alive {},
    /// What a reload has changed.
    Reloaded(Reloaded),
    /// That was all.
    Done {},
    /// It was not to be.
    Error(Refusal),
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLevel {
    /// As `log.level` of the configuration is written.
    pub level: String,
}

/// Numbers about a journal at one moment, and about its consumers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// A hub runs; what only it knows is absent otherwise.
    pub running: bool,
    /// The journal.
    #[serde(flatten)]
    pub journal: JournalStats,
    /// Every consumer that has a cursor, by name.
    pub consumers: Vec<Consumer>,
}

/// Numbers about a journal at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalStats {
    /// Where messages are kept.
    pub mode: Mode,
    /// The oldest message kept.
    pub earliest: u64,
    /// The offset that the next message gets.
    pub next: u64,
    /// How many messages there are from the one to the other, those included that damage has taken.
    pub messages: u64,
    /// When the oldest one was received.
    pub oldest: Option<Timestamp>,
    /// When the newest one was received.
    pub newest: Option<Timestamp>,
    /// Of messages and outcomes, on disk.
    pub disk_bytes: u64,
    /// What is free on that disk.
    pub disk_free_bytes: Option<u64>,
    /// Of messages in memory.
    pub memory_bytes: Option<u64>,
    /// Messages before this survive a loss of power.
    pub durable: Option<u64>,
    /// Messages that memory mode dropped though a consumer had not passed them.
    pub dropped_oldest: Option<u64>,
    /// Messages that memory mode never took in.
    pub dropped_newest: Option<u64>,
    /// Messages that some consumer failed at for good.
    pub dead_letters: u64,
    /// Messages that are being delivered again: in retry beside others, or requeued.
    pub redelivering: u64,
    /// What keeps the hub from going on, such as a full disk.
    pub trouble: Option<String>,
}

/// Where messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// On disk.
    Durable,
    /// In memory.
    Memory,
}

/// A consumer that has a cursor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// It runs, in a hub that runs.
    pub running: bool,
    /// The first message that it has not dealt with.
    pub next: u64,
    /// How many messages it is behind.
    pub lag: u64,
    /// For how long the oldest of these has been waiting.
    pub lag_seconds: f64,
    /// Messages that it failed at for good.
    pub dead_letters: u64,
    /// Messages that it is to have again.
    pub redelivering: u64,
}

/// Messages that are no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The first of them.
    pub from: u64,
    /// The message behind the last.
    pub to: u64,
    /// Why.
    pub cause: Cause,
}

/// Why messages are no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Their place in the file is damaged.
    Damaged,
    /// Their time was over.
    Retired,
    /// Memory was full.
    Dropped,
}

impl Gap {
    pub(crate) fn new(offsets: Range<u64>, cause: GapCause) -> Self {
        let cause = match cause {
            GapCause::Damaged => Cause::Damaged,
            GapCause::Retired => Cause::Retired,
            GapCause::Dropped => Cause::Dropped,
        };
        Self { from: offsets.start, to: offsets.end, cause }
    }
}

/// A message that a consumer failed at for good.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter<'a> {
    /// The message.
    pub offset: u64,
    /// Who failed.
    pub consumer: String,
    /// At how many attempts.
    pub attempts: u32,
    /// When the first of them was.
    pub first: Timestamp,
    /// When the last of them was.
    pub last: Timestamp,
    /// What the consumer said at the last.
    pub error: String,
    /// It is being delivered again, or will be at the next start.
    pub redelivering: bool,
    /// The message itself, if asked for and still there.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message<'a>>,
}

impl DeadLetter<'_> {
    pub(crate) fn new(letter: &journal::DeadLetter) -> Self {
        Self {
            offset: letter.offset.0,
            consumer: letter.consumer.clone(),
            attempts: letter.attempts,
            first: stamp(letter.first),
            last: stamp(letter.last),
            error: letter.error.clone(),
            redelivering: letter.requeued,
            message: None,
        }
    }
}

/// A dead letter that is delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requeued {
    /// The message.
    pub offset: u64,
    /// To whom.
    pub consumer: String,
    /// Now; else when the consumer next starts.
    pub now: bool,
}

/// A place in a file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damage {
    /// The file, the place in it, and what is lost by it.
    pub what: String,
}

/// Everything was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// How many messages are good.
    pub messages: u64,
    /// How many are not there or cannot be read.
    pub missing: u64,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// As many steps are done.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// It began here.
    pub from: u64,
    /// All before this is dealt with.
    pub position: u64,
    /// It ends here; it was broken off if it ends before.
    pub to: u64,
    /// As many messages the consumer has had.
    pub delivered: u64,
    /// At as many of them it failed for good.
    pub dead_lettered: u64,
    /// As many that were asked for are no longer there.
    pub missing: u64,
}

/// What a reload has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reloaded {
    /// Which configuration since the hub's start is in force; the first is 1.
    pub generation: u64,
    /// What is another than before; nothing if the configuration and the plugins are the same.
    pub changes: Vec<Changed>,
}

/// One thing that a reload has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// How.
    pub change: Change,
    /// What kind of thing it is.
    pub thing: Thing,
    /// Its name; of a key, the dotted path.
    pub name: String,
}

/// How something was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was not there before.
    Added,
    /// It is another.
    Changed,
    /// It is there no more.
    Removed,
}

/// What a reload changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A consumer.
    Consumer,
    /// An endpoint.
    Endpoint,
    /// A key of the hub's own.
    Key,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self.change {
            Change::Added => "added",
            Change::Changed => "changed",
            Change::Removed => "removed",
        };
        let thing = match self.thing {
            Thing::Consumer => "consumer",
            Thing::Endpoint => "endpoint",
            Thing::Key => "key",
        };
        write!(f, "{change} {thing} {}", self.name)
    }
}

/// A time as it is written. What no calendar has is the beginning of time.
pub(crate) fn stamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or_default()
}

/// The time of a stamp.
pub(crate) fn time(stamp: Timestamp) -> SystemTime {
    SystemTime::from(stamp)
}

pub(crate) fn raw(offsets: &Range<Offset>) -> Range<u64> {
    offsets.start.0..offsets.end.0
}
