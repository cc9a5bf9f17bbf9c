//! Many readers beside one appender: each gets every message, in order, whatever its pace.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::thread;

use common::{GREEDY, append, check, open, retain, small};
use journal::{Mode, Next, Offset, Opened, Options, Start, WhenFull};

const MESSAGES: u64 = 20_000;

fn all_readers_get_all(options: &Options, with_retention: bool) {
    let dir = tempfile::tempdir().unwrap();
    let Opened { journal, mut appender, .. } = open(dir.path(), options);
    let cursors: Vec<_> =
        (0..12).map(|n| journal.register(&format!("reader {n}"), Start::New).unwrap()).collect();
    thread::scope(|scope| {
        let journal = &journal;
        for (n, cursor) in cursors.iter().enumerate() {
            scope.spawn(move || {
                let (mut reader, mut at) = (cursor.reader(), Offset(0));
                loop {
                    match reader.next_batch(1 + n * 3, None).unwrap() {
                        Next::Batch(batch) => {
                            assert_eq!(batch.first(), at, "reader {n}");
                            check(&batch);
                            at = batch.end();
                            cursor.commit(at);
                        }
                        Next::Closed => break,
                        other => panic!("reader {n}: {other:?}"),
                    }
                    // Some hold back others; each by its own measure.
                    (0..n * 20).for_each(|_| thread::yield_now());
                }
                assert_eq!(at, Offset(MESSAGES), "reader {n}");
            });
        }
        scope.spawn(move || {
            let mut rng = fastrand::Rng::with_seed(1);
            while appender.next().0 < MESSAGES {
                let left = MESSAGES - appender.next().0;
                append(&mut appender, rng.u64(1..60).min(left));
                if with_retention && rng.u8(..10) == 0 {
                    assert!(retain(journal, &GREEDY).losses.is_empty());
                }
            }
            journal.close().unwrap();
        });
    });
    for cursor in &cursors {
        assert_eq!(cursor.position(), Offset(MESSAGES));
    }
}

#[test]
fn on_disk() {
    all_readers_get_all(&small(), false);
}

#[test]
fn on_disk_with_retention_at_their_heels() {
    all_readers_get_all(&small(), true);
}

#[test]
fn in_memory() {
    let mode = Mode::Memory { max_bytes: 200_000, when_full: WhenFull::Block };
    all_readers_get_all(&Options { mode, ..small() }, false);
}
