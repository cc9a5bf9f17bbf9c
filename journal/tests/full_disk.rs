//! A disk that is full, a real one: nothing is lost or half written, and it goes on when there is room.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{GREEDY, append, is_there, letter, open, read_all, retain, segments, small, try_append};
use journal::{Appender, JournalError, Offset, Opened, Options, Start};

/// A file system of a few pages, mounted for one test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "journal-test"])
            .arg(dir.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(dir)),
            other => {
                println!("NOT TESTED: no tmpfs can be mounted here: {other:?}");
                None
            }
        }
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", how]).arg(self.0.path()).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

/// Appends until it cannot.
fn fill(appender: &mut Appender) -> JournalError {
    (0..10_000).find_map(|_| try_append(appender, 10).err()).expect("a full disk")
}

fn everything_is_there(directory: &Path, next: u64) {
    let Opened { journal, recovery, .. } = open(directory, &small());
    assert!(recovery.is_clean(), "{recovery:?}");
    assert_eq!(read_all(&mut journal.reader(Offset(0))).0, (0..next).collect::<Vec<_>>());
}

#[test]
fn appending_goes_on_when_there_is_room_again() {
    let Some(disk) = SmallDisk::mount("size=256k") else { return };
    let directory = disk.0.path().join("state");
    let Opened { journal, mut appender, .. } = open(&directory, &small());
    let cursor = journal.register("a", Start::New).unwrap();
    let ballast = disk.0.path().join("ballast");
    for _ in 0..5 {
        fs::write(&ballast, [0; 40_000]).unwrap();
        let error = fill(&mut appender);
        assert!(matches!(error, JournalError::Full { .. }) && error.may_pass(), "{error:?}");
        // Again, with the disk still full; then a cursor, which has to wait for room.
        assert!(matches!(fill(&mut appender), JournalError::Full { .. }));
        cursor.commit(appender.next());
        fs::remove_file(&ballast).unwrap();
        append(&mut appender, 10);
        journal.flush().unwrap();
        disk.remount(&format!("remount,size={}k", 256 + appender.next().0 / 2));
    }
    let next = appender.next().0;
    drop((journal, appender, cursor));
    everything_is_there(&directory, next);
    let position = open(&directory, &small()).journal.register("a", Start::New).unwrap().position();
    assert!(position.0 >= next - 10 && position.0 > 0, "{position}");
}

#[test]
fn retention_makes_room_on_a_full_disk_and_loses_no_dead_letter() {
    let Some(disk) = SmallDisk::mount("size=2m") else { return };
    let directory = disk.0.path().join("state");
    let options = Options { segment_bytes: 200_000, ..small() };
    let Opened { journal, mut appender, .. } = open(&directory, &options);
    // Seals so many segments, and says with what each begins.
    let seal = |appender: &mut Appender, count: usize| {
        let (mut firsts, before) = (vec![appender.next().0], segments(&directory).len());
        while firsts.len() <= count {
            append(appender, 20);
            if segments(&directory).len() == before + firsts.len() {
                firsts.push(appender.next().0);
            }
        }
        firsts
    };
    let bury = |offset: u64| drop(journal.bury(letter(offset, "a")).unwrap());
    let letters = seal(&mut appender, 3);
    // In the first and in the third segment.
    bury(letters[0]);
    bury(letters[2]);
    fill(&mut appender);
    // The one between them goes, which makes room to write them anew.
    let full = journal.stats().disk_bytes;
    retain(&journal, &GREEDY);
    assert!(journal.stats().disk_bytes < full - 500_000);
    assert!(is_there(&journal, letters[0]) && is_there(&journal, letters[2]));

    // Now there is a letter in each.
    seal(&mut appender, 3).into_iter().take(3).for_each(bury);
    let ballast = disk.0.path().join("ballast");
    let mut rest = File::create(&ballast).unwrap();
    while rest.write_all(&[0; 4096]).is_ok() {}
    let everything = journal.dead_letters();
    let there = || everything.iter().all(|letter| is_there(&journal, letter.offset.0));
    let retired = journal.retain(&GREEDY, common::at(0));
    assert!(matches!(retired.trouble, Some(JournalError::Full { .. })), "{retired:?}");
    assert!(retired.segments == 3 && there());
    drop(rest);
    fs::remove_file(ballast).unwrap();
    let full = journal.stats().disk_bytes;
    retain(&journal, &GREEDY);
    assert!(journal.stats().disk_bytes < full / 2 && there());
}

#[test]
fn a_disk_that_turns_read_only_is_said_and_survived() {
    let Some(disk) = SmallDisk::mount("size=1m") else { return };
    let directory = disk.0.path().join("state");
    let Opened { journal, mut appender, .. } = open(&directory, &small());
    append(&mut appender, 100);
    drop((journal, appender));
    disk.remount("remount,ro");
    let error = journal::Journal::open(&directory, &small()).unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }) && error.may_pass(), "{error:?}");
    let archive = journal::Archive::open(&directory).unwrap();
    assert_eq!(archive.next(), Offset(100));
    disk.remount("remount,rw");
    everything_is_there(&directory, 100);
}

const LIMITED: &str = "JOURNAL_TEST_LIMITED";

/// Needs no rights: a limit on the length of files, which stops a write half way. The signal that comes with it has to
/// be ignored, which a shell can do for its child.
#[test]
fn a_write_that_stops_half_way_leaves_nothing_behind() {
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact limited --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(LIMITED, "yes")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("went on after the limit"), "{child:?}");
}

/// Does nothing unless started as above.
#[test]
fn limited() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if std::env::var_os(LIMITED).is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 1 << 20, ..small() };
    let Opened { journal, mut appender, .. } = open(directory.path(), &options);
    for limit in [50_001, 60_002, 70_003] {
        let before = getrlimit(Resource::Fsize);
        setrlimit(Resource::Fsize, Rlimit { current: Some(limit), maximum: before.maximum }).unwrap();
        let error = fill(&mut appender);
        setrlimit(Resource::Fsize, before).unwrap();
        assert!(matches!(error, JournalError::Full { .. }), "{error:?}");
        append(&mut appender, 10);
    }
    let next = appender.next().0;
    drop((journal, appender));
    everything_is_there(directory.path(), next);
    println!("went on after the limit");
}
