//! One owner per state directory: a lock that the system lets go of when the process ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::JournalError;

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    /// The owner before had come to no orderly end.
    pub(crate) crashed: bool,
}

/// The process that seems to own a state directory: it is named in the lock's file, and lives. Asks without taking the
/// lock for a moment, which would turn away a hub that starts just then.
pub(crate) fn owner(path: &Path) -> Option<u32> {
    let pid = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    Path::new("/proc").join(u32::to_string(&pid)).exists().then_some(pid)
}

impl Lock {
    pub(crate) fn take(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::io("lock", path, source);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let mut text = String::new();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                file.read_to_string(&mut text).map_err(io)?;
                return Err(JournalError::Locked { path: path.to_owned(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let crashed = file.read_to_string(&mut text).map_err(io)? > 0;
        // For who comes second, and who comes next: on a full disk the lock still holds without it.
        let named = file.set_len(0).and_then(|()| file.rewind());
        match named.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io) {
            Ok(()) | Err(JournalError::Full { .. }) => Ok(Self { file, crashed }),
            Err(other) => Err(other),
        }
    }

    /// The owner has come to an orderly end.
    pub(crate) fn sign_off(&self) {
        // Who comes next takes it for a crash otherwise, and is careful.
        drop(self.file.set_len(0));
    }
}
