//! A disk that does not confirm what was written: strace makes the system call fail that asks it to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{append, open, read_all, try_append};
use journal::{JournalError, Mode, Offset, Opened, Options, Start};
use tempfile::TempDir;

const DIRECTORY: &str = "JOURNAL_TEST_FAILING";

/// A segment long enough for a test.
fn options(sync_interval: Duration) -> Options {
    Options { mode: Mode::Durable { sync_interval }, ..Options::default() }
}

fn segment(directory: &Path) -> PathBuf {
    directory.join("messages/00000000000000000000.seg")
}

/// Runs one of the tests below where the disk does not confirm messages at these calls, and says how many it did not.
/// `None` where that cannot be had.
fn with_failing(calls: &str, test: &str) -> Option<(TempDir, usize)> {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("strace");
    let strace = || {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-e", "trace=fdatasync", "-o"]).arg(&trace);
        strace.arg("-e").arg(format!("inject=fdatasync:error=EIO:when={calls}"));
        strace.arg("-P").arg(segment(directory.path()));
        strace
    };
    match strace().arg("true").output() {
        Ok(output) if output.status.success() => {}
        other => {
            println!("NOT TESTED: strace cannot be used here: {other:?}");
            return None;
        }
    }
    let child = strace()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    let trace = fs::read_to_string(trace).unwrap();
    assert!(child.status.success(), "{child:?}\n{trace}");
    Some((directory, trace.matches("(INJECTED)").count()))
}

fn everything_is_there(directory: &Path) -> u64 {
    let Opened { journal, recovery, .. } = open(directory, &options(Duration::ZERO));
    assert!(recovery.is_clean(), "{recovery:?}");
    let offsets = read_all(&mut journal.reader(Offset(0))).0;
    assert_eq!(offsets, (0..journal.next().0).collect::<Vec<_>>());
    assert_eq!(journal.register("a", Start::New).unwrap().position(), journal.next());
    journal.next().0
}

#[test]
fn a_flush_says_what_the_disk_did_not_confirm() {
    let Some((directory, failed)) = with_failing("2..4", "flushing") else { return };
    assert_eq!(failed, 3);
    assert_eq!(everything_is_there(directory.path()), 40);
}

/// Does nothing unless started as above.
#[test]
fn flushing() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    // So that nothing is asked of the disk but by `flush`.
    let Opened { journal, mut appender, .. } = open(&directory, &options(Duration::from_secs(1_000_000)));
    let cursor = journal.register("a", Start::New).unwrap();
    append(&mut appender, 10);
    journal.flush().unwrap();
    for end in [20, 30] {
        append(&mut appender, 10);
        // The second one asks the disk twice, and is told the second time that all is well.
        let error = journal.flush().unwrap_err();
        let JournalError::Sync { path, offsets, source } = &error else { panic!("{error:?}") };
        assert_eq!((path, offsets), (&segment(&directory), &(Offset(10)..Offset(end))));
        assert!(source.raw_os_error() == Some(5) && error.may_pass(), "{error:?}");
        assert_eq!(read_all(&mut journal.reader(Offset(0))).0, (0..end).collect::<Vec<_>>());
    }
    append(&mut appender, 10);
    cursor.commit(appender.next());
    journal.flush().unwrap();
    assert_eq!(journal.stats().durable, Offset(40));
    journal.close().unwrap();
}

#[test]
fn the_appender_learns_once_that_the_disk_did_not_confirm() {
    let Some((directory, failed)) = with_failing("1", "appending") else { return };
    assert_eq!(failed, 1);
    everything_is_there(directory.path());
}

/// Does nothing unless started as above.
#[test]
fn appending() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let Opened { journal, mut appender, .. } = open(&directory, &options(Duration::from_millis(2)));
    let cursor = journal.register("a", Start::New).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let error = loop {
        match try_append(&mut appender, 1) {
            Ok(_) => assert!(Instant::now() < deadline, "it is never said"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::Sync { offsets, .. } if offsets.start == Offset(0)));
    append(&mut appender, 10);
    cursor.commit(appender.next());
    journal.close().unwrap();
}
