//! The one who writes messages.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::BytesMut;

use crate::frame::Key;
use crate::lock::Lock;
use crate::record::{Block, BlockBuilder};
use crate::ring::Admission;
use crate::segments::SegmentWriter;
use crate::shared::Shared;
use crate::{JournalError, Mode, Offset, Record};

/// The one who writes messages; there is one for a journal, and it belongs to one thread.
#[derive(Debug)]
pub struct Appender {
    shared: Arc<Shared>,
    _lock: Arc<Lock>,
    /// None in memory mode.
    writer: Option<SegmentWriter>,
    key: Key,
    next: u64,
    /// Memory to be used again.
    spare: Option<BytesMut>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offsets that its messages got; empty if it was dropped.
    pub offsets: Range<Offset>,
    /// How many messages were dropped for want of memory: these, or older ones that somebody still needed.
    pub dropped: u64,
}

impl Appender {
    pub(crate) fn new(
        shared: Arc<Shared>,
        lock: Arc<Lock>,
        writer: Option<SegmentWriter>,
        key: Key,
        next: u64,
    ) -> Self {
        Self { shared, _lock: lock, writer, key, next, spare: None }
    }

    /// The offset that the next message gets.
    #[must_use]
    pub fn next(&self) -> Offset {
        Offset(self.next)
    }

    /// Appends messages, all or none: one write, then the readers are woken. When it returns, the messages survive
    /// the end of the process; after the next group commit also a loss of power.
    ///
    /// In memory mode with [`WhenFull::Block`](crate::WhenFull::Block) it waits for room, until the journal is closed.
    ///
    /// # Errors
    /// [`JournalError::Full`] and others for which [`JournalError::may_pass`]: nothing was appended, and the same call
    /// can be made again. [`JournalError::TooLong`] for a record that never can be. [`JournalError::Closed`].
    pub fn append(&mut self, records: &[Record<'_>]) -> Result<Appended, JournalError> {
        if self.shared.ring.is_closed() {
            return Err(JournalError::Closed);
        }
        if let Some(committer) = self.shared.committer() {
            committer.check()?;
        }
        if records.is_empty() {
            return Ok(Appended { offsets: self.next()..self.next(), dropped: 0 });
        }
        let block = Arc::new(self.encode(records)?);
        let (dropped, evicted) = match (&mut self.writer, self.shared.committer()) {
            (Some(writer), Some(committer)) => {
                let unsynced = writer.write(block.bytes.clone(), self.next)?;
                let evicted = self.shared.ring.push(Arc::clone(&block));
                committer.wrote(unsynced, block.end());
                (0, evicted)
            }
            _ => {
                let Mode::Memory { when_full, .. } = self.shared.mode else {
                    return Err(JournalError::Closed);
                };
                let slowest = || self.shared.cursors.slowest();
                let (admission, evicted) = self.shared.ring.admit(&block, when_full, slowest);
                match admission {
                    Admission::Taken(dropped) => {
                        self.shared.dropped_oldest.fetch_add(dropped, Relaxed);
                        (dropped, evicted)
                    }
                    Admission::Refused => {
                        let dropped = records.len() as u64;
                        self.shared.dropped_newest.fetch_add(dropped, Relaxed);
                        return Ok(Appended { offsets: self.next()..self.next(), dropped });
                    }
                    Admission::Closed => return Err(JournalError::Closed),
                }
            }
        };
        self.spare = evicted.and_then(Arc::into_inner).and_then(Block::recycle);
        let offsets = self.next()..Offset(block.end());
        self.next = block.end();
        Ok(Appended { offsets, dropped })
    }

    fn encode(&mut self, records: &[Record<'_>]) -> Result<Block, JournalError> {
        let need: usize = records.iter().map(BlockBuilder::need).sum();
        // Much larger memory than needed would be counted wrongly.
        let spare = self.spare.take().filter(|spare| (need..need * 2).contains(&spare.capacity()));
        let buffer = spare.unwrap_or_else(|| BytesMut::with_capacity(need));
        let mut block = BlockBuilder::reusing(buffer, records.len());
        for (offset, record) in (self.next..).zip(records) {
            // What is only in memory needs no checksums.
            block.append(record, offset, self.writer.is_some().then_some(self.key))?;
        }
        Ok(block.build())
    }
}
