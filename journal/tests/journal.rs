//! What a journal promises, one promise at a time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::fs::{self, File};
use std::time::{Duration, Instant, SystemTime};

use common::{
    append, at, body, check, copy, letter, memory, open, read_all, retain, scratch, segments, small,
};
use journal::{
    Archive, Attempt, Ending, GapCause, Journal, JournalError, Next, Offset, Opened, Options, Outcome,
    OutcomeFilter, Part, Record, Retention, Seen, Start, WhenFull,
};

fn dropped(offset: u64, consumer: &str) -> Outcome {
    let attempt = Attempt {
        consumer: consumer.to_owned(),
        attempts: 2,
        took: Duration::from_micros(1500),
        reason: "no use".to_owned(),
    };
    Outcome { at: at(offset), offset: Some(Offset(offset)), ending: Ending::Dropped(attempt) }
}

fn all(journal: &Journal, filter: OutcomeFilter) -> Vec<Outcome> {
    journal.outcomes(filter).unwrap().map(Result::unwrap).collect()
}

#[test]
fn messages_come_back_in_order_from_memory_and_from_disk() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    for _ in 0..40 {
        append(&mut appender, 10);
    }
    let (got, gaps) = read_all(&mut journal.reader(Offset(0)));
    assert_eq!((got, gaps), ((0..400).collect(), vec![]));
    assert!(segments(dir.path()).len() > 5, "it must have used several segments");
}

#[test]
fn a_reader_goes_from_disk_to_memory_and_falls_back_to_disk() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let mut reader = journal.reader(Offset(0));
    let mut got = Vec::new();
    for round in 0..60 {
        append(&mut appender, 20);
        // Reads all, nothing, or a little.
        for _ in 0..[100, 0, 3][round % 3] {
            match reader.poll(5).unwrap() {
                Some(Next::Batch(batch)) => {
                    check(&batch);
                    got.extend(batch.iter().map(|entry| entry.offset().0));
                }
                None => break,
                other => panic!("{other:?}"),
            }
        }
    }
    got.extend(read_all(&mut reader).0);
    assert_eq!(got, (0..1200).collect::<Vec<_>>());
}

#[test]
fn messages_are_there_after_opening_again() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    append(&mut appender, 100);
    drop((journal, appender));
    let Opened { journal, mut appender, recovery } = open(dir.path(), &small());
    assert!(recovery.is_clean(), "{recovery:?}");
    assert_eq!(appender.next(), Offset(100));
    append(&mut appender, 10);
    assert_eq!(read_all(&mut journal.reader(Offset(0))).0, (0..110).collect::<Vec<_>>());
}

