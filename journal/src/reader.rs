//! One reader's way through the journal: from memory while it keeps up, else from disk.

use std::ops::Range;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use crate::batch::Batch;
use crate::disk::{DiskReader, OnDisk};
use crate::ring::Taken;
use crate::shared::Shared;
use crate::sync::atomic::{AtomicBool, Ordering::SeqCst};
use crate::{JournalError, Offset};

/// What a reader comes to.
#[derive(Debug)]
pub enum Next {
    /// The next messages.
    Batch(Batch),
    /// Messages that are no longer there; the reader is behind them now. Said once for each.
    Gap(Gap),
    /// The time has come, and nothing else has.
    TimedOut,
    /// The [`Reader::waker`] was used.
    Woken,
    /// The journal is closed, and all that is in it was read.
    Closed,
}

/// Messages that are no longer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Which.
    pub offsets: Range<Offset>,
    /// Why.
    pub cause: GapCause,
}

/// Why messages are no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapCause {
    /// Their place in the file is damaged.
    Damaged,
    /// Retention has removed them.
    Retired,
    /// Memory was full.
    Dropped,
}

/// Reads the journal from some offset on. It belongs to one thread, and holds nothing back: that is what a
/// [`Cursor`](crate::Cursor) does.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    next: u64,
    disk: DiskReader,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct Bell {
    rung: AtomicBool,
    shared: Arc<Shared>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, SeqCst);
        self.shared.ring.wake_readers();
    }
}

impl Reader {
    pub(crate) fn new(shared: &Arc<Shared>, next: u64) -> Self {
        let bell = Arc::new(Bell { rung: AtomicBool::new(false), shared: Arc::clone(shared) });
        Self { shared: Arc::clone(shared), next, disk: DiskReader::default(), bell }
    }

    /// What it reads next.
    #[must_use]
    pub fn position(&self) -> Offset {
        Offset(self.next)
    }

    /// A handle by which any thread makes [`Self::next_batch`] return [`Next::Woken`], now or when next called.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.bell))
    }

    /// Waits for messages, until `deadline` if there is one, and takes up to `max` of them; fewer where a batch of the
    /// intake ends. One that was taken is not given again.
    ///
    /// # Errors
    /// The disk cannot be read. The position stays, so that the call can be repeated.
    pub fn next_batch(&mut self, max: usize, deadline: Option<Instant>) -> Result<Next, JournalError> {
        loop {
            if self.bell.rung.swap(false, SeqCst) {
                return Ok(Next::Woken);
            }
            if let Some(next) = self.poll(max)? {
                return Ok(next);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Next::TimedOut);
            }
            self.shared.ring.wait(self.next, deadline, &self.bell.rung);
        }
    }

    /// As [`Self::next_batch`], but `None` where that would wait; and it doesn't care for the waker.
    ///
    /// # Errors
    /// As there.
    pub fn poll(&mut self, max: usize) -> Result<Option<Next>, JournalError> {
        let batch = match self.shared.ring.take(self.next, max) {
            Taken::Batch(batch) => {
                self.disk.rest();
                batch
            }
            Taken::Ahead => return Ok(None),
            Taken::Closed => return Ok(Some(Next::Closed)),
            Taken::Behind(first) => match &self.shared.durable {
                None => return Ok(Some(self.gap(first, GapCause::Dropped))),
                Some(durable) => match self.disk.read(&durable.messages, self.next, first, max)? {
                    OnDisk::Gap(offsets, cause) => return Ok(Some(self.gap(offsets.end, cause))),
                    OnDisk::Block(block) => {
                        let len = block.len();
                        let Some(batch) = Batch::new(Arc::new(block), 0..len) else { return Ok(None) };
                        batch
                    }
                },
            },
        };
        self.next = batch.end().0;
        Ok(Some(Next::Batch(batch)))
    }

    fn gap(&mut self, end: u64, cause: GapCause) -> Next {
        let offsets = Offset(self.next)..Offset(end);
        self.next = end;
        Next::Gap(Gap { offsets, cause })
    }
}
