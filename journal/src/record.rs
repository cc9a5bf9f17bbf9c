//! A message as it is given to the journal, and blocks: many of them framed in one piece of memory, which is what is
//! written and what is shared with the readers.

use std::time::SystemTime;

use bytes::{BufMut, Bytes, BytesMut};

use crate::JournalError;
use crate::frame::{self, FRAME_HEADER, Key};
use crate::offset::micros;

/// Time, flags and the lengths of endpoint, note and topic.
pub(crate) const FIXED: usize = 8 + 4 + 2 + 2 + 4;
/// Of topic and body together: a frame's length has 32 bits, and a batch is held in memory.
const LONGEST: usize = 1 << 30;

/// A message to append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it came; microseconds are kept.
    pub received: SystemTime,
    /// The name of the endpoint that it came by.
    pub endpoint: &'a str,
    /// What intake found out about it, in bits that are its own.
    pub flags: u32,
    /// What intake found out about it that has no bit; up to 64 KiB.
    pub note: &'a [u8],
    /// Its topic.
    pub topic: &'a str,
    /// Its body.
    pub body: &'a [u8],
}

/// Where a record's parts are in its block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) offset: u64,
    pub(crate) received: u64,
    /// Of the endpoint, behind which note, topic and body follow.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) flags: u32,
    pub(crate) topic_len: u32,
    pub(crate) endpoint_len: u16,
    pub(crate) note_len: u16,
}

/// When the message of this payload came, in microseconds.
pub(crate) fn received(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

impl Slot {
    /// `payload` is found at `base` of its block.
    fn read(payload: &[u8], base: usize, offset: u64) -> Option<Self> {
        let (fixed, rest) = payload.split_at_checked(FIXED)?;
        let word = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let half = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let (endpoint_len, note_len, topic_len) = (half(12), half(14), word(16));
        let topic_at = usize::from(endpoint_len) + usize::from(note_len);
        let topic = rest.get(topic_at..topic_at + topic_len as usize)?;
        str::from_utf8(topic).ok()?;
        str::from_utf8(rest.get(..usize::from(endpoint_len))?).ok()?;
        Some(Self {
            offset,
            received: received(fixed)?,
            start: base + FIXED,
            end: base + payload.len(),
            flags: word(8),
            topic_len,
            endpoint_len,
            note_len,
        })
    }
}

/// Messages that lie together in memory, in the order of their offsets.
#[derive(Debug)]
pub(crate) struct Block {
    /// Their frames, where they were appended; else just the payloads.
    pub(crate) bytes: Bytes,
    pub(crate) slots: Vec<Slot>,
}

impl Block {
    pub(crate) fn first(&self) -> u64 {
        self.slots.first().map_or(0, |slot| slot.offset)
    }

    pub(crate) fn end(&self) -> u64 {
        self.slots.last().map_or(0, |slot| slot.offset + 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// What it takes of memory.
    pub(crate) fn cost(&self) -> u64 {
        (self.bytes.len() + self.slots.capacity() * size_of::<Slot>() + size_of::<Self>()) as u64
    }

    /// Its memory, if nobody else looks at it.
    pub(crate) fn recycle(self) -> Option<BytesMut> {
        self.bytes.try_into_mut().ok()
    }

    /// The place of the first message at or after `offset`.
    pub(crate) fn place(&self, offset: u64) -> usize {
        let guess = offset.saturating_sub(self.first()) as usize;
        match self.slots.get(guess) {
            Some(slot) if slot.offset == offset => guess,
            _ => self.slots.partition_point(|slot| slot.offset < offset),
        }
    }
}

/// Puts a block together.
#[derive(Debug, Default)]
pub(crate) struct BlockBuilder {
    buffer: BytesMut,
    slots: Vec<Slot>,
}

impl BlockBuilder {
    /// In memory that was used before.
    pub(crate) fn reusing(mut buffer: BytesMut, records: usize) -> Self {
        buffer.clear();
        Self { buffer, slots: Vec::with_capacity(records) }
    }

    /// How many bytes a record takes.
    pub(crate) fn need(record: &Record<'_>) -> usize {
        let Record { endpoint, note, topic, body, .. } = record;
        FRAME_HEADER + FIXED + endpoint.len() + note.len() + topic.len() + body.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Frames a record.
    pub(crate) fn append(
        &mut self,
        record: &Record<'_>,
        offset: u64,
        key: Option<Key>,
    ) -> Result<(), JournalError> {
        let endpoint_len = short("endpoint", record.endpoint.len())?;
        let note_len = short("note", record.note.len())?;
        let len = record.topic.len().saturating_add(record.body.len());
        if len > LONGEST {
            return Err(JournalError::TooLong { field: "topic and body", len, most: LONGEST });
        }
        let buffer = &mut self.buffer;
        let rest = record.endpoint.len() + record.note.len() + len;
        let at = frame::begin(buffer);
        let received = micros(record.received);
        buffer.put_u64_le(received);
        buffer.put_u32_le(record.flags);
        buffer.put_u16_le(endpoint_len);
        buffer.put_u16_le(note_len);
        buffer.put_u32_le(record.topic.len() as u32);
        buffer.put_slice(record.endpoint.as_bytes());
        buffer.put_slice(record.note);
        buffer.put_slice(record.topic.as_bytes());
        buffer.put_slice(record.body);
        frame::end(buffer, at, offset, key);
        let start = at + FRAME_HEADER + FIXED;
        let topic_len = record.topic.len() as u32;
        let flags = record.flags;
        self.slots.push(Slot {
            offset,
            received,
            start,
            end: start + rest,
            flags,
            topic_len,
            endpoint_len,
            note_len,
        });
        Ok(())
    }

    /// Takes over the payload of a frame; false if it is no record, however good its checksum.
    pub(crate) fn push(&mut self, offset: u64, payload: &[u8]) -> bool {
        let Some(slot) = Slot::read(payload, self.buffer.len(), offset) else { return false };
        self.buffer.put_slice(payload);
        self.slots.push(slot);
        true
    }

    pub(crate) fn build(self) -> Block {
        Block { bytes: self.buffer.freeze(), slots: self.slots }
    }
}

fn short(field: &'static str, len: usize) -> Result<u16, JournalError> {
    u16::try_from(len).map_err(|_| JournalError::TooLong { field, len, most: usize::from(u16::MAX) })
}