#[test]
fn a_second_owner_is_refused_and_told_the_first() {
    let dir = scratch();
    let first = open(dir.path(), &small());
    let error = Journal::open(dir.path(), &small()).unwrap_err();
    assert!(
        matches!(error, JournalError::Locked { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    drop(first);
    open(dir.path(), &small());
}

#[test]
fn a_journal_of_a_later_format_is_refused() {
    let dir = scratch();
    drop(open(dir.path(), &small()));
    let path = dir.path().join("cursors.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[9] += 1;
    let sum = crc32c::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&sum.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(matches!(Journal::open(dir.path(), &small()), Err(JournalError::Version { found: 2, .. })));
}

#[test]
fn a_cursor_is_where_it_was_committed_and_never_goes_back() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let cursor = journal.register("a", Start::New).unwrap();
    append(&mut appender, 10);
    cursor.commit(Offset(7));
    cursor.commit(Offset(3));
    assert_eq!(cursor.position(), Offset(7));
    drop((journal, appender, cursor));
    let Opened { journal, .. } = open(dir.path(), &small());
    let cursor = journal.register("a", Start::New).unwrap();
    assert_eq!(read_all(&mut cursor.reader()).0, [7, 8, 9]);
}

#[test]
fn a_commit_cannot_pass_what_was_received() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let cursor = journal.register("a", Start::New).unwrap();
    append(&mut appender, 3);
    cursor.commit(Offset(u64::MAX));
    assert_eq!(cursor.position(), Offset(3));
}

#[test]
fn a_consumer_starts_where_it_asks_to() {
    let long = Options { segment_bytes: 1 << 20, ..small() };
    for options in [small(), long, memory(1 << 20, WhenFull::Block)] {
        let dir = scratch();
        let Opened { journal, mut appender, .. } = open(dir.path(), &options);
        for _ in 0..30 {
            append(&mut appender, 10);
        }
        let starts = [
            ("new", Start::New, 300),
            ("earliest", Start::Earliest, 0),
            ("offset", Start::Offset(Offset(5)), 5),
            ("beyond", Start::Offset(Offset(1000)), 300),
            ("before", Start::At(SystemTime::UNIX_EPOCH), 0),
            ("in the middle", Start::At(at(137)), 137),
            ("between", Start::At(at(136) + Duration::from_millis(1)), 137),
            ("now", Start::At(SystemTime::now()), 300),
        ];
        for (name, start, expected) in starts {
            assert_eq!(journal.register(name, start).unwrap().position(), Offset(expected), "{name}");
        }
        let again = journal.register("earliest", Start::New).unwrap();
        assert_eq!(again.position(), Offset(0), "a known one stays");
    }
}

#[test]
fn a_forgotten_consumer_is_gone_and_its_handles_do_nothing() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let cursor = journal.register("a", Start::New).unwrap();
    append(&mut appender, 3);
    journal.forget("a").unwrap();
    cursor.commit(Offset(2));
    assert!(matches!(journal.forget("a"), Err(JournalError::UnknownConsumer { .. })));
    drop((journal, appender, cursor));
    assert!(open(dir.path(), &small()).journal.consumers().is_empty());
}

#[test]
fn consumers_are_listed_with_their_lag() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    journal.register("b", Start::New).unwrap();
    append(&mut appender, 3);
    journal.register("a", Start::New).unwrap();
    let listed: Vec<_> = journal.consumers().into_iter().map(|c| (c.consumer, c.next.0, c.lag)).collect();
    assert_eq!(listed, [("a".to_owned(), 3, 0), ("b".to_owned(), 0, 3)]);
}

#[test]
fn cursors_survive_many_rewrites_of_their_file() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let name = "n".repeat(40_000);
    let cursor = journal.register(&name, Start::New).unwrap();
    for _ in 0..30 {
        append(&mut appender, 1);
        cursor.commit(appender.next());
        journal.flush().unwrap();
    }
    assert!(fs::metadata(dir.path().join("cursors.log")).unwrap().len() < 600_000);
    drop((journal, appender, cursor));
    assert_eq!(
        open(dir.path(), &small()).journal.register(&name, Start::New).unwrap().position(),
        Offset(30)
    );
}

#[test]
fn when_cursors_are_damaged_a_new_consumer_begins_at_the_earliest() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    journal.register("a", Start::New).unwrap();
    journal.register("b", Start::New).unwrap();
    append(&mut appender, 5);
    drop((journal, appender));
    let path = dir.path().join("cursors.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, bytes).unwrap();
    let Opened { journal, recovery, .. } = open(dir.path(), &small());
    assert_eq!(recovery.damage[0].part, Part::Cursors);
    assert_eq!(journal.register("a", Start::New).unwrap().position(), Offset(0));
}

#[test]
fn a_torn_tail_is_cut_and_said() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    append(&mut appender, 3);
    drop((journal, appender));
    let path = segments(dir.path()).pop().unwrap();
    let len = fs::metadata(&path).unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(len - 1).unwrap();
    let Opened { journal, mut appender, recovery } = open(dir.path(), &small());
    assert_eq!((recovery.torn.len(), recovery.damage.len(), recovery.next), (1, 0, Offset(2)));
    append(&mut appender, 1);
    assert_eq!(read_all(&mut journal.reader(Offset(0))).0, [0, 1, 2]);
}

#[test]
fn offsets_that_a_consumer_has_passed_are_not_given_again() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let cursor = journal.register("a", Start::New).unwrap();
    append(&mut appender, 5);
    cursor.commit(Offset(5));
    drop((journal, appender, cursor));
    File::options().write(true).open(segments(dir.path()).pop().unwrap()).unwrap().set_len(40).unwrap();
    let Opened { journal, appender, recovery } = open(dir.path(), &small());
    assert_eq!(recovery.next, Offset(5));
    assert_eq!(recovery.damage[0].offsets, Offset(0)..Offset(5));
    // Not even when the consumer that knew is gone.
    journal.forget("a").unwrap();
    drop((journal, appender));
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    append(&mut appender, 1);
    let (got, gaps) = read_all(&mut journal.reader(Offset(0)));
    assert_eq!((got, gaps.len()), (vec![5], 1));
}

