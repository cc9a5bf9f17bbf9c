//! Reads messages from segments, in order, for a reader that is behind the ring.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::batch::Batch;
use crate::frame::Key;
use crate::offset::micros;
use crate::record::{Block, BlockBuilder, received};
use crate::scan::{Found, Frame, Scan};
use crate::segments::Segments;
use crate::{GapCause, JournalError};

/// As much is read into one batch, or one message if that is longer.
const BATCH_BYTES: usize = 1 << 20;

/// A place in the segments; it is kept between batches.
#[derive(Debug, Default)]
pub(crate) struct DiskReader {
    scan: Option<Scan>,
}

/// What was found at an offset.
#[derive(Debug)]
pub(crate) enum OnDisk {
    Block(Block),
    /// None of these is there.
    Gap(Range<u64>, GapCause),
}

impl DiskReader {
    /// To be called when the reader is back in memory.
    pub(crate) fn rest(&mut self) {
        if let Some(scan) = &mut self.scan {
            scan.rest();
        }
    }

    /// Up to `max` messages from `at` on, all before `until`, which is behind `at`.
    pub(crate) fn read(
        &mut self,
        segments: &Segments,
        at: u64,
        until: u64,
        max: usize,
    ) -> Result<OnDisk, JournalError> {
        let (holder, following) = segments.around(at);
        let end = following.unwrap_or(until).min(until);
        let Some((first, path)) = holder else { return Ok(OnDisk::Gap(at..end, GapCause::Retired)) };
        let Some(scan) = self.open(&path, segments.key, first, at)? else {
            return Ok(OnDisk::Gap(at..end, GapCause::Retired));
        };
        let mut block = BlockBuilder::default();
        let mut next = at;
        while next < end && block.len() < max.max(1) && block.bytes() < BATCH_BYTES {
            match scan.step()? {
                Found::Frame(frame) if frame.seq < next => {}
                Found::Frame(Frame { seq, at: place, payload }) => {
                    if seq == next && block.push(seq, scan.payload(payload)) {
                        next += 1;
                        continue;
                    }
                    if block.is_empty() {
                        // What is behind the hole is for the next call; a frame that holds no record is a hole itself.
                        let behind = if seq == next { seq + 1 } else { seq };
                        if seq != next {
                            scan.back_to(place, seq);
                        }
                        return Ok(OnDisk::Gap(at..behind.min(end), GapCause::Damaged));
                    }
                    scan.back_to(place, seq);
                    break;
                }
                Found::Damage { .. } => {}
                Found::Tail { .. } | Found::End => {
                    if block.is_empty() {
                        return Ok(OnDisk::Gap(at..end, GapCause::Damaged));
                    }
                    break;
                }
            }
        }
        Ok(OnDisk::Block(block.build()))
    }

    /// The scan that is nearest before `at`.
    fn open(
        &mut self,
        path: &Path,
        key: Key,
        first: u64,
        at: u64,
    ) -> Result<Option<&mut Scan>, JournalError> {
        let fits = |scan: &Scan| scan.path() == path && scan.expected() <= at;
        let scan = match self.scan.take().filter(fits) {
            Some(mut scan) => {
                scan.refresh()?;
                scan
            }
            None => {
                let Some(mut scan) = Scan::open_if_there(path, key, first)? else { return Ok(None) };
                if first < at {
                    scan.seek(|seq, _| seq <= at)?;
                }
                scan
            }
        };
        Ok(Some(self.scan.insert(scan)))
    }
}

impl Segments {
    /// One message.
    pub(crate) fn get(&self, offset: u64) -> Result<Option<Batch>, JournalError> {
        match DiskReader::default().read(self, offset, offset.saturating_add(1), 1)? {
            OnDisk::Block(block) => Ok(Batch::new(Arc::new(block), 0..1)),
            OnDisk::Gap(..) => Ok(None),
        }
    }

    /// The first message received at or after a time, if there is one. Takes it that they came in order.
    pub(crate) fn find(&self, time: SystemTime) -> Result<Option<u64>, JournalError> {
        let time = micros(time);
        let is_before = |payload: &[u8]| received(payload).is_some_and(|at| at < time);
        let mut found = None;
        for (first, path) in self.all().into_iter().rev() {
            let Some(mut scan) = Scan::open_if_there(&path, self.key, first)? else { break };
            scan.seek(|_, payload| is_before(payload))?;
            let mut begins_before = false;
            while let Some(frame) = scan.next_good(u64::MAX)? {
                if !is_before(scan.payload(frame.payload)) {
                    found = Some(frame.seq);
                    break;
                }
                begins_before = true;
            }
            if begins_before {
                break;
            }
        }
        Ok(found)
    }
}
