//! What became of messages, where it was not the usual: the one home of every exception.
//!
//! A message that a consumer has passed without an entry here was handled. Entries are numbered and framed as
//! messages are, in a folder of their own; they are written with the group commit, before the cursors that passed
//! their messages, so that no cursor stands behind a message whose ending isn't recorded.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::{BufMut, BytesMut};

use crate::frame::{self, Key};
use crate::segments::{SegmentWriter, Segments, Unsynced};
use crate::sync::lock;
use crate::wire::{Put, Take};
use crate::{JournalError, Offset};

/// As much waits for the group commit at most.
const PENDING: usize = 1 << 20;
const NO_OFFSET: u64 = u64::MAX;

/// What became of a message, or of an attempt to deliver it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When that was.
    pub at: SystemTime,
    /// The message; `None` if it never came into the journal.
    pub offset: Option<Offset>,
    /// What it was.
    pub ending: Ending,
}

/// What became of it. Other endings may come with later versions; a reader passes over those it doesn't know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// A consumer failed and is to have it again.
    Retried(Attempt),
    /// A consumer failed for the last time.
    DeadLettered(Attempt),
    /// A consumer, or the hub on its behalf, gave it up; the reason is in [`Attempt::reason`].
    Dropped(Attempt),
    /// It could not be read any more when a consumer came to it; `to` is the first offset behind those that are lost.
    Lost {
        /// The consumer.
        consumer: String,
        /// Behind the last of the lost ones.
        to: Offset,
    },
    /// It is no message of the bus.
    Malformed(Refusal),
    /// Its signature, or the policy, forbids it.
    Rejected(Refusal),
    /// It came before; [`Outcome::offset`] is `None` unless the repetition was kept as well.
    Duplicate {
        /// The first of its kind.
        of: Offset,
        /// By which endpoint the repetition came.
        endpoint: String,
    },
    /// No consumer wanted it.
    Unmatched,
}

/// An attempt to deliver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// To whom.
    pub consumer: String,
    /// How many there have been, this one included.
    pub attempts: u32,
    /// How long it took; microseconds are kept.
    pub took: Duration,
    /// The error, or why it was given up.
    pub reason: String,
}

/// Why a message was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// By which endpoint it came.
    pub endpoint: String,
    /// The rule that it breaks.
    pub reason: String,
}

impl Ending {
    /// The consumer that it is about; `None` if about the message as such.
    #[must_use]
    pub fn consumer(&self) -> Option<&str> {
        match self {
            Self::Retried(attempt) | Self::DeadLettered(attempt) | Self::Dropped(attempt) => {
                Some(&attempt.consumer)
            }
            Self::Lost { consumer, .. } => Some(consumer),
            Self::Malformed(_) | Self::Rejected(_) | Self::Duplicate { .. } | Self::Unmatched => None,
        }
    }
}

impl Outcome {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let put = |tag| Put::tag(tag).time(self.at).u64(self.offset.map_or(NO_OFFSET, |offset| offset.0));
        let attempt = |tag, attempt: &Attempt| {
            let took = u64::try_from(attempt.took.as_micros()).unwrap_or(u64::MAX);
            put(tag).text(&attempt.consumer).u32(attempt.attempts).u64(took).text(&attempt.reason)
        };
        let refusal = |tag, refusal: &Refusal| put(tag).text(&refusal.endpoint).text(&refusal.reason);
        match &self.ending {
            Ending::Retried(it) => attempt(1, it),
            Ending::DeadLettered(it) => attempt(2, it),
            Ending::Dropped(it) => attempt(3, it),
            Ending::Lost { consumer, to } => put(4).text(consumer).u64(to.0),
            Ending::Malformed(it) => refusal(5, it),
            Ending::Rejected(it) => refusal(6, it),
            Ending::Duplicate { of, endpoint } => put(7).u64(of.0).text(endpoint),
            Ending::Unmatched => put(8),
        }
        .0
    }

    /// `None` for an ending of a later version.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut take = Take(payload);
        let (tag, at, offset) = (take.u8()?, take.time()?, take.u64()?);
        let take = &mut take;
        fn attempt(take: &mut Take<'_>) -> Option<Attempt> {
            let (consumer, attempts, took) = (take.text()?, take.u32()?, take.u64()?);
            Some(Attempt { consumer, attempts, took: Duration::from_micros(took), reason: take.text()? })
        }
        fn refusal(take: &mut Take<'_>) -> Option<Refusal> {
            Some(Refusal { endpoint: take.text()?, reason: take.text()? })
        }
        let ending = match tag {
            1 => Ending::Retried(attempt(take)?),
            2 => Ending::DeadLettered(attempt(take)?),
            3 => Ending::Dropped(attempt(take)?),
            4 => Ending::Lost { consumer: take.text()?, to: Offset(take.u64()?) },
            5 => Ending::Malformed(refusal(take)?),
            6 => Ending::Rejected(refusal(take)?),
            7 => Ending::Duplicate { of: Offset(take.u64()?), endpoint: take.text()? },
            8 => Ending::Unmatched,
            _ => return None,
        };
        Some(Self { at, offset: (offset != NO_OFFSET).then_some(Offset(offset)), ending })
    }
}

