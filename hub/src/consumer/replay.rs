//! History that is delivered to a consumer once more because the operator asked for it. It lives as long as somebody
//! listens to its progress.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use control::ReplayProgress;
use crossbeam_channel::Sender;
use journal::{Journal, JournalError, Next, Offset, Reader};

use super::share::{Share, Then};
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
    delivered: AtomicU64,
    /// Nothing more is to be read.
    complete: AtomicBool,
    gone: AtomicBool,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.complete.load(Relaxed) {
            self.tell(self.end);
        }
    }
}

impl Listener {
    pub(super) fn tell(&self, position: Offset) {
        let told = self.progress.send(ReplayProgress { position, delivered: self.delivered.load(Relaxed) });
        self.gone.fetch_or(told.is_err(), Relaxed);
    }
}

impl Replay {
    pub(super) fn new(journal: &Journal, offsets: Range<Offset>, progress: Sender<ReplayProgress>) -> Self {
        let (delivered, complete, gone) = Default::default();
        let listener = Listener { progress, end: offsets.end, delivered, complete, gone };
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
                    self.listener.delivered.fetch_add(picks.places.len() as u64, Relaxed);
                    let then = Then::Tell(Arc::clone(&self.listener), batch.end().min(self.offsets.end));
                    return Ok(Some((Share { batch, picks, replayed: true }, then)));
                }
                // Nobody gets these again.
                Some(Next::Gap(_)) => {}
                _ => break,
            }
        }
        Ok(None)
    }
}
