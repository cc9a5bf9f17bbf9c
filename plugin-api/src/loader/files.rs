//! Which files of plugins this process has loaded. What the dynamic linker once had under a path it gives again,
//! whatever the file is by now: a changed file is therefore loaded from a copy, by a path of its own.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};

use super::Library;

/// One for the process, because the linker has one for the process.
static LOADED: Mutex<BTreeMap<PathBuf, Option<(Identity, Library)>>> = Mutex::new(BTreeMap::new());

/// The libraries by path; `None` where what was loaded was no library of plugins.
pub(super) type Loaded = MutexGuard<'static, BTreeMap<PathBuf, Option<(Identity, Library)>>>;

pub(super) fn loaded() -> Loaded {
    // A panic leaves no entry half-made.
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// By what a file is told from one that has taken its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// A copy in memory, and its path. It is there until the process ends, as the library itself is.
pub(super) fn private_copy(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default();
    let mut copy = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    io::copy(&mut File::open(path)?, &mut copy)?;
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    // A number that was free again would make a path that the linker knows.
    std::mem::forget(copy);
    Ok(path.into())
}
