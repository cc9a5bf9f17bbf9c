//! What the hub calls out to all its consumers: that it begins to stop, and that it can't wait any longer.

use std::time::Duration;

use crossbeam_channel::{Receiver, TryRecvError, never, select};

use super::courier::Cut;

/// What the hub calls out; each channel is closed when the call is made.
#[derive(Debug, Clone)]
pub struct Calls {
    /// The hub can't wait any longer.
    pub halt: Receiver<()>,
    /// The hub begins to stop: what has not started is not tried again.
    pub stopping: Receiver<()>,
    /// What has no ending when the hub stops is there at the next start, and need not be waited for.
    pub durable: bool,
}

impl Calls {
    /// Whether the hub can't wait any longer.
    pub(super) fn halted(&self) -> bool {
        self.halt.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Waits before a message is tried again; an error if there is no point in waiting.
    pub(super) fn pause(&self, wait: Duration) -> Result<(), Cut> {
        let never = never();
        let stopping = if self.durable { &self.stopping } else { &never };
        select! {
            recv(self.halt) -> _ => Err(Cut::Halted),
            recv(stopping) -> _ => Err(Cut::Halted),
            default(wait) => Ok(()),
        }
    }

    /// Waits before a start is tried again; false if the hub stops meanwhile.
    pub(super) fn pause_start(&self, wait: Duration) -> bool {
        select! {
            recv(self.stopping) -> _ => false,
            default(wait) => true,
        }
    }
}
