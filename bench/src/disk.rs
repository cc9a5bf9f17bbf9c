//! What the disk can do by itself: the same bytes, written in a row, with a sync as often as the journal makes one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// As the hub's `journal.sync_interval`.
const SYNC_INTERVAL: Duration = Duration::from_millis(20);
const CHUNK: usize = 256 << 10;

/// How long it takes to write so many bytes to a new file and to have them on the disk. The file is removed.
pub(crate) fn write(path: &Path, bytes: u64) -> io::Result<Duration> {
    let file = File::create(path)?;
    // Any bytes that a disk cannot make fewer of.
    let mut state = 1_u64;
    let chunk: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(CHUNK)
    .collect();
    let start = Instant::now();
    // Nothing waits for a sync but the end: so writes go on while one is under way, as fast as the disk allows.
    let mut writer = &file;
    std::thread::scope(|scope| {
        let (done, ended) = mpsc::channel::<()>();
        let syncs = scope.spawn(move || {
            while ended.recv_timeout(SYNC_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                writer.sync_data()?;
            }
            writer.sync_data()
        });
        let mut left = bytes;
        while left > 0 {
            let len = left.min(CHUNK as u64) as usize;
            writer.write_all(&chunk[..len])?;
            left -= len as u64;
        }
        drop(done);
        syncs.join().unwrap_or_else(|_| Err(io::Error::other("a panic")))
    })?;
    let elapsed = start.elapsed();
    drop(file);
    fs::remove_file(path)?;
    Ok(elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let took = write(&folder.path().join("file"), CHUNK as u64 + 1).unwrap();
        assert!(took > Duration::ZERO);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
