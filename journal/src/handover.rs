//! Nobody waits for ever, and nobody gets less than all, in whatever order threads run.
//!
//! Each test runs under shuttle, which replaces the locks, conditions and atomics of the crate, switches between threads
//! at each of their operations, a great many times at random, and fails where all threads wait. It takes atomics to be
//! sequentially consistent, as those are that threads wait by. A failure prints the schedule, which
//! [`shuttle::replay`] runs again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::commit::Committer;
use crate::lock::Lock;
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};
use crate::sync::thread;
use crate::{Cursor, Journal, Next, Offset, Opened, Options, Reader, Record, Start, WhenFull};

/// As many orders are tried, by each of two kinds of chance.
const ORDERS: usize = 1_000;

/// So small that there is one message at a time: an empty memory takes any.
const ROOM_FOR_ONE: u64 = 1;

fn in_many_orders(test: impl Fn() + Clone + Send + Sync + 'static) {
    shuttle::check_random(test.clone(), ORDERS);
    // Some thread goes far ahead of the others, but for two moments.
    shuttle::check_pct(test, ORDERS, 3);
}

fn with_a_journal(test: impl Fn(Opened) + Clone + Send + Sync + 'static) {
    let directory = tempfile::tempdir().unwrap();
    let lock = Arc::new(Lock::take(&directory.path().join("lock")).unwrap());
    let options = Options::default();
    let open =
        move || Journal::in_memory(&options, ROOM_FOR_ONE, WhenFull::Block, Arc::clone(&lock)).unwrap();
    in_many_orders(move || test(open()));
}

fn record() -> Record<'static> {
    let received = SystemTime::UNIX_EPOCH;
    Record { received, endpoint: "bus", flags: 0, note: b"", topic: "org.example.test", body: &[b'x'; 100] }
}

/// Reads to the end, and commits each message.
fn read_all(mut reader: Reader, cursor: &Cursor) -> u64 {
    loop {
        match reader.next_batch(1, None).unwrap() {
            Next::Batch(batch) => {
                assert_eq!(batch.first(), cursor.position());
                cursor.commit(batch.end());
            }
            Next::Closed => return reader.position().0,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_reader_gets_every_message_and_the_appender_gets_room() {
    with_a_journal(|Opened { journal, mut appender, .. }| {
        let readers = ["a", "b"].map(|name| {
            let cursor = journal.register(name, Start::New).unwrap();
            thread::spawn(move || read_all(cursor.reader(), &cursor))
        });
        for _ in 0..3 {
            assert_eq!(appender.append(&[record()]).unwrap().dropped, 0);
        }
        journal.close().unwrap();
        assert_eq!(readers.map(|reader| reader.join().unwrap()), [3, 3]);
    });
}

#[test]
fn the_appender_gets_room_when_who_needed_it_is_forgotten() {
    with_a_journal(|Opened { journal, mut appender, .. }| {
        let cursor = journal.register("gone", Start::New).unwrap();
        let appending =
            thread::spawn(move || [record(); 2].map(|record| appender.append(&[record]).unwrap()));
        assert!(matches!(cursor.reader().next_batch(1, None), Ok(Next::Batch(_))));
        journal.forget("gone").unwrap();
        appending.join().unwrap();
    });
}

#[test]
fn closing_ends_every_wait() {
    with_a_journal(|Opened { journal, mut appender, .. }| {
        let cursor = journal.register("slow", Start::New).unwrap();
        let mut reader = journal.reader(Offset(1));
        let reading = thread::spawn(move || while !matches!(reader.next_batch(1, None), Ok(Next::Closed)) {});
        let appending = thread::spawn(move || while appender.append(&[record()]).is_ok() {});
        journal.close().unwrap();
        reading.join().unwrap();
        appending.join().unwrap();
        assert_eq!(cursor.position(), Offset(0));
    });
}

#[test]
fn a_reader_hears_its_bell_and_misses_no_message_by_it() {
    with_a_journal(|Opened { journal, mut appender, .. }| {
        let mut reader = journal.reader(Offset(0));
        let waker = reader.waker();
        let ringing = thread::spawn(move || waker.wake());
        let appending = thread::spawn(move || appender.append(&[record()]).unwrap());
        let (mut woken, mut messages) = (0, 0);
        while woken + messages < 2 {
            match reader.next_batch(1, None).unwrap() {
                Next::Woken => woken += 1,
                Next::Batch(batch) => messages += batch.len(),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((woken, messages), (1, 1));
        ringing.join().unwrap();
        appending.join().unwrap();
    });
}

#[test]
fn what_anybody_has_to_commit_is_in_some_round() {
    in_many_orders(|| {
        let committer = Arc::new(Committer::new(Duration::ZERO, 0));
        let moved = Arc::new(AtomicU64::new(0));
        let consumers = [(); 3].map(|()| {
            let (committer, moved) = (Arc::clone(&committer), Arc::clone(&moved));
            thread::spawn(move || {
                moved.fetch_add(1, SeqCst);
                committer.something();
            })
        });
        let mut written = 0;
        while written < 3 {
            let round = committer.next_round();
            written = moved.load(SeqCst);
            committer.finish(round, |_| Ok(()));
        }
        consumers.into_iter().for_each(|consumer| consumer.join().unwrap());
    });
}
