//! A real process is killed while it appends and commits: nothing that it said was accepted is missing afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{GREEDY, append, is_there, letter, open, read_all, retain, seed, small};
use fastrand::Rng;
use journal::{Offset, Opened, Options, Start};

const DIRECTORY: &str = "JOURNAL_TEST_DIRECTORY";

/// A process that is killed: it does nothing unless it is started as such.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let Opened { journal, mut appender, .. } = open(directory.as_ref(), &small());
    let cursor = journal.register("a", Start::Earliest).unwrap();
    let mut reader = cursor.reader();
    let mut out = std::io::stdout().lock();
    for round in 0.. {
        append(&mut appender, round % 7 + 1);
        writeln!(out, "appended {}", appender.next()).unwrap();
        if round % 3 == 0
            && let Some(journal::Next::Batch(batch)) = reader.poll(10).unwrap()
        {
            // Said before it is done: the cursor must never be beyond.
            writeln!(out, "committing {}", batch.end()).unwrap();
            cursor.commit(batch.end());
        }
        if round % 50 == 0 {
            journal.flush().unwrap();
            writeln!(out, "flushed {}", cursor.position()).unwrap();
        }
    }
}

/// Another one, that has dead letters, and keeps no more than them.
#[test]
fn child_with_letters() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let Opened { journal, mut appender, .. } = open(directory.as_ref(), &long());
    let mut out = std::io::stdout().lock();
    for round in 0.. {
        append(&mut appender, round % 50 + 1);
        let offset = appender.next().0 - 1;
        journal.bury(letter(offset, "a")).unwrap();
        writeln!(out, "buried {offset}").unwrap();
        if round % 5 == 0 {
            let letters = journal.dead_letters();
            let handled = letters[letters.len() / 2].offset;
            writeln!(out, "handled {handled}").unwrap();
            journal.unbury(handled, "a").unwrap();
        }
        retain(&journal, &GREEDY);
    }
}

/// Segments so long that it pays to write one anew for a dead letter.
fn long() -> Options {
    Options { segment_bytes: 20_000, ..small() }
}

/// Starts a child, kills it at some line of what it says, which is a random point of its work, because it is well ahead
/// of us by then; and hands over each line.
fn kill(child: &str, directory: &Path, at: usize, mut each: impl FnMut(&str, u64)) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--quiet"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut take = |line: &str| {
        if let Some((what, number)) = line.rsplit_once(' ')
            && let Ok(number) = number.parse()
        {
            each(what, number);
        }
    };
    for _ in 0..at {
        take(&lines.next().expect("the child ends only when killed").unwrap());
    }
    child.kill().unwrap();
    // What is in the pipe was said before; a line is written whole or not at all.
    lines.map_while(Result::ok).for_each(|line| take(&line));
    child.wait().unwrap();
}

#[test]
fn nothing_accepted_is_lost_to_a_kill_and_nothing_uncommitted_is_skipped() {
    let mut rng = Rng::with_seed(seed());
    let dir = tempfile::tempdir().unwrap();
    let (mut appended, mut committing, mut flushed) = (0, 0, 0);
    for round in 0..60 {
        kill("child", dir.path(), rng.usize(1..800), |what, number| match what {
            "appended" => appended = appended.max(number),
            "committing" => committing = committing.max(number),
            "flushed" => flushed = flushed.max(number),
            _ => {}
        });
        let Opened { journal, appender, recovery } = open(dir.path(), &small());
        assert!(recovery.damage.is_empty(), "round {round}: {recovery:?}");
        assert!(appender.next().0 >= appended, "round {round}: {} of {appended}", appender.next());
        let (got, gaps) = read_all(&mut journal.reader(Offset(0)));
        assert_eq!((got, gaps), ((0..appender.next().0).collect(), vec![]), "round {round}");
        let cursor = journal.register("a", Start::New).unwrap().position().0;
        assert!((flushed..=committing).contains(&cursor), "round {round}: {flushed} {cursor} {committing}");
    }
    assert!(committing > 0 && flushed > 0);
}

#[test]
fn no_dead_letter_is_lost_to_a_kill_and_no_message_of_one() {
    let mut rng = Rng::with_seed(seed());
    let dir = tempfile::tempdir().unwrap();
    let (mut buried, mut handled) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..30 {
        kill("child_with_letters", dir.path(), rng.usize(1..100), |what, offset| match what {
            "buried" => buried.extend([offset]),
            "handled" => handled.extend([offset]),
            _ => {}
        });
        let Opened { journal, recovery, .. } = open(dir.path(), &long());
        assert!(recovery.damage.is_empty(), "round {round}: {recovery:?}");
        let letters: BTreeSet<_> = journal.dead_letters().into_iter().map(|letter| letter.offset.0).collect();
        assert!(buried.difference(&handled).all(|offset| letters.contains(offset)), "round {round}");
        for offset in letters {
            assert!(is_there(&journal, offset), "round {round}: {offset}");
        }
    }
    assert!(handled.len() > 30);
}
