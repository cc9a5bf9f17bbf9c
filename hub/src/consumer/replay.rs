//! History that is delivered to a consumer once more because the operator asked for it. It lives as long as somebody
//! listens to its progress.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use control::ReplayProgress;
use crossbeam_channel::Sender;
use journal::{Gap, Journal, JournalError, Next, Offset, Reader};

use super::share::{Manner, Share, Then};
use super::wants::Wants;

/// A replay under way.
#[derive(Debug)]
pub(super) struct Replay {
    reader: Reader,
    offsets: Range<Offset>,
    listener: Arc<Listener>,
}

/// Who asked for it. Held by all that is under way; what is dropped last tells of the end.
#[derive(Debug)]
pub(super) struct Listener {
    progress: Sender<ReplayProgress>,
    end: Offset,
    position: AtomicU64,
    delivered: AtomicU64,
    /// Nothing more is to be read.
    complete: AtomicBool,
    gone: AtomicBool,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.complete.load(Relaxed) {
            self.tell(self.end, 0);
        }
    }
}

impl Listener {
    /// All before `position` is dealt with, and so many messages more than before.
    pub(super) fn tell(&self, position: Offset, more: u64) {
        self.position.fetch_max(position.0, Relaxed);
        self.delivered.fetch_add(more, Relaxed);
        self.send(None);
    }

    fn send(&self, gap: Option<Gap>) {
        let (position, delivered) = (self.position.load(Relaxed), self.delivered.load(Relaxed));
        let told = self.progress.send(ReplayProgress { position: Offset(position), delivered, gap });
        self.gone.fetch_or(told.is_err(), Relaxed);
    }
}

impl Replay {
    pub(super) fn new(journal: &Journal, offsets: Range<Offset>, progress: Sender<ReplayProgress>) -> Self {
        let (delivered, complete, gone) = Default::default();
        let position = offsets.start.0.into();
        let listener = Listener { progress, end: offsets.end, position, delivered, complete, gone };
        Self { reader: journal.reader(offsets.start), offsets, listener: Arc::new(listener) }
    }

    /// The next messages; `None` at its end, or when nobody listens any more.
    ///
    /// # Errors
    /// Disk errors.
    pub(super) fn next(
        &mut self,
        max: usize,
        wants: &mut Wants,
    ) -> Result<Option<(Share, Then)>, JournalError> {
        while !self.listener.gone.load(Relaxed) {
            if self.reader.position() >= self.offsets.end {
                self.listener.complete.store(true, Relaxed);
                break;
            }
            match self.reader.poll(max)? {
                Some(Next::Batch(batch)) => {
                    let picks = wants.pick(&batch, &self.offsets);
                    let then = Then::Tell(Arc::clone(&self.listener), batch.end().min(self.offsets.end));
                    return Ok(Some((Share { batch, picks, manner: Manner::Replayed }, then)));
                }
                Some(Next::Gap(Gap { offsets, cause })) => {
                    let offsets = offsets.start..offsets.end.min(self.offsets.end);
                    self.listener.send(Some(Gap { offsets, cause }));
                }
                _ => break,
            }
        }
        Ok(None)
    }
}
