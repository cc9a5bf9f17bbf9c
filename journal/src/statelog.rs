//! A small log that states something in few frames and is now and then written anew: cursors and dead letters.

use std::path::Path;

use bytes::BytesMut;

use crate::JournalError;
use crate::frame::{self, Key, Kind};
use crate::logfile::{LogFile, sync_folder};
use crate::recovery::{Recovery, survey};

#[derive(Debug)]
pub(crate) struct StateLog {
    log: LogFile,
    kind: Kind,
    key: Key,
    next: u64,
    /// It is written anew at this size.
    rewrite_at: u64,
    unsynced: bool,
    /// The disk has not confirmed some of it when asked, or may not have.
    failed: bool,
}

/// Below this a [`StateLog`] isn't worth writing anew.
const SMALL: u64 = 256 * 1024;

impl StateLog {
    /// Opens or makes it, and hands over each statement.
    pub(crate) fn open(
        path: &Path,
        kind: Kind,
        key: Key,
        recovery: &mut Recovery,
        each: impl FnMut(&[u8]),
    ) -> Result<Self, JournalError> {
        let mut next = 0;
        let log = if path.exists() {
            let mut survey = survey(path, kind, key, 0, each)?;
            next = survey.next;
            recovery.take(&mut survey);
            LogFile::resume(path, kind, key, &survey)?
        } else {
            LogFile::create(path, kind, key)?
        };
        let rewrite_at = (log.end() * 2).max(SMALL);
        Ok(Self { log, kind, key, next, rewrite_at, unsynced: true, failed: false })
    }

    pub(crate) fn append(&mut self, payloads: &[Vec<u8>]) -> Result<(), JournalError> {
        let frames = frames(payloads, self.next, self.key);
        self.log.write(&frames)?;
        self.next += payloads.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    pub(crate) fn is_long(&self) -> bool {
        self.log.end() > self.rewrite_at
    }

    /// Replaces all it says, at once.
    pub(crate) fn rewrite(&mut self, payloads: &[Vec<u8>]) -> Result<(), JournalError> {
        let frames = frames(payloads, self.next, self.key);
        self.log = LogFile::replace(self.log.path(), self.kind, self.key, |log| log.write(&frames))?;
        self.next += payloads.len() as u64;
        self.rewrite_at = (self.log.end() * 2).max(SMALL);
        self.failed = true;
        self.log.path().parent().map_or(Ok(()), sync_folder)?;
        (self.unsynced, self.failed) = (false, false);
        Ok(())
    }

    /// Has the disk confirm what was stated. If it has failed to before, `all` is stated anew, in another file: the
    /// system tells once of what it could not write, and then calls it written.
    pub(crate) fn sync(&mut self, all: impl FnOnce() -> Vec<Vec<u8>>) -> Result<(), JournalError> {
        if self.failed {
            return self.rewrite(&all());
        }
        if self.unsynced {
            self.failed = true;
            self.log.sync()?;
            (self.unsynced, self.failed) = (false, false);
        }
        Ok(())
    }
}

fn frames(payloads: &[Vec<u8>], first: u64, key: Key) -> BytesMut {
    let mut buffer = BytesMut::new();
    for (seq, payload) in (first..).zip(payloads) {
        frame::put(&mut buffer, seq, payload, key);
    }
    buffer
}
