//! What a journal in memory promises.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::fs;

use common::{append, at, is_there, letter, memory, open, read_all, scratch};
use journal::{DeadLetter, GapCause, JournalError, Next, Offset, Opened, Record, Start, WhenFull};

fn numbered(count: usize) -> Vec<Record<'static>> {
    vec![
        Record { received: at(0), endpoint: "bus", flags: 0, note: b"", topic: "t", body: &[b'.'; 100] };
        count
    ]
}

#[test]
fn no_message_is_on_disk() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &memory(100_000, WhenFull::Block));
    append(&mut appender, 10);
    assert_eq!(read_all(&mut journal.reader(Offset(0))).0.len(), 10);
    journal.flush().unwrap();
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["lock"]);
}

#[test]
fn it_drops_the_oldest_and_tells_the_reader() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &memory(20_000, WhenFull::DropOldest));
    let cursor = journal.register("a", Start::New).unwrap();
    let mut dropped = 0;
    for _ in 0..100 {
        dropped += appender.append(&numbered(10)).unwrap().dropped;
    }
    assert!(journal.stats().memory_bytes <= 20_000);
    assert_eq!(journal.stats().dropped_oldest, dropped);
    let Some(Next::Gap(gap)) = cursor.reader().poll(10).unwrap() else { panic!("no gap") };
    assert_eq!((gap.offsets, gap.cause), (Offset(0)..Offset(dropped), GapCause::Dropped));
}

#[test]
fn it_drops_the_newest_while_a_consumer_holds_the_rest() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &memory(20_000, WhenFull::DropNewest));
    let cursor = journal.register("a", Start::New).unwrap();
    while appender.append(&numbered(10)).unwrap().dropped == 0 {}
    assert_eq!(journal.stats().dropped_newest, 10);
    assert_eq!(journal.earliest(), Offset(0));
    cursor.commit(Offset(10));
    assert_eq!(appender.append(&numbered(10)).unwrap().dropped, 0);
    assert_eq!(journal.earliest(), Offset(10));
}

#[test]
fn it_waits_for_the_slowest_consumer() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &memory(20_000, WhenFull::Block));
    let cursor = journal.register("a", Start::New).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1000 {
                assert_eq!(appender.append(&numbered(10)).unwrap().dropped, 0);
            }
            journal.close().unwrap();
        });
        let (mut reader, mut got) = (cursor.reader(), 0);
        loop {
            match reader.next_batch(10, None).unwrap() {
                Next::Batch(batch) => {
                    got += batch.len();
                    cursor.commit(batch.end());
                }
                Next::Closed => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(got, 10_000);
    });
}

#[test]
fn closing_ends_the_wait_for_memory() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &memory(20_000, WhenFull::Block));
    journal.register("a", Start::New).unwrap();
    std::thread::scope(|scope| {
        let appender = scope.spawn(move || {
            loop {
                if let Err(error) = appender.append(&numbered(10)) {
                    return error;
                }
            }
        });
        journal.close().unwrap();
        assert!(matches!(appender.join().unwrap(), JournalError::Closed));
    });
}

#[test]
fn it_keeps_the_message_of_a_dead_letter() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &memory(20_000, WhenFull::Block));
    append(&mut appender, 3);
    journal.bury(letter(1, "a")).unwrap();
    for _ in 0..100 {
        appender.append(&numbered(10)).unwrap();
    }
    assert!(journal.get(Offset(0)).unwrap().is_none());
    assert!(is_there(&journal, 1));
    journal.unbury(Offset(1), "a").unwrap();
    assert!(journal.get(Offset(1)).unwrap().is_none());
}

#[test]
fn dead_letters_take_so_much_memory_and_the_oldest_go_first() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &memory(20_000, WhenFull::DropOldest));
    journal.register("a", Start::New).unwrap();
    appender.append(&numbered(1)).unwrap();
    journal.bury(DeadLetter { requeued: true, ..letter(0, "a") }).unwrap();
    let mut gone = Vec::new();
    for offset in 1..1000 {
        appender.append(&numbered(1)).unwrap();
        gone.extend(journal.bury(letter(offset, "a")).unwrap());
    }
    // 100 bytes and the topic each.
    let kept = journal.dead_letters();
    assert_eq!(kept.len(), 20_000 / 101);
    assert_eq!((kept[0].offset, kept[1].offset), (Offset(0), Offset(1000 - kept.len() as u64 + 1)));
    assert!(kept.iter().all(|letter| journal.get(letter.offset).unwrap().is_some()));
    assert_eq!(gone, (1..kept[1].offset.0).map(|offset| letter(offset, "a")).collect::<Vec<_>>());
    assert!(journal.get(Offset(1)).unwrap().is_none());
}
