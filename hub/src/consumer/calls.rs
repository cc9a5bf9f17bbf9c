//! What the hub calls out to its consumers: that it begins to stop, that it can't wait any longer, and to one of them that
//! it alone is to end.

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
    /// This consumer is to end, and the hub goes on: it may be started again, from its cursor.
    pub leave: Receiver<()>,
    /// What has no ending when the hub stops is there at the next start, and need not be waited for.
    pub durable: bool,
}

impl Calls {
    /// Whether the hub can't wait any longer.
    pub(super) fn halted(&self) -> bool {
        is_closed(&self.halt)
    }

    /// Whether the consumer is to end while the hub goes on.
    pub(super) fn leaves(&self) -> bool {
        is_closed(&self.leave)
    }

    /// Whether what has no ending now is there when the consumer is next started.
    pub(super) fn resumes(&self) -> bool {
        self.durable || self.leaves()
    }

    /// Waits before a message is tried again; an error if there is no point in waiting.
    pub(super) fn pause(&self, wait: Duration) -> Result<(), Cut> {
        let never = never();
        let stopping = if self.durable { &self.stopping } else { &never };
        select! {
            recv(self.halt) -> _ => Err(Cut::Halted),
            recv(self.leave) -> _ => Err(Cut::Halted),
            recv(stopping) -> _ => Err(Cut::Halted),
            default(wait) => Ok(()),
        }
    }

    /// Waits before a start is tried again; false if there is no point in it any more.
    pub(super) fn pause_start(&self, wait: Duration) -> bool {
        select! {
            recv(self.stopping) -> _ => false,
            recv(self.leave) -> _ => false,
            default(wait) => true,
        }
    }
}

fn is_closed(call: &Receiver<()>) -> bool {
    call.try_recv() == Err(TryRecvError::Disconnected)
}
