//! What the socket needs of the hub that runs behind it.

use std::ops::Range;

use crossbeam_channel::Receiver;
use jiff::SignedDuration;
use journal::{Gap, Offset};

use crate::{ControlError, Refusal, Reloaded, Status};

/// The running hub, as far as the journal alone cannot answer for it. Its methods are called from the threads of
/// clients, many at a time.
pub trait Hub: Send + Sync {
    /// Whether this consumer runs, so that it must not be forgotten.
    fn is_running(&self, consumer: &str) -> bool;

    /// Has a running consumer fetch a dead letter that was marked by [`Journal::requeue`](journal::Journal::requeue)
    /// just before. Returns whether it runs; the mark is for its next start otherwise.
    fn redeliver(&self, consumer: &str, offset: Offset) -> bool;

    /// Begins to deliver history to a running consumer again, marked as replay.
    ///
    /// The last [`ReplayProgress`] has the end of `offsets` as its position, even if there is nothing to deliver; where the
    /// channel ends before, the replay was broken off. When the receiver is dropped, the replay ends at once. The hub
    /// never waits for the receiver: the channel is unbounded, or what finds no room in it is left out.
    ///
    /// # Errors
    /// [`Refusal::ConsumerDoesNotRun`], [`Refusal::Stopping`].
    fn replay(&self, consumer: &str, offsets: Range<Offset>) -> Result<Receiver<ReplayProgress>, Refusal>;

    /// Has the configuration and the plugins read anew, and says what becomes of that: what has changed, or
    /// [`Refusal::NotReloaded`]. Where the channel ends before, the hub stops.
    fn reload(&self) -> Receiver<Result<Reloaded, Refusal>>;

    /// How the hub is doing. May read the disk.
    ///
    /// # Errors
    /// [`ControlError::Journal`].
    fn status(&self) -> Result<Status, ControlError>;

    /// Whether messages make their way. Reads a few numbers in memory, and never waits.
    fn is_alive(&self) -> bool;

    /// What is logged, as `log.level` is written.
    fn log_level(&self) -> String;

    /// Logs this from now on.
    ///
    /// # Errors
    /// [`Refusal::LogLevel`].
    fn set_log_level(&self, level: &str) -> Result<(), Refusal>;

    /// By how much this machine's clock has jumped since a message came: how much of its apparent age is none.
    fn clock_moved_since(&self, message: Offset) -> SignedDuration;

    /// What keeps the hub from going on, such as a full disk that its intake waits for.
    fn trouble(&self) -> Option<String>;
}

/// How far a replay is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayProgress {
    /// All before this is dealt with.
    pub position: Offset,
    /// As many messages the consumer has had.
    pub delivered: u64,
    /// Messages that are no longer there, as the replay came to them. Each is told of once.
    pub gap: Option<Gap>,
}
