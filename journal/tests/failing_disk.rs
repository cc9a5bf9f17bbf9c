//! A disk that does not confirm what was written: strace makes the system call fail that asks it to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{append, at, copy, letter, open, read_all, try_append};
use journal::{Archive, Ending, JournalError, Mode, Offset, Opened, Options, Outcome, OutcomeFilter, Start};
use tempfile::TempDir;

const DIRECTORY: &str = "JOURNAL_TEST_FAILING";

const MESSAGES: &str = "messages/00000000000000000000.seg";
const OUTCOMES: &str = "outcomes/00000000000000000000.seg";
const DEAD_LETTERS: &str = "dead-letters.log";

/// A segment long enough for a test.
fn options(sync_interval: Duration) -> Options {
    Options { mode: Mode::Durable { sync_interval }, ..Options::default() }
}

/// Nothing is asked of the disk but by `flush`, which asks twice at most.
fn by_hand() -> Options {
    options(Duration::from_secs(1_000_000))
}

/// Runs one of the tests below where the disk does not confirm what is in this file at these calls. `None` where that
/// cannot be had.
fn with_failing(file: &str, calls: &str, test: &str) -> Option<TempDir> {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("strace");
    let strace = || {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-e", "trace=fdatasync", "-o"]).arg(&trace);
        strace.arg("-e").arg(format!("inject=fdatasync:error=EIO:when={calls}"));
        strace.arg("-P").arg(directory.path().join(file));
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
    assert!(trace.contains("(INJECTED)"), "{trace}");
    Some(directory)
}

/// Where a child works; `None` unless started as such.
fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// What a system does that could not write a part of a file: it has the old bytes again, and calls them written.
fn forget(path: &Path, from: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(&vec![0; (len(path) - from) as usize], from).unwrap();
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
fn messages_that_the_disk_does_not_confirm_are_written_again() {
    let Some(directory) = with_failing(MESSAGES, "2..3", "messages") else { return };
    assert_eq!(everything_is_there(directory.path()), 30);
}

#[test]
fn messages() {
    if let Some(directory) = directory() {
        fail_to_confirm(&directory, 10, 10, forget);
    }
}

#[test]
fn messages_in_a_file_that_the_disk_never_confirmed_are_written_again() {
    let Some(directory) = with_failing(MESSAGES, "1..2", "messages_from_the_start") else { return };
    assert_eq!(everything_is_there(directory.path()), 20);
}

#[test]
fn messages_from_the_start() {
    if let Some(directory) = directory() {
        fail_to_confirm(&directory, 0, 10, forget);
    }
}

#[test]
fn messages_that_are_too_much_to_be_held_are_read_back_and_written_again() {
    let Some(directory) = with_failing(MESSAGES, "1..2", "many_messages") else { return };
    assert_eq!(everything_is_there(directory.path()), 60_010);
}

#[test]
fn many_messages() {
    if let Some(directory) = directory() {
        fail_to_confirm(&directory, 0, 60_000, |segment, _| assert!(len(segment) > 9 << 20));
    }
}

/// The disk does not confirm so many messages, and the system does something to them, or not.
fn fail_to_confirm(directory: &Path, confirmed: u64, count: u64, forget: fn(&Path, u64)) {
    let Opened { journal, mut appender, .. } = open(directory, &by_hand());
    let cursor = journal.register("a", Start::New).unwrap();
    let (segment, mut good) = (directory.join(MESSAGES), 0);
    if confirmed > 0 {
        append(&mut appender, confirmed);
        journal.flush().unwrap();
        good = len(&segment);
    }
    let end = confirmed + count;
    while appender.next().0 < end {
        append(&mut appender, 10);
    }
    cursor.commit(Offset(end));
    let error = journal.flush().unwrap_err();
    let JournalError::Sync { path, offsets, source } = &error else { panic!("{error:?}") };
    assert_eq!((path, offsets), (&segment, &(Offset(confirmed)..Offset(end))));
    assert!(source.raw_os_error() == Some(5) && error.may_pass(), "{error:?}");

    // There for everybody, but not for good, and nothing else comes to it.
    assert_eq!(read_all(&mut journal.reader(Offset(0))).0, (0..end).collect::<Vec<_>>());
    assert!(matches!(try_append(&mut appender, 10), Err(JournalError::Sync { .. })));
    let stats = journal.stats();
    assert_eq!((stats.durable, stats.trouble), (Offset(confirmed), Some(error.to_string())));
    let image = tempfile::tempdir().unwrap();
    copy(directory, image.path());
    assert_eq!(Archive::open(image.path()).unwrap().consumers()[0].next, Offset(confirmed));

    forget(&segment, good);
    journal.flush().unwrap();
    assert_eq!(journal.stats().durable, Offset(end));
    append(&mut appender, 10);
    cursor.commit(appender.next());
    journal.close().unwrap();
}

#[test]
fn the_appender_waits_for_the_disk_and_goes_on() {
    let Some(directory) = with_failing(MESSAGES, "1..3", "appending") else { return };
    everything_is_there(directory.path());
}

#[test]
fn appending() {
    let Some(directory) = directory() else { return };
    let Opened { journal, mut appender, .. } = open(&directory, &options(Duration::from_millis(2)));
    let cursor = journal.register("a", Start::New).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut until = |refused: bool| {
        while try_append(&mut appender, 1).is_err() != refused {
            assert!(Instant::now() < deadline, "{refused} never comes");
        }
    };
    until(true);
    until(false);
    cursor.commit(appender.next());
    journal.close().unwrap();
}

#[test]
fn outcomes_that_the_disk_does_not_confirm_are_written_again() {
    let Some(directory) = with_failing(OUTCOMES, "2..3", "outcomes") else { return };
    let archive = Archive::open(directory.path()).unwrap();
    assert!(archive.recovery().is_clean());
    assert_eq!(archive.outcomes(OutcomeFilter::default()).map(Result::unwrap).count(), 3);
}

#[test]
fn outcomes() {
    let Some(directory) = directory() else { return };
    let Opened { journal, .. } = open(&directory, &by_hand());
    let record = || {
        let outcome = Outcome { at: at(0), offset: None, ending: Ending::Unmatched };
        journal.record(&outcome).unwrap();
        journal.flush()
    };
    record().unwrap();
    let good = len(&directory.join(OUTCOMES));
    record().unwrap_err();
    forget(&directory.join(OUTCOMES), good);
    record().unwrap();
}

#[test]
fn dead_letters_that_the_disk_does_not_confirm_are_stated_anew_in_another_file() {
    let Some(directory) = with_failing(DEAD_LETTERS, "2", "dead_letters") else { return };
    let Opened { journal, recovery, .. } = open(directory.path(), &by_hand());
    assert!(recovery.is_clean());
    assert_eq!(journal.dead_letters(), [letter(1, "a"), letter(2, "a"), letter(3, "a")]);
}

#[test]
fn dead_letters() {
    let Some(directory) = directory() else { return };
    let Opened { journal, mut appender, .. } = open(&directory, &by_hand());
    append(&mut appender, 5);
    let bury = |offset| {
        journal.bury(letter(offset, "a")).unwrap();
        journal.flush().unwrap();
        fs::metadata(directory.join(DEAD_LETTERS)).unwrap().ino()
    };
    let first = bury(1);
    let second = bury(2);
    assert!(first != second, "flushing asks twice");
    assert_eq!(bury(3), second);
}