#[test]
fn a_damaged_record_is_stepped_over_and_named() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    append(&mut appender, 5);
    drop((journal, appender));
    let path = segments(dir.path()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(12).position(|w| w == b"{\"number\":2}").unwrap();
    bytes[place] = b'!';
    fs::write(&path, bytes).unwrap();
    let Opened { journal, recovery, .. } = open(dir.path(), &small());
    let damage = &recovery.damage[0];
    assert_eq!(
        (damage.part, &damage.file, damage.offsets.clone()),
        (Part::Messages, &path, Offset(2)..Offset(3))
    );
    assert!(damage.bytes.contains(&(place as u64)));
    let (got, gaps) = read_all(&mut journal.reader(Offset(0)));
    assert_eq!(got, [0, 1, 3, 4]);
    assert_eq!((gaps[0].offsets.clone(), gaps[0].cause), (Offset(2)..Offset(3), GapCause::Damaged));
    assert!(journal.get(Offset(2)).unwrap().is_none());
    assert_eq!(journal.get(Offset(3)).unwrap().unwrap().iter().next().unwrap().body(), body(3));
}

#[test]
fn a_record_inside_a_message_is_not_taken_for_one() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    append(&mut appender, 2);
    drop((journal, appender));
    // A sender's best guess: a frame as another journal would have it.
    let other = scratch();
    let Opened { journal: _other, appender: mut forger, .. } = open(other.path(), &small());
    append(&mut forger, 4);
    let frames = fs::read(segments(other.path()).pop().unwrap()).unwrap()[32..].to_vec();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let record = Record { received: at(0), endpoint: "", flags: 0, note: b"", topic: "t", body: &frames };
    appender.append(&[record]).unwrap();
    drop((journal, appender));
    let path = segments(dir.path()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(frames.len()).position(|w| w == frames).unwrap();
    bytes[place - 40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let Opened { journal, .. } = open(dir.path(), &small());
    assert_eq!(read_all(&mut journal.reader(Offset(0))).0, [0, 1]);
}

#[test]
fn outcomes_are_found_by_offset_consumer_and_time() {
    let dir = scratch();
    let Opened { journal, .. } = open(dir.path(), &small());
    for offset in 0..100 {
        journal.record(&dropped(offset, if offset % 2 == 0 { "even" } else { "odd" })).unwrap();
    }
    let unmatched = Outcome { at: at(500), offset: None, ending: Ending::Unmatched };
    journal.record(&unmatched).unwrap();
    drop(journal);
    let Opened { journal, .. } = open(dir.path(), &small());
    assert_eq!(all(&journal, OutcomeFilter::default()).len(), 101);
    let filter = OutcomeFilter { offsets: Some(Offset(7)..Offset(8)), ..OutcomeFilter::default() };
    assert_eq!(all(&journal, filter), [dropped(7, "odd")]);
    let filter = OutcomeFilter { consumer: Some("even".to_owned()), ..OutcomeFilter::default() };
    assert_eq!(all(&journal, filter).len(), 50);
    let filter = OutcomeFilter { since: Some(at(99)), until: Some(at(501)), ..OutcomeFilter::default() };
    assert_eq!(all(&journal, filter), [dropped(99, "odd"), unmatched]);
}

#[test]
fn the_oldest_outcomes_go_when_there_are_too_many() {
    let dir = scratch();
    let options = Options { outcomes_bytes: 40_000, ..small() };
    let Opened { journal, .. } = open(dir.path(), &options);
    for offset in 0..5000 {
        journal.record(&dropped(offset, "a")).unwrap();
        if offset % 100 == 0 {
            journal.flush().unwrap();
        }
    }
    retain(&journal, &Retention::default());
    let kept = all(&journal, OutcomeFilter::default());
    assert_eq!(kept.last(), Some(&dropped(4999, "a")));
    assert!(kept.len() < 1000 && kept.len() > 100, "{}", kept.len());
}

#[test]
fn waiting_readers_are_woken_by_messages_by_their_waker_and_by_the_end() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    let mut reader = journal.reader(Offset(0));
    let waker = reader.waker();
    waker.wake_by_ref();
    assert!(matches!(reader.next_batch(10, None).unwrap(), Next::Woken));
    assert!(matches!(reader.next_batch(10, Some(Instant::now())).unwrap(), Next::TimedOut));
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let next = reader.next_batch(10, None).unwrap();
                let end = matches!(next, Next::Closed);
                told.send(next).unwrap();
                if end {
                    return;
                }
            }
        });
        append(&mut appender, 1);
        assert!(matches!(heard.recv().unwrap(), Next::Batch(_)));
        waker.wake();
        assert!(matches!(heard.recv().unwrap(), Next::Woken));
        journal.close().unwrap();
        assert!(matches!(heard.recv().unwrap(), Next::Closed));
    });
}

