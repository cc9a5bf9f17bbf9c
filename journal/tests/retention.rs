//! What retention removes, and what it never does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{
    GREEDY, append, at, check, copy, files, is_there, letter, open, read_all, retain, scratch, segments,
    small,
};
use journal::{
    Appender, Archive, GapCause, Journal, Loss, Offset, Opened, Options, Record, Retention, Start,
};
use tempfile::TempDir;

/// So long that it pays to write one anew.
fn long() -> Options {
    Options { segment_bytes: 200_000, ..small() }
}

/// Appends until there are so many sealed segments more.
fn append_segments(directory: &Path, appender: &mut Appender, count: usize) {
    let end = segments(directory).len() + count;
    while segments(directory).len() < end {
        append(appender, 20);
    }
}

fn kept(directory: &Path) -> Vec<PathBuf> {
    files(&directory.join("kept"))
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn what_a_consumer_has_not_passed_is_kept() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let cursor = journal.register("a", Start::Earliest).unwrap();
    for _ in 0..20 {
        append(&mut appender, 20);
    }
    assert_eq!(retain(&journal, &GREEDY).segments, 0);
    cursor.commit(Offset(200));
    let retired = retain(&journal, &GREEDY);
    assert!(retired.segments > 0 && retired.losses.is_empty(), "{retired:?}");
    assert!(journal.earliest() <= Offset(200) && journal.earliest() > Offset(100));
    assert_eq!(read_all(&mut cursor.reader()), ((200..400).collect(), vec![]));
    let (_, gaps) = read_all(&mut journal.reader(Offset(0)));
    assert_eq!((gaps[0].offsets.start, gaps[0].cause), (Offset(0), GapCause::Retired));
}

#[test]
fn the_hard_limit_says_what_is_lost_to_whom_and_takes_no_dead_letter() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let slow = journal.register("slow", Start::Earliest).unwrap();
    append(&mut appender, 20);
    slow.commit(Offset(3));
    journal.bury(letter(5, "slow")).unwrap();
    for _ in 0..19 {
        append(&mut appender, 20);
    }
    journal.register("fast", Start::New).unwrap();
    let keep = Retention { hard_max_bytes: Some(20_000), ..Retention::default() };
    let retired = retain(&journal, &keep);
    let earliest = journal.earliest();
    assert!(retired.segments > 1);
    assert_eq!(retired.losses, [Loss { consumer: "slow".to_owned(), offsets: Offset(3)..earliest }]);
    let (got, gaps) = read_all(&mut slow.reader());
    assert_eq!(
        (got[0], gaps[0].offsets.clone(), gaps[0].cause),
        (earliest.0, Offset(3)..earliest, GapCause::Retired)
    );
    assert!(earliest > Offset(5) && is_there(&journal, 5));
    assert_eq!(journal.dead_letters(), [letter(5, "slow")]);
}

#[test]
fn the_messages_of_dead_letters_count_for_the_hard_limit() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    journal.register("slow", Start::Earliest).unwrap();
    for _ in 0..20 {
        append(&mut appender, 20);
    }
    for offset in 0..200 {
        journal.bury(letter(offset, "slow")).unwrap();
    }
    let keep = Retention { hard_max_bytes: Some(20_000), ..Retention::default() };
    assert!(!retain(&journal, &keep).losses.is_empty());
    // What was moved to the dead letters is on the disk still.
    assert!(journal.stats().disk_bytes > 20_000);
    assert!(retain(&journal, &keep).segments > 0);
}

#[test]
fn what_is_old_goes() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    for _ in 0..10 {
        append(&mut appender, 20);
    }
    let old = &segments(dir.path())[0];
    File::options().write(true).open(old).unwrap().set_modified(at(1000)).unwrap();
    let keep = Retention { max_age: Some(Duration::from_secs(3600)), ..Retention::default() };
    assert_eq!(journal.retain(&keep, at(1000 + 3600)).segments, 0);
    assert_eq!(journal.retain(&keep, at(1000 + 3601)).segments, 1);
}

#[test]
fn a_dead_letter_keeps_its_message_and_nothing_else() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &long());
    append_segments(dir.path(), &mut appender, 3);
    for consumer in ["a", "b"] {
        journal.bury(letter(7, consumer)).unwrap();
    }
    assert_eq!(retain(&journal, &GREEDY).segments, 3);
    assert_eq!(segments(dir.path()).len(), 1, "of those behind it, too");
    assert!(is_there(&journal, 7));
    assert!((0..50).all(|offset| offset == 7 || !is_there(&journal, offset)));
    assert!(len(&kept(dir.path())[0]) < 1000);
    assert!(read_all(&mut journal.reader(Offset(0))).0[0] == journal.earliest().0, "it is not in the log");
    drop((journal, appender));

    let archive = Archive::open(dir.path()).unwrap();
    check(&archive.get(Offset(7)).unwrap().unwrap());
    assert!(archive.get(Offset(8)).unwrap().is_none());

    let Opened { journal, recovery, .. } = open(dir.path(), &long());
    assert!(recovery.is_clean() && is_there(&journal, 7));
    journal.unbury(Offset(7), "a").unwrap();
    retain(&journal, &GREEDY);
    assert!(is_there(&journal, 7), "another consumer has it still");
    journal.purge(|letter| letter.consumer == "b").unwrap();
    retain(&journal, &GREEDY);
    assert!(!is_there(&journal, 7));
    assert!(kept(dir.path()).is_empty());
}

