//! A file that frames are appended to. A write that fails leaves nothing behind.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::JournalError;
use crate::frame::{FILE_HEADER, Key, Kind, file_header};
use crate::recovery::Survey;
use crate::unsynced::Run;

/// A file being appended to.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: Arc<File>,
    path: Arc<Path>,
    /// The end of what is good.
    end: u64,
    /// There may be something behind `end`, which a crash would make look like frames.
    ragged: bool,
}

impl LogFile {
    /// A new file; one that was there is emptied.
    pub(crate) fn create(path: &Path, kind: Kind, key: Key) -> Result<Self, JournalError> {
        let io = |source| JournalError::io("create", path, source);
        let mut options = OpenOptions::new();
        let file =
            options.write(true).read(true).create(true).truncate(true).mode(0o600).open(path).map_err(io)?;
        if let Err(source) = file.write_all_at(&file_header(kind, key), 0) {
            // A file without a header is recovered from as well; this only keeps the folder tidy.
            drop(fs::remove_file(path));
            return Err(io(source));
        }
        Ok(Self { file: Arc::new(file), path: Arc::from(path), end: FILE_HEADER as u64, ragged: false })
    }

    /// Goes on behind what was found to be good.
    pub(crate) fn resume(path: &Path, kind: Kind, key: Key, survey: &Survey) -> Result<Self, JournalError> {
        let io = |source| JournalError::io("open", path, source);
        let file = OpenOptions::new().write(true).read(true).open(path).map_err(io)?;
        if !survey.headed {
            file.write_all_at(&file_header(kind, key), 0).map_err(io)?;
        }
        file.set_len(survey.end).map_err(io)?;
        Ok(Self { file: Arc::new(file), path: Arc::from(path), end: survey.end, ragged: false })
    }

    /// Puts a new file in the place of another, at once: after a crash there is the one or the other, whole.
    pub(crate) fn replace(
        path: &Path,
        kind: Kind,
        key: Key,
        fill: impl FnOnce(&mut Self) -> Result<(), JournalError>,
    ) -> Result<Self, JournalError> {
        let new = path.with_extension("new");
        let write = || {
            let mut log = Self::create(&new, kind, key)?;
            fill(&mut log)?;
            log.sync()?;
            fs::rename(&new, path).map_err(|source| JournalError::io("replace", path, source))?;
            Ok(log)
        };
        let written = write();
        if written.is_err() {
            // The room may be wanted.
            drop(fs::remove_file(&new));
        }
        Ok(Self { path: Arc::from(path), ..written? })
    }

    pub(crate) fn write(&mut self, frames: &[u8]) -> Result<(), JournalError> {
        let io = |source| JournalError::io("write", &self.path, source);
        if self.ragged {
            self.file.set_len(self.end).map_err(io)?;
            self.ragged = false;
        }
        if let Err(source) = self.file.write_all_at(frames, self.end) {
            self.ragged = self.file.set_len(self.end).is_err();
            return Err(io(source));
        }
        self.end += frames.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|source| JournalError::io("sync", &self.path, source))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Says that this was written from there to the end.
    pub(crate) fn run(&self, start: u64, bytes: Vec<Bytes>) -> Run {
        Run { file: Arc::clone(&self.file), path: Arc::clone(&self.path), start, end: self.end, bytes }
    }
}

/// Makes the names in a folder survive a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| JournalError::io("sync", folder, source))
}
