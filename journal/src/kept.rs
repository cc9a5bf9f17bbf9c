//! The messages of dead letters that are older than the log.
//!
//! A segment that leaves the log, while dead letters need messages of it, is moved into a folder of its own. That takes
//! no room, so that a full disk is no obstacle. There it is written anew with just those messages if that saves much, and
//! removed when no letter needs any more of it. A crash leaves every message in one place or the other, and what it left
//! undone is done the next time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::BytesMut;

use crate::JournalError;
use crate::batch::Batch;
use crate::deadletters::DeadLetters;
use crate::frame::{self, Key, Kind};
use crate::logfile::LogFile;
use crate::scan::{Frame, Scan};
use crate::segments::{Sealed, Segments};
use crate::sync::{Mutex, lock};

/// With less than that for each message that is needed, there is no room to be won.
const PAGE: u64 = 4096;

#[derive(Debug)]
pub(crate) struct Kept {
    segments: Segments,
    /// How many messages those have that were written anew.
    shrunk: Mutex<BTreeMap<u64, u64>>,
}

impl Kept {
    pub(crate) fn open(folder: &Path, key: Key) -> Result<Self, JournalError> {
        let segments = Segments::list(folder, Kind::Messages, key)?;
        Ok(Self { segments, shrunk: Mutex::default() })
    }

    pub(crate) fn get(&self, offset: u64) -> Result<Option<Batch>, JournalError> {
        self.segments.get(offset)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.segments.bytes()
    }

    /// Takes a segment out of the log.
    pub(crate) fn take(&self, log: &Segments, first: u64) -> Result<(), JournalError> {
        log.hand_over(first, &self.segments)
    }

    /// Keeps no more than the letters need; the log begins at `end`. Does what it can, and returns the first error.
    pub(crate) fn tidy(&self, letters: &DeadLetters, end: u64) -> Result<(), JournalError> {
        let mut result = Ok(());
        for segment in self.segments.sealed_before(end) {
            let needed = letters.within(segment.first..segment.end);
            let done = if needed.is_empty() {
                lock(&self.shrunk).remove(&segment.first);
                // If a crash has left that.
                drop(fs::remove_file(segment.path.with_extension("new")));
                self.segments.remove(segment.first)
            } else {
                self.shrink(&segment, &needed)
            };
            result = result.and(done);
        }
        result
    }

    /// Only once half of them can go, so that letters that go one by one cost little.
    fn shrink(&self, Sealed { first, end, path }: &Sealed, needed: &[u64]) -> Result<(), JournalError> {
        let io = |source| JournalError::io("look at", path, source);
        let len = fs::metadata(path).map_err(io)?.len();
        let (count, had) = (needed.len() as u64, lock(&self.shrunk).get(first).copied());
        if count * 2 > had.unwrap_or(end - first) || len <= count * PAGE {
            return Ok(());
        }
        let key = self.segments.key;
        let mut scan = Scan::open(path, key, *first)?;
        LogFile::replace(path, Kind::Messages, key, |log| {
            while let Some(Frame { seq, payload, .. }) = scan.next_good(u64::MAX)? {
                if needed.binary_search(&seq).is_ok() {
                    let mut buffer = BytesMut::new();
                    frame::put(&mut buffer, seq, scan.payload(payload), key);
                    log.write(&buffer)?;
                }
            }
            Ok(())
        })?;
        lock(&self.shrunk).insert(*first, count);
        Ok(())
    }
}
