//! The one who writes messages.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::BytesMut;

use crate::commit::Committer;
use crate::lock::Lock;
use crate::record::{Block, BlockBuilder};
use crate::ring::Admission;
use crate::segments::SegmentWriter;
use crate::shared::Shared;
use crate::{JournalError, Offset, Record, WhenFull};

/// The one who writes messages; there is one for a journal, and it belongs to one thread.
#[derive(Debug)]
pub struct Appender {
    shared: Arc<Shared>,
    _lock: Arc<Lock>,
    store: Store,
    /// Memory to be used again.
    spare: Option<BytesMut>,
}

/// Where messages go.
#[derive(Debug)]
pub(crate) enum Store {
    Disk(SegmentWriter),
    Memory(WhenFull),
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
    pub(crate) fn new(shared: Arc<Shared>, lock: Arc<Lock>, store: Store) -> Self {
        Self { shared, _lock: lock, store, spare: None }
    }

    /// The offset that the next message gets.
    #[must_use]
    pub fn next(&self) -> Offset {
        Offset(self.shared.ring.next())
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
        self.shared.committer().map_or(Ok(()), Committer::check)?;
        if records.is_empty() {
            return Ok(Appended { offsets: self.next()..self.next(), dropped: 0 });
        }
        let block = Arc::new(self.encode(records)?);
        let offsets = Offset(block.first())..Offset(block.end());
        let ring = &self.shared.ring;
        let (dropped, evicted) = match &mut self.store {
            Store::Disk(writer) => {
                let unsynced = writer.write(block.bytes.clone(), block.first())?;
                let evicted = ring.push(block);
                self.shared.wrote(unsynced, offsets.end.0);
                (0, evicted)
            }
            Store::Memory(when_full) => {
                match ring.admit(block, *when_full, || self.shared.cursors.slowest()) {
                    Admission::Taken { dropped, evicted } => {
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
        Ok(Appended { offsets, dropped })
    }

    fn encode(&mut self, records: &[Record<'_>]) -> Result<Block, JournalError> {
        let need: usize = records.iter().map(BlockBuilder::need).sum();
        // Much larger memory than needed would be counted wrongly.
        let spare = self.spare.take().filter(|spare| (need..need * 2).contains(&spare.capacity()));
        let buffer = spare.unwrap_or_else(|| BytesMut::with_capacity(need));
        let mut block = BlockBuilder::reusing(buffer, records.len());
        // What is only in memory needs no checksums.
        let key = if let Store::Disk(writer) = &self.store { Some(writer.segments.key) } else { None };
        for (offset, record) in (self.next().0..).zip(records) {
            block.append(record, offset, key)?;
        }
        Ok(block.build())
    }
}
