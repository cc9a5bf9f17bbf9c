//! What the tests of the journal share.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by them")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use journal::{
    Appended, Appender, Batch, DeadLetter, Gap, Journal, JournalError, Mode, Next, Offset, Opened, Options,
    Reader, Record, Retention, Retired, WhenFull,
};
use tempfile::TempDir;

pub(crate) const DURABLE: Mode = Mode::Durable { sync_interval: Duration::from_millis(2) };

/// Small segments and a small ring, so that every path is gone through.
pub(crate) fn small() -> Options {
    Options { mode: DURABLE, ring_bytes: 4096, segment_bytes: 4096, outcomes_bytes: 1 << 20 }
}

/// The same, in memory.
pub(crate) fn memory(max_bytes: u64, when_full: WhenFull) -> Options {
    Options { mode: Mode::Memory { max_bytes, when_full }, ..small() }
}

pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn open(directory: &Path, options: &Options) -> Opened {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match Journal::open(directory, options) {
            // What this process starts for another test holds all its files for a moment, before it is what it is to be.
            Err(JournalError::Locked { .. }) if Instant::now() < deadline => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The message that stands at an offset in these tests: known by its offset, of varied length.
pub(crate) fn body(offset: u64) -> Vec<u8> {
    let mut body = format!("{{\"number\":{offset}}}").into_bytes();
    body.resize(body.len() + (offset * 37 % 200) as usize, b'.');
    body
}

/// Appends `count` messages, each with the body of its offset.
pub(crate) fn append(appender: &mut Appender, count: u64) {
    let first = appender.next().0;
    let appended = try_append(appender, count).unwrap();
    assert_eq!((appended.offsets, appended.dropped), (Offset(first)..Offset(first + count), 0));
}

/// The same, where it may fail.
pub(crate) fn try_append(appender: &mut Appender, count: u64) -> Result<Appended, JournalError> {
    let first = appender.next().0;
    let bodies: Vec<_> = (first..first + count).map(body).collect();
    let topics: Vec<_> = (first..first + count).map(|offset| format!("org.example.test.{offset}")).collect();
    let mut records = Vec::new();
    for ((offset, body), topic) in (first..).zip(&bodies).zip(&topics) {
        let (received, flags) = (at(offset), offset as u32);
        records.push(Record { received, endpoint: "bus", flags, note: b"note", topic, body });
    }
    let appended = appender.append(&records);
    if appended.is_err() {
        assert_eq!(appender.next(), Offset(first), "all or none");
    }
    appended
}

/// Every entry is what was appended at its offset.
pub(crate) fn check(batch: &Batch) {
    for entry in batch.iter() {
        let offset = entry.offset().0;
        assert_eq!(entry.body(), body(offset), "body of {offset}");
        assert_eq!(entry.topic(), format!("org.example.test.{offset}"));
        assert_eq!((entry.endpoint(), entry.note(), entry.flags()), ("bus", &b"note"[..], offset as u32));
        assert_eq!(entry.received(), at(offset));
    }
}

/// Reads to the end: the offsets got, and the gaps. Nothing may be passed over in silence.
pub(crate) fn read_all(reader: &mut Reader) -> (Vec<u64>, Vec<Gap>) {
    let (mut got, mut gaps) = (Vec::new(), Vec::new());
    let mut next = reader.position();
    loop {
        match reader.poll(7).unwrap() {
            Some(Next::Batch(batch)) => {
                check(&batch);
                assert_eq!(batch.first(), next);
                got.extend(batch.iter().map(|entry| entry.offset().0));
                next = batch.end();
            }
            Some(Next::Gap(gap)) => {
                assert_eq!(gap.offsets.start, next);
                assert!(gap.offsets.end > next);
                next = gap.offsets.end;
                gaps.push(gap);
            }
            None | Some(Next::Closed) => return (got, gaps),
            Some(other) => panic!("{other:?}"),
        }
    }
}

/// What is kept of a message that `consumer` has failed at.
pub(crate) fn letter(offset: u64, consumer: &str) -> DeadLetter {
    let (consumer, error) = (consumer.to_owned(), "it broke".to_owned());
    DeadLetter {
        offset: Offset(offset),
        consumer,
        attempts: 5,
        first: at(1),
        last: at(2),
        error,
        requeued: false,
        in_hand: false,
    }
}

/// Retention that takes all it may.
pub(crate) const GREEDY: Retention = Retention { max_age: None, max_bytes: Some(0), hard_max_bytes: None };

/// Retention without trouble.
pub(crate) fn retain(journal: &Journal, keep: &Retention) -> Retired {
    let retired = journal.retain(keep, at(0));
    assert!(retired.trouble.is_none(), "{retired:?}");
    retired
}

/// The message at an offset, as it was appended, is there.
pub(crate) fn is_there(journal: &Journal, offset: u64) -> bool {
    let message = journal.get(Offset(offset)).unwrap();
    if let Some(message) = &message {
        assert_eq!((message.first(), message.len()), (Offset(offset), 1));
        check(message);
    }
    message.is_some()
}

/// The segments of messages, oldest first.
pub(crate) fn segments(directory: &Path) -> Vec<PathBuf> {
    files(&directory.join("messages"))
}

/// The files in a folder, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// A copy of a state directory, as a kill or a loss of power would leave it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The seed of this run, printed so that a failure can be repeated with `FEDMSG_TEST_SEED`.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("FEDMSG_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("FEDMSG_TEST_SEED={seed}");
    seed
}
