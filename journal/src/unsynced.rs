//! What was written and is not yet confirmed by the disk.
//!
//! The system says once that it could not write something, and may have dropped it by then: asked again, it says that
//! all is well. So what is not confirmed is held here, and written again before the disk is asked again.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{io, mem};

use bytes::Bytes;

use crate::JournalError;
use crate::logfile::sync_folder;

/// As much is held at most. Where more is not confirmed, because the disk is slow, it is read back from the system, which
/// mostly still has it; if it has not, the checksums tell.
const MOST: u64 = 8 << 20;

/// What was written to the segments of one folder.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    runs: Vec<Run>,
    /// Where files are new.
    folder: Option<PathBuf>,
    /// The disk has not confirmed some of it when asked.
    failed: bool,
}

/// Bytes that were written one behind the other.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) file: Arc<File>,
    pub(crate) path: Arc<Path>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// All of them, or none if they were too many.
    pub(crate) bytes: Vec<Bytes>,
}

impl Run {
    fn is_followed_by(&self, next: &Self) -> bool {
        Arc::ptr_eq(&self.file, &next.file) && self.end == next.start
    }

    fn write_again(&self) -> io::Result<()> {
        let mut at = self.start;
        for bytes in &self.bytes {
            self.file.write_all_at(bytes, at)?;
            at += bytes.len() as u64;
        }
        let mut buffer = vec![0; 64 * 1024];
        while at < self.end {
            let len = buffer.len().min(usize::try_from(self.end - at).unwrap_or(usize::MAX));
            self.file.read_exact_at(&mut buffer[..len], at)?;
            self.file.write_all_at(&buffer[..len], at)?;
            at += len as u64;
        }
        Ok(())
    }
}

impl Unsynced {
    /// `folder` if the file is new to it.
    pub(crate) fn new(run: Run, folder: Option<PathBuf>) -> Self {
        Self { runs: vec![run], folder, failed: false }
    }

    /// Adds what was written later.
    pub(crate) fn add(&mut self, later: Self) {
        for mut run in later.runs {
            match self.runs.last_mut().filter(|last| last.is_followed_by(&run)) {
                Some(last) => {
                    last.end = run.end;
                    last.bytes.append(&mut run.bytes);
                }
                None => self.runs.push(run),
            }
        }
        if self.runs.iter().map(|run| run.end - run.start).sum::<u64>() > MOST {
            self.runs.iter_mut().for_each(|run| run.bytes = Vec::new());
        }
        self.folder = self.folder.take().or(later.folder);
        self.failed |= later.failed;
    }

    /// Puts back what the disk has not confirmed.
    pub(crate) fn put_back(&mut self, mut earlier: Self) {
        earlier.failed = true;
        earlier.add(mem::take(self));
        *self = earlier;
    }

    /// Has the disk confirm all of it.
    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        for run in &self.runs {
            let written = if self.failed { run.write_again() } else { Ok(()) };
            let synced = written.and_then(|()| run.file.sync_data());
            synced.map_err(|source| JournalError::io("sync", &run.path, source))?;
        }
        self.folder.as_deref().map_or(Ok(()), sync_folder)
    }
}
