//! A thousand damaged journals: each opens, loses no more than what was hit, and says what.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use common::{append, copy, open, read_all, seed, segments, small};
use fastrand::Rng;
use journal::{
    Archive, Attempt, DeadLetter, Ending, Next, Offset, Opened, Outcome, OutcomeFilter, Part, Start,
};

const MESSAGES: u64 = 300;

/// A journal with everything in it.
fn make(directory: &Path) {
    let Opened { journal, mut appender, .. } = open(directory, &small());
    let cursors = ["a", "b", "c"].map(|name| journal.register(name, Start::Earliest).unwrap());
    for round in 0..MESSAGES / 10 {
        append(&mut appender, 10);
        for (place, cursor) in cursors.iter().enumerate() {
            cursor.commit(Offset((round * 10).saturating_sub(50 * place as u64)));
        }
        let consumer = "a".to_owned();
        let attempt = Attempt { consumer: consumer.clone(), attempts: 1, ..Attempt::default() };
        let (offset, at) = (Offset(round), common::at(round));
        journal.record(&Outcome { at, offset: Some(offset), ending: Ending::Retried(attempt) }).unwrap();
        let error = "error".to_owned();
        let letter = DeadLetter {
            offset,
            consumer,
            attempts: 3,
            first: at,
            last: at,
            error,
            requeued: false,
            in_hand: false,
        };
        journal.bury(letter).unwrap();
        journal.flush().unwrap();
    }
    journal.close().unwrap();
}

/// Where each message lies: file and bytes, frame and all. The frame is that of the format's description.
fn places(directory: &Path) -> Vec<(PathBuf, Range<usize>)> {
    let mut places = Vec::new();
    for path in segments(directory) {
        let bytes = fs::read(&path).unwrap();
        let mut at = 32;
        while at < bytes.len() {
            let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
            places.push((path.clone(), at..at + 24 + len));
            at += 24 + len;
        }
    }
    assert_eq!(places.len() as u64, MESSAGES);
    places
}

/// Damages a file; says which bytes.
fn hit(rng: &mut Rng, path: &Path) -> (String, Range<usize>) {
    let mut bytes = fs::read(path).unwrap();
    let at = rng.usize(..bytes.len());
    let (what, range) = match rng.u8(..5) {
        0 => {
            bytes[at] ^= 1 << rng.u8(..8);
            ("flipped a bit", at..at + 1)
        }
        1 => {
            let range = at..bytes.len();
            bytes.truncate(at);
            ("cut", range)
        }
        2 => {
            let page = at / 512 * 512;
            let range = page..(page + 512).min(bytes.len());
            bytes[range.clone()].fill(0);
            ("zeroed a page", range)
        }
        3 => {
            let range = at..(at + rng.usize(1..300)).min(bytes.len());
            bytes[range.clone()].iter_mut().for_each(|byte| *byte = rng.u8(..));
            ("overwrote", range)
        }
        _ => {
            let range = at..(at + rng.usize(1..3000)).min(bytes.len());
            bytes[range.clone()].fill(0xFF);
            ("filled", range)
        }
    };
    fs::write(path, bytes).unwrap();
    (format!("{what} {range:?} of {}", path.display()), range)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = segments(directory);
    all.extend(fs::read_dir(directory.join("outcomes")).unwrap().map(|entry| entry.unwrap().path()));
    all.extend(["cursors.log", "dead-letters.log"].map(|name| directory.join(name)));
    all.sort();
    all
}

