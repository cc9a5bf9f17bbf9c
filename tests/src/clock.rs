//! A clock that a test sets, for one hub alone.

use std::path::{Path, PathBuf};

use crate::{HubBuilder, Scratch};

/// What a hub with this sees on the wall: the time, put forward or back. The clock that nobody sets is left alone.
pub struct WallClock(PathBuf);

impl WallClock {
    /// It goes right.
    pub fn new(scratch: &Scratch) -> Self {
        Self(scratch.write("clock", "+0"))
    }

    /// The hub sees this clock.
    pub fn of<'s>(&self, hub: HubBuilder<'s>) -> HubBuilder<'s> {
        let path = |path: &Path| path.to_str().expect("a UTF-8 path").to_owned();
        hub.env("LD_PRELOAD", &path(&library()))
            .env("FAKETIME_TIMESTAMP_FILE", &path(&self.0))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            // The times of files are the kernel's.
            .env("NO_FAKE_STAT", "1")
    }

    /// Puts it so many days before or after the right time.
    pub fn set(&self, days: i32) {
        let next = self.0.with_extension("next");
        std::fs::write(&next, format!("{days:+}d")).expect("a file");
        std::fs::rename(next, &self.0).expect("a file");
    }
}

fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a folder").filter_map(Result::ok);
    let libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let there: Option<PathBuf> =
        libraries.chain(["/usr/lib/faketime/libfaketimeMT.so.1".into()]).find(|it| it.exists());
    there.expect("libfaketime: run scripts/test, which installs it")
}