/// Which outcomes are wanted; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutcomeFilter {
    /// Of these messages; those that never came into the journal are left out then.
    pub offsets: Option<Range<Offset>>,
    /// About this consumer; those about messages as such are left out then.
    pub consumer: Option<String>,
    /// Recorded at or after this.
    pub since: Option<SystemTime>,
    /// Recorded before this.
    pub until: Option<SystemTime>,
}

impl OutcomeFilter {
    /// Whether this one is wanted.
    #[must_use]
    pub fn wants(&self, outcome: &Outcome) -> bool {
        let within = |offsets: &Range<Offset>| outcome.offset.is_some_and(|offset| offsets.contains(&offset));
        self.offsets.as_ref().is_none_or(within)
            && self.consumer.as_deref().is_none_or(|name| outcome.ending.consumer() == Some(name))
            && self.since.is_none_or(|since| outcome.at >= since)
            && self.until.is_none_or(|until| outcome.at < until)
    }

    /// Those of a folder that are wanted, oldest first.
    pub(crate) fn over(
        self,
        segments: &Segments,
    ) -> impl Iterator<Item = Result<Outcome, JournalError>> + Send + use<> {
        let found = segments.frames_from(0).filter_map(|frame| match frame {
            Ok((_, payload)) => Outcome::decode(&payload).map(Ok),
            Err(error) => Some(Err(error)),
        });
        found.filter(move |outcome| outcome.as_ref().map_or(true, |outcome| self.wants(outcome)))
    }
}

#[derive(Debug)]
pub(crate) struct Outcomes {
    most: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Disk(Disk),
    Memory { all: VecDeque<Vec<u8>>, bytes: u64 },
}

#[derive(Debug)]
struct Disk {
    writer: SegmentWriter,
    segments: Arc<Segments>,
    key: Key,
    next: u64,
    first_pending: u64,
    pending: BytesMut,
    unsynced: Unsynced,
}

impl Disk {
    fn write(&mut self) -> Result<(), JournalError> {
        if !self.pending.is_empty() {
            self.writer.write(&self.pending, self.first_pending)?;
            self.pending.clear();
            self.first_pending = self.next;
            self.unsynced.note(&mut self.writer);
        }
        Ok(())
    }
}

impl Outcomes {
    pub(crate) fn in_memory(most: u64) -> Self {
        Self { most, state: Mutex::new(State::Memory { all: VecDeque::new(), bytes: 0 }) }
    }

    pub(crate) fn on_disk(segments: Arc<Segments>, writer: SegmentWriter, next: u64, most: u64) -> Self {
        let (pending, key, unsynced) = (BytesMut::new(), segments.key, Unsynced::default());
        let disk = Disk { writer, segments, key, next, first_pending: next, pending, unsynced };
        Self { most, state: Mutex::new(State::Disk(disk)) }
    }

    pub(crate) fn record(&self, outcome: &Outcome) -> Result<(), JournalError> {
        let payload = outcome.encode();
        match &mut *lock(&self.state) {
            State::Disk(disk) => {
                let at = frame::begin(&mut disk.pending);
                disk.pending.put_slice(&payload);
                frame::end(&mut disk.pending, at, disk.next, disk.key);
                disk.next += 1;
                if disk.pending.len() < PENDING { Ok(()) } else { disk.write() }
            }
            State::Memory { all, bytes } => {
                *bytes += payload.len() as u64;
                all.push_back(payload);
                while *bytes > self.most {
                    let Some(oldest) = all.pop_front() else { break };
                    *bytes -= oldest.len() as u64;
                }
                Ok(())
            }
        }
    }

    /// Has everything on disk.
    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        let unsynced = match &mut *lock(&self.state) {
            State::Disk(disk) => disk.write().map(|()| std::mem::take(&mut disk.unsynced))?,
            State::Memory { .. } => return Ok(()),
        };
        // Not under the lock: consumers record while the disk works.
        let synced = unsynced.sync();
        if synced.is_err()
            && let State::Disk(disk) = &mut *lock(&self.state)
        {
            disk.unsynced.put_back(unsynced);
        }
        synced
    }

    pub(crate) fn iter(
        &self,
        filter: OutcomeFilter,
    ) -> Result<Box<dyn Iterator<Item = Result<Outcome, JournalError>> + Send>, JournalError> {
        Ok(match &mut *lock(&self.state) {
            State::Disk(disk) => {
                disk.write()?;
                Box::new(filter.over(&disk.segments))
            }
            State::Memory { all, .. } => {
                let all: Vec<_> = all.iter().filter_map(|payload| Outcome::decode(payload)).collect();
                Box::new(all.into_iter().filter(move |outcome| filter.wants(outcome)).map(Ok))
            }
        })
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        match &*lock(&self.state) {
            State::Disk(disk) => disk.segments.bytes(),
            State::Memory { .. } => 0,
        }
    }

    /// Removes the oldest segments beyond the limit.
    pub(crate) fn retain(&self) -> Result<(), JournalError> {
        let State::Disk(disk) = &*lock(&self.state) else { return Ok(()) };
        for sealed in disk.segments.sealed() {
            if disk.segments.bytes() <= self.most {
                break;
            }
            disk.segments.remove(sealed.first)?;
        }
        Ok(())
    }
}