#[test]
fn nothing_is_appended_to_a_closed_journal() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    append(&mut appender, 3);
    journal.close().unwrap();
    let record = Record { received: at(0), endpoint: "", flags: 0, note: b"", topic: "t", body: b"" };
    assert!(matches!(appender.append(&[record]), Err(JournalError::Closed)));
    assert_eq!(read_all(&mut journal.reader(Offset(0))).0, [0, 1, 2]);
}

#[test]
fn a_record_that_is_too_long_is_refused_whole() {
    let dir = scratch();
    let Opened { journal: _journal, mut appender, .. } = open(dir.path(), &small());
    let note = vec![0; 70_000];
    let good = Record { received: at(0), endpoint: "", flags: 0, note: b"", topic: "t", body: b"" };
    let error = appender.append(&[good, Record { note: &note, ..good }]).unwrap_err();
    assert!(matches!(error, JournalError::TooLong { field: "note", .. }) && !error.may_pass());
    append(&mut appender, 1);
}

#[test]
fn an_archive_shows_what_is_there_and_changes_nothing() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    journal.register("a", Start::New).unwrap();
    for _ in 0..10 {
        append(&mut appender, 20);
    }
    journal.bury(letter(4, "a")).unwrap();
    journal.record(&dropped(3, "a")).unwrap();
    journal.flush().unwrap();
    let image = scratch();
    copy(dir.path(), image.path());
    let archive = Archive::open(image.path()).unwrap();
    let mut got = Vec::new();
    for next in archive.messages(Offset(0)) {
        let Next::Batch(batch) = next.unwrap() else { panic!("a gap") };
        check(&batch);
        got.extend(batch.iter().map(|entry| entry.offset().0));
    }
    assert_eq!(got, (0..200).collect::<Vec<_>>());
    check(&archive.get(Offset(77)).unwrap().unwrap());
    assert!(archive.get(Offset(200)).unwrap().is_none());
    assert_eq!(archive.find(at(77)).unwrap(), Offset(77));
    assert_eq!(archive.find(at(200)).unwrap(), Offset(200));
    assert_eq!(archive.consumers(), journal.consumers());
    assert_eq!(archive.dead_letters().cloned().collect::<Vec<_>>(), [letter(4, "a")]);
    assert_eq!(
        archive.outcomes(OutcomeFilter::default()).map(Result::unwrap).collect::<Vec<_>>(),
        [dropped(3, "a")]
    );
    for path in segments(image.path()) {
        assert_eq!(
            fs::read(&path).unwrap(),
            fs::read(dir.path().join("messages").join(path.file_name().unwrap())).unwrap()
        );
    }
}

#[test]
fn seen_ids_are_known_after_opening_again() {
    let dir = scratch();
    let Opened { journal, mut appender, .. } = open(dir.path(), &small());
    append(&mut appender, 200);
    drop((journal, appender));
    let Opened { journal, .. } = open(dir.path(), &small());
    let mut seen = Seen::new(50, Duration::from_secs(1000));
    seen.refill(&journal, at(200), |_| true).unwrap();
    assert_eq!(seen.len(), 50);
    assert_eq!(
        seen.check(seen.id("org.example.test.150", &body(150)), Offset(200), at(200)),
        Some(Offset(150))
    );
    let mut seen = Seen::new(500, Duration::from_secs(20));
    seen.refill(&journal, at(200), |_| true).unwrap();
    assert_eq!(seen.len(), 20);
}
