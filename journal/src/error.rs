//! What can go wrong, with the file and the mend.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::Offset;

/// Why the journal could not do as asked. Damage found in its files is no error but reported, see
/// [`Recovery`](crate::Recovery).
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another process has the journal open.
    #[error(
        "{path} is locked by {}: one journal has one owner; stop that process, or give this one another state \
         directory", holder(*.pid)
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, if it has said so yet.
        pid: Option<u32>,
    },
    /// The disk or a quota is full. Nothing of what was to be written is left behind; the same call can be made
    /// again when there is room.
    #[error(
        "no room to write {path} ({source}): free some, or lower the journal's limits; nothing is lost meanwhile"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file system has become read-only. The call can be made again after it is writable.
    #[error("{path} is on a file system that is read-only ({source}): remount it")]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The disk did not confirm messages that were written. They are in place for every reader and survive the process's
    /// end, but perhaps not a loss of power. They are written again until it does, and nothing else is meanwhile.
    #[error(
        "{path}: the disk does not confirm messages {} to {} ({source}), and nothing is taken until it does: check it",
        .offsets.start, .offsets.end
    )]
    Sync {
        /// The file.
        path: PathBuf,
        /// What was written since the last confirmation.
        offsets: Range<Offset>,
        /// What the system says.
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file was written by a newer version of this program.
    #[error(
        "{path} has format {found}, and this version reads up to {}: use the newer program",
        crate::frame::VERSION
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u8,
    },
    /// The record is too long for its fields.
    #[error(
        "a record's {field} has {len} bytes, more than the {most} there is place for: refuse such messages first"
    )]
    TooLong {
        /// Which part of it.
        field: &'static str,
        /// Its bytes.
        len: usize,
        /// How many it may have.
        most: usize,
    },
    /// No consumer of that name is registered.
    #[error("no consumer {name:?} has a cursor here")]
    UnknownConsumer {
        /// The name.
        name: String,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl JournalError {
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { path, source }
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, source },
            _ => Self::Io { doing, path, source },
        }
    }

    /// Whether the same call may succeed later, when the operator has made room or mended the disk.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::ReadOnly { .. } | Self::Sync { .. } | Self::Io { .. })
    }
}