#[test]
fn a_damaged_journal_opens_loses_what_was_hit_and_names_it() {
    let original = tempfile::tempdir().unwrap();
    make(original.path());
    let mut rng = Rng::with_seed(seed());
    let mut losses = 0;
    for round in 0..1000 {
        let dir = tempfile::tempdir().unwrap();
        copy(original.path(), dir.path());
        let places = places(dir.path());
        let mut hits = Vec::new();
        for _ in 0..rng.usize(1..4) {
            let files = files(dir.path());
            let path = &files[rng.usize(..files.len())];
            if fs::metadata(path).unwrap().len() > 0 {
                hits.push((path.clone(), hit(&mut rng, path)));
            }
        }
        let said: Vec<_> = hits.iter().map(|(_, (what, _))| what.as_str()).collect();
        let said = format!("round {round}: {said:?}");
        let touched = |path: &Path, bytes: &Range<usize>| {
            hits.iter()
                .any(|(hit, (_, range))| hit == path && range.start < bytes.end && bytes.start < range.end)
        };
        let may_go: BTreeSet<u64> = (0..)
            .zip(&places)
            .filter(|(_, (path, bytes))| touched(path, bytes))
            .map(|(offset, _)| offset)
            .collect();

        let newest = segments(dir.path()).pop().unwrap();
        let newest_first = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let archive = Archive::open(dir.path()).unwrap();
        let seen: usize = archive
            .messages(Offset(0))
            .map(|next| if let Next::Batch(batch) = next.unwrap() { batch.len() } else { 0 })
            .sum();
        assert!(archive.outcomes(OutcomeFilter::default()).all(|outcome| outcome.is_ok()), "{said}");

        let Opened { journal, mut appender, recovery } = open(dir.path(), &small());
        let (got, gaps) = read_all(&mut journal.reader(Offset(0)));
        let got: BTreeSet<u64> = got.into_iter().collect();
        assert_eq!(seen, got.len(), "{said}");
        let lost: Vec<u64> = (0..MESSAGES).filter(|offset| !got.contains(offset)).collect();
        assert!(lost.iter().all(|offset| may_go.contains(offset)), "{said}: lost {lost:?} of {may_go:?}");
        losses += lost.len();
        for offset in lost {
            // Behind the end it can only be known where the file ends.
            let in_gap = gaps.iter().any(|gap| gap.offsets.contains(&Offset(offset)));
            let named = recovery.damage.iter().any(|damage| damage.offsets.contains(&Offset(offset)));
            let is_new = offset >= newest_first;
            let cut = hits.iter().any(|(path, _)| *path == newest) && offset >= recovery.next.0;
            assert!(
                in_gap && (named || !is_new) || cut,
                "{said}: {offset} is not named by {recovery:?} or {gaps:?}"
            );
        }
        // A cut right between two entries is no different from an older file.
        let hit = hits.iter().any(|(path, _)| path.ends_with("cursors.log"));
        let noticed = recovery.damage.iter().chain(&recovery.torn).any(|damage| damage.part == Part::Cursors);
        for name in ["a", "b", "c"] {
            let next = journal.register(name, Start::New).unwrap().position().0;
            assert!(next < MESSAGES || (hit && !noticed), "{said}: {name} at {next}");
        }
        // It goes on from there.
        append(&mut appender, 5);
        let next = appender.next().0;
        drop((journal, appender));
        let Opened { journal, recovery, .. } = open(dir.path(), &small());
        assert!(recovery.torn.is_empty(), "{said}: {recovery:?}");
        let (again, _) = read_all(&mut journal.reader(Offset(0)));
        let expected: Vec<u64> = got.into_iter().chain(next - 5..next).collect();
        assert_eq!(again, expected, "{said}");
    }
    assert!(losses > 0, "the damage must have hit something");
}

#[test]
fn files_of_noise_are_opened() {
    let original = tempfile::tempdir().unwrap();
    make(original.path());
    let mut rng = Rng::with_seed(seed());
    for _ in 0..50 {
        let dir = tempfile::tempdir().unwrap();
        copy(original.path(), dir.path());
        for path in files(dir.path()) {
            // Full of what looks like the beginning of a frame.
            let mut noise = vec![0; rng.usize(..9000)];
            rng.fill(&mut noise);
            for _ in 0..noise.len() / 20 {
                let at = rng.usize(..noise.len());
                let end = noise.len().min(at + 4);
                noise[at..end].copy_from_slice(&[0xF5, b'm', b'J', 0xE1][..end - at]);
            }
            fs::write(path, noise).unwrap();
        }
        let Opened { journal, mut appender, recovery } = open(dir.path(), &small());
        assert!(!recovery.is_clean());
        append(&mut appender, 5);
        assert_eq!(read_all(&mut journal.reader(recovery.next)).0.len(), 5);
    }
}
