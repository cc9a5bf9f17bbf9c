//! One owner per state directory: a lock that the system lets go of when the process ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::JournalError;

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(io)?;
                return Err(JournalError::Locked { path: path.to_owned(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        // Only for the message of who comes second: on a full disk the lock still holds without it.
        let named = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        match named.map_err(io) {
            Ok(()) | Err(JournalError::Full { .. }) => Ok(Self { _file: file }),
            Err(other) => Err(other),
        }
    }
}
