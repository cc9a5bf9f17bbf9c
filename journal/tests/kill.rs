//! A real process is killed while it appends and commits: nothing that it said was accepted is missing afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use common::{append, open, read_all, seed, small};
use journal::{Offset, Opened, Start};

const DIRECTORY: &str = "JOURNAL_TEST_DIRECTORY";

/// The process that is killed: it does nothing unless it is started as such.
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

#[test]
fn nothing_accepted_is_lost_to_a_kill_and_nothing_uncommitted_is_skipped() {
    let mut rng = fastrand::Rng::with_seed(seed());
    let dir = tempfile::tempdir().unwrap();
    let (mut appended, mut committing, mut flushed) = (0, 0, 0);
    for round in 0..60 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--quiet"])
            .env(DIRECTORY, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed at some line, which is a random point of its work: it is well ahead of us by then.
        let at = rng.usize(1..800);
        let mut take = |line: &str| {
            let Some((what, number)) = line.rsplit_once(' ') else { return };
            let Ok(number) = number.parse::<u64>() else { return };
            match what {
                "appended" => appended = appended.max(number),
                "committing" => committing = committing.max(number),
                "flushed" => flushed = flushed.max(number),
                _ => {}
            }
        };
        for _ in 0..at {
            take(&lines.next().expect("the child ends only when killed").unwrap());
        }
        child.kill().unwrap();
        // What is in the pipe was said before; a line is written whole or not at all.
        lines.map_while(Result::ok).for_each(|line| take(&line));
        child.wait().unwrap();
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
