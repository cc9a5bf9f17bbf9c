//! The store of outcomes: numbered and framed as messages are, in a folder of their own.
//!
//! They are written with the group commit, before the cursors that passed their messages, so that no cursor has passed
//! a message whose ending isn't recorded.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::frame::{self, Key, Kind};
use crate::recovery::Recovery;
use crate::segments::{SegmentWriter, Segments};
use crate::sync::{Mutex, lock};
use crate::unsynced::Unsynced;
use crate::{Journal, JournalError, Options, Outcome, OutcomeFilter};

/// As much waits for the group commit at most.
const PENDING: usize = 1 << 20;

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
    next: u64,
    first_pending: u64,
    pending: BytesMut,
    unsynced: Unsynced,
}

impl Disk {
    fn write(&mut self) -> Result<(), JournalError> {
        if !self.pending.is_empty() {
            let frames = Bytes::copy_from_slice(&self.pending);
            self.unsynced.add(self.writer.write(frames, self.first_pending)?);
            self.pending.clear();
            self.first_pending = self.next;
        }
        Ok(())
    }
}

impl Outcomes {
    pub(crate) fn in_memory(most: u64) -> Self {
        Self { most, state: Mutex::new(State::Memory { all: VecDeque::new(), bytes: 0 }) }
    }

    /// And the offset behind the last message that a recent one is about.
    pub(crate) fn open(
        folder: &Path,
        key: Key,
        options: &Options,
        recovery: &mut Recovery,
    ) -> Result<(Self, u64), JournalError> {
        let (most, mut about) = (options.outcomes_bytes, 0);
        let see = |payload: &[u8]| {
            let offset = Outcome::decode(payload).and_then(|outcome| outcome.offset);
            about = about.max(offset.map_or(0, |offset| offset.0.saturating_add(1)));
        };
        // Of many small entries, in few segments.
        let size = (most / 8).clamp(4096, options.segment_bytes.max(4096));
        let segments = Arc::new(Segments::list(folder, Kind::Outcomes, key)?);
        let (writer, next) = SegmentWriter::open(&segments, size, 0, recovery, see)?;
        let (pending, unsynced) = (BytesMut::new(), Unsynced::default());
        let disk = Disk { writer, next, first_pending: next, pending, unsynced };
        Ok((Self { most, state: Mutex::new(State::Disk(disk)) }, about))
    }

    pub(crate) fn record(&self, outcome: &Outcome) -> Result<(), JournalError> {
        let payload = outcome.encode();
        match &mut *lock(&self.state) {
            State::Disk(disk) => {
                frame::put(&mut disk.pending, disk.next, &payload, disk.writer.segments.key);
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
                Box::new(filter.over(&disk.writer.segments))
            }
            State::Memory { all, .. } => {
                let all: Vec<_> = all.iter().filter_map(|payload| Outcome::decode(payload)).collect();
                Box::new(all.into_iter().filter(move |outcome| filter.wants(outcome)).map(Ok))
            }
        })
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        match &*lock(&self.state) {
            State::Disk(disk) => disk.writer.segments.bytes(),
            State::Memory { .. } => 0,
        }
    }

    /// Removes the oldest segments beyond the limit.
    pub(crate) fn retain(&self) -> Result<(), JournalError> {
        let segments = match &*lock(&self.state) {
            State::Disk(disk) => Arc::clone(&disk.writer.segments),
            State::Memory { .. } => return Ok(()),
        };
        for sealed in segments.sealed() {
            if segments.bytes() <= self.most {
                break;
            }
            segments.remove(sealed.first)?;
        }
        Ok(())
    }
}

impl Journal {
    /// Records an outcome; it is on disk before any cursor that is moved after this call.
    ///
    /// # Errors
    /// Disk errors, when many have gathered that cannot be written. It is recorded all the same.
    pub fn record(&self, outcome: &Outcome) -> Result<(), JournalError> {
        let recorded = self.shared.outcomes.record(outcome);
        self.shared.something();
        recorded
    }

    /// The recorded outcomes that are wanted, oldest first.
    ///
    /// # Errors
    /// Disk errors, now and with each.
    pub fn outcomes(
        &self,
        filter: OutcomeFilter,
    ) -> Result<impl Iterator<Item = Result<Outcome, JournalError>> + Send + use<>, JournalError> {
        self.shared.outcomes.iter(filter)
    }
}
