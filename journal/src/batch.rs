//! Messages as they come back: batches that share one block of memory, and the entries in them.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::Offset;
use crate::offset::time;
use crate::record::{Block, BlockBuilder, FIXED, Slot};

/// Messages as a reader gets them: at least one, in order. Cloning shares the memory.
#[derive(Clone, Debug)]
pub struct Batch {
    block: Arc<Block>,
    range: Range<usize>,
}

impl Batch {
    /// `None` if there is nothing in that range.
    pub(crate) fn new(block: Arc<Block>, range: Range<usize>) -> Option<Self> {
        (range.start < range.end && range.end <= block.len()).then_some(Self { block, range })
    }

    /// How many messages.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Of its first message.
    #[must_use]
    pub fn first(&self) -> Offset {
        Offset(self.block.slots[self.range.start].offset)
    }

    /// What to commit when all of it is dealt with: the offset behind its last message.
    #[must_use]
    pub fn end(&self) -> Offset {
        Offset(self.block.slots[self.range.end - 1].offset + 1)
    }

    /// The same in memory of its own.
    pub(crate) fn detach(&self) -> Self {
        let mut block = BlockBuilder::default();
        for entry in self.iter() {
            let slot = entry.slot;
            let payload = &entry.bytes[slot.start - FIXED..slot.end];
            block.push(slot.offset, payload);
        }
        let range = 0..block.len();
        Self { block: Arc::new(block.build()), range }
    }

    /// Its messages.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> + Clone {
        self.block.slots[self.range.clone()].iter().map(|slot| Entry { bytes: &self.block.bytes, slot })
    }
}

/// A message in a [`Batch`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    bytes: &'a Bytes,
    slot: &'a Slot,
}

impl<'a> Entry<'a> {
    /// Its place in the journal.
    #[must_use]
    pub fn offset(&self) -> Offset {
        Offset(self.slot.offset)
    }

    /// When it came, to the microsecond.
    #[must_use]
    pub fn received(&self) -> SystemTime {
        time(self.slot.received)
    }

    /// As given by [`Record::flags`](crate::Record::flags).
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.slot.flags
    }

    /// The name of the endpoint that it came by.
    #[must_use]
    pub fn endpoint(&self) -> &'a str {
        self.text(self.slot.start, usize::from(self.slot.endpoint_len))
    }

    /// As given by [`Record::note`](crate::Record::note).
    #[must_use]
    pub fn note(&self) -> &'a [u8] {
        let start = self.slot.start + usize::from(self.slot.endpoint_len);
        &self.bytes[start..start + usize::from(self.slot.note_len)]
    }

    /// Its topic.
    #[must_use]
    pub fn topic(&self) -> &'a str {
        self.text(self.topic_at(), self.slot.topic_len as usize)
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[self.body_at()..self.slot.end]
    }

    fn topic_at(&self) -> usize {
        self.slot.start + usize::from(self.slot.endpoint_len) + usize::from(self.slot.note_len)
    }

    fn body_at(&self) -> usize {
        self.topic_at() + self.slot.topic_len as usize
    }

    fn text(&self, at: usize, len: usize) -> &'a str {
        // It was text when the slot was made.
        str::from_utf8(&self.bytes[at..at + len]).unwrap_or_default()
    }
}