#[test]
fn what_is_kept_shrinks_as_letters_go() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &long());
    append_segments(dir.path(), &mut appender, 1);
    let end = segments(dir.path())[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    for offset in 0..end {
        journal.bury(letter(offset, "a")).unwrap();
    }
    let whole = len(&segments(dir.path())[0]);
    retain(&journal, &GREEDY);
    assert_eq!(len(&kept(dir.path())[0]), whole, "all of it is needed");
    journal.purge(|letter| letter.offset.0 % 500 != 3).unwrap();
    retain(&journal, &GREEDY);
    assert!(len(&kept(dir.path())[0]) < 2000);
    assert!((0..end).all(|offset| is_there(&journal, offset) == (offset % 500 == 3)));
}

#[test]
fn a_long_message_is_written_anew_once() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &long());
    let record =
        Record { received: at(0), endpoint: "bus", flags: 0, note: b"", topic: "t", body: &[b'.'; 150_000] };
    appender.append(&[record]).unwrap();
    append_segments(dir.path(), &mut appender, 1);
    journal.bury(letter(0, "a")).unwrap();
    let inode = || fs::metadata(&kept(dir.path())[0]).unwrap().ino();
    retain(&journal, &GREEDY);
    let (before, len_before) = (inode(), len(&kept(dir.path())[0]));
    retain(&journal, &GREEDY);
    assert_eq!((inode(), len(&kept(dir.path())[0])), (before, len_before));
    assert!(len_before < 151_000);
}

/// Two letters in the first segment, none in the next.
fn with_letters() -> (TempDir, Journal, Appender) {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &long());
    append_segments(dir.path(), &mut appender, 2);
    for offset in [7, 300] {
        journal.bury(letter(offset, "a")).unwrap();
    }
    journal.flush().unwrap();
    (dir, journal, appender)
}

/// A crash has left `dir`: it is opened, and retention does the rest.
fn letters_are_there_and_retention_goes_on(dir: &Path) {
    let Opened { journal, recovery, .. } = open(dir, &long());
    assert!(recovery.is_clean(), "{recovery:?}");
    assert!(is_there(&journal, 7) && is_there(&journal, 300));
    retain(&journal, &GREEDY);
    assert!(is_there(&journal, 7) && is_there(&journal, 300) && !is_there(&journal, 8));
    assert_eq!(kept(dir).len(), 1, "nothing else is left");
    assert!(len(&kept(dir)[0]) < 2000);
    assert_eq!(segments(dir).len(), 1);
}

#[test]
fn a_crash_between_any_two_steps_loses_no_dead_letter() {
    let (dir, journal, appender) = with_letters();
    let image = || {
        let image = scratch();
        copy(dir.path(), image.path());
        image
    };
    let name = segments(dir.path())[0].file_name().unwrap().to_owned();
    let (log, there) = (Path::new("messages").join(&name), Path::new("kept").join(&name));

    let moved = image();
    fs::rename(moved.path().join(&log), moved.path().join(&there)).unwrap();
    letters_are_there_and_retention_goes_on(moved.path());

    let half_written = image();
    fs::rename(half_written.path().join(&log), half_written.path().join(&there)).unwrap();
    let beginning = &fs::read(dir.path().join(&log)).unwrap()[..1000];
    fs::write(half_written.path().join(&there).with_extension("new"), beginning).unwrap();
    letters_are_there_and_retention_goes_on(half_written.path());

    // On a file system that does a move in two steps, power was lost in the middle.
    let twice = image();
    fs::copy(twice.path().join(&log), twice.path().join(&there)).unwrap();
    letters_are_there_and_retention_goes_on(twice.path());

    retain(&journal, &GREEDY);
    letters_are_there_and_retention_goes_on(image().path());

    journal.unbury(Offset(300), "a").unwrap();
    journal.unbury(Offset(7), "a").unwrap();
    drop((journal, appender));
    let Opened { journal, .. } = open(dir.path(), &long());
    retain(&journal, &GREEDY);
    assert!(kept(dir.path()).is_empty(), "a crash came before its removal");
}

#[test]
fn damage_costs_the_dead_letter_that_it_hits() {
    let (dir, journal, appender) = with_letters();
    retain(&journal, &GREEDY);
    drop((journal, appender));
    let path = &kept(dir.path())[0];
    let mut bytes = fs::read(path).unwrap();
    let place = bytes.windows(12).position(|window| window == b"{\"number\":7}").unwrap();
    bytes[place] ^= 1;
    fs::write(path, bytes).unwrap();
    let Opened { journal, .. } = open(dir.path(), &long());
    assert!(!is_there(&journal, 7) && is_there(&journal, 300));
    retain(&journal, &GREEDY);
    assert!(is_there(&journal, 300));
    assert_eq!(journal.dead_letters(), [letter(7, "a"), letter(300, "a")]);
}

#[test]
fn a_requeued_letter_stays_until_it_is_handled() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    append(&mut appender, 3);
    journal.bury(letter(1, "a")).unwrap();
    assert!(journal.requeue(Offset(1), "a").unwrap().unwrap().requeued);
    assert!(journal.requeue(Offset(2), "a").unwrap().is_none());
    drop((journal, appender));
    let Opened { journal, .. } = open(dir.path(), &small());
    assert!(journal.dead_letter(Offset(1), "a").unwrap().requeued);
    journal.bury(letter(1, "a")).unwrap();
    assert!(!journal.dead_letter(Offset(1), "a").unwrap().requeued, "it failed again");
    assert!(journal.unbury(Offset(1), "a").unwrap().is_some());
    drop(journal);
    assert!(open(dir.path(), &small()).journal.dead_letters().is_empty());
}
