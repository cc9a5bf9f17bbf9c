//! The journal against a simple model, under random operations and crashes.
//!
//! A crash is a copy of the files as they are at that moment (what a kill leaves), with, for a loss of power, each file
//! cut anywhere behind what was confirmed by the last flush.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by them"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use common::{append, check, copy, is_there, letter, open, read_all, retain, small};
use journal::{Journal, Next, Offset, Opened, Part, Reader, Retention, Start};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    /// Consumer, how many batches to read at most, and whether to commit them.
    Read(usize, usize, bool),
    Register(usize, bool),
    Forget(usize),
    Flush,
    /// One of the messages that are there, by its place among them.
    Bury(u8),
    /// One of the dead letters, likewise.
    Unbury(u8),
    Retain,
    /// Opened again in good order.
    Reopen,
    Kill,
    /// Each file is cut to this part of what is not confirmed.
    PowerLoss(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let consumer = 0..3_usize;
    let step = prop_oneof![
        6 => (1..40_u64).prop_map(Step::Append),
        6 => (consumer.clone(), 1..12_usize, any::<bool>()).prop_map(|(who, most, commit)| Step::Read(who, most, commit)),
        2 => (consumer.clone(), any::<bool>()).prop_map(|(who, new)| Step::Register(who, new)),
        1 => consumer.prop_map(Step::Forget),
        2 => Just(Step::Flush),
        2 => any::<u8>().prop_map(Step::Bury),
        1 => any::<u8>().prop_map(Step::Unbury),
        2 => Just(Step::Retain),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        1 => any::<u8>().prop_map(Step::PowerLoss),
    ];
    prop::collection::vec(step, 1..60)
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What is known of a consumer: its cursor, and how much of it is confirmed.
#[derive(Clone, Copy, Debug)]
struct Consumer {
    next: u64,
    confirmed: u64,
}

struct World {
    directory: tempfile::TempDir,
    opened: Option<Opened>,
    readers: BTreeMap<usize, Reader>,
    consumers: BTreeMap<usize, Consumer>,
    /// The messages that must be there.
    present: BTreeSet<u64>,
    /// The dead letters, and whether their messages must be there.
    letters: BTreeMap<u64, bool>,
    /// Those that came or went since the last flush.
    unconfirmed_letters: BTreeSet<u64>,
    earliest: u64,
    next: u64,
    /// Of each file, how long it was when last confirmed.
    confirmed_files: BTreeMap<PathBuf, u64>,
    confirmed_next: u64,
    /// The file of cursors was found damaged.
    doubtful: bool,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let opened = Some(open(directory.path(), &small()));
        let mut world = Self {
            directory,
            opened,
            readers: BTreeMap::new(),
            consumers: BTreeMap::new(),
            present: BTreeSet::new(),
            letters: BTreeMap::new(),
            unconfirmed_letters: BTreeSet::new(),
            earliest: 0,
            next: 0,
            confirmed_files: BTreeMap::new(),
            confirmed_next: 0,
            doubtful: false,
        };
        world.confirm();
        world
    }

    fn journal(&self) -> &Journal {
        &self.opened.as_ref().unwrap().journal
    }

    fn confirm(&mut self) {
        self.journal().flush().unwrap();
        self.confirmed_next = self.next;
        self.consumers.values_mut().for_each(|consumer| consumer.confirmed = consumer.next);
        self.unconfirmed_letters.clear();
        self.confirmed_files = lengths(self.directory.path());
    }

    /// Registering and forgetting wait for the disk.
    fn confirm_cursors(&mut self) {
        let name = PathBuf::from("cursors.log");
        let len = fs::metadata(self.directory.path().join(&name)).unwrap().len();
        self.confirmed_files.insert(name, len);
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append(count) => {
                append(&mut self.opened.as_mut().unwrap().appender, count);
                self.present.extend(self.next..self.next + count);
                self.next += count;
            }
            Step::Register(who, new) => {
                let start = if new { Start::New } else { Start::Earliest };
                let cursor = self.journal().register(NAMES[who], start).unwrap();
                let next = if new && !self.doubtful { self.next } else { self.earliest };
                let known = self.consumers.entry(who).or_insert(Consumer { next, confirmed: next });
                assert_eq!(cursor.position(), Offset(known.next));
                let reader = cursor.reader();
                self.readers.entry(who).or_insert(reader);
                self.confirm_cursors();
            }
            Step::Forget(who) => {
                let known = self.consumers.remove(&who).is_some();
                self.readers.remove(&who);
                assert_eq!(self.journal().forget(NAMES[who]).is_ok(), known);
                self.confirm_cursors();
            }
            Step::Read(who, most, commit) => self.read(who, most, commit),
            Step::Bury(place) => {
                if let Some(&offset) = pick(place, &self.present) {
                    self.journal().bury(letter(offset, NAMES[0])).unwrap();
                    self.letters.insert(offset, true);
                    self.unconfirmed_letters.insert(offset);
                }
            }
            Step::Unbury(place) => {
                if let Some((&offset, _)) = pick(place, &self.letters) {
                    assert!(self.journal().unbury(Offset(offset), NAMES[0]).unwrap().is_some());
                    self.letters.remove(&offset);
                    self.unconfirmed_letters.insert(offset);
                }
            }
            Step::Flush => self.confirm(),
            Step::Retain => self.retain(),
            Step::Reopen => {
                self.confirm();
                self.opened = None;
                self.reopen(self.next, false);
            }
            Step::Kill => {
                let image = tempfile::tempdir().unwrap();
                copy(self.directory.path(), image.path());
                self.opened = None;
                self.directory = image;
                self.reopen(self.next, false);
            }
            Step::PowerLoss(part) => {
                let image = tempfile::tempdir().unwrap();
                copy(self.directory.path(), image.path());
                self.opened = None;
                self.directory = image;
                for (name, len) in lengths(self.directory.path()) {
                    let kept = self.confirmed_files.get(&name).copied().unwrap_or(0).min(len);
                    let path = self.directory.path().join(&name);
                    let cut = kept + (len - kept) * u64::from(part) / 255;
                    File::options().write(true).open(path).unwrap().set_len(cut).unwrap();
                }
                self.reopen(self.confirmed_next, true);
            }
        }
    }

    fn read(&mut self, who: usize, most: usize, commit: bool) {
        let Some(reader) = self.readers.get_mut(&who) else { return };
        let mut at = reader.position();
        for _ in 0..most {
            match reader.poll(5).unwrap() {
                Some(Next::Batch(batch)) => {
                    assert_eq!(batch.first(), at);
                    check(&batch);
                    at = batch.end();
                }
                // Behind a loss of power there may be a hole that the cursors have passed.
                Some(Next::Gap(gap)) => at = gap.offsets.end,
                None => break,
                other => panic!("{other:?}"),
            }
        }
        if commit {
            self.journal().register(NAMES[who], Start::New).unwrap().commit(at);
            let consumer = self.consumers.get_mut(&who).unwrap();
            consumer.next = consumer.next.max(at.0);
        }
    }

    fn retain(&mut self) {
        let keep = Retention { max_bytes: Some(8192), ..Retention::default() };
        let before = lengths(self.directory.path());
        assert!(retain(self.journal(), &keep).losses.is_empty());
        for (name, len) in lengths(self.directory.path()) {
            if let Ok(segment) = name.strip_prefix("kept") {
                // It was moved as it is, was there before, or is new; then it is confirmed.
                let moved = Path::new("messages").join(segment);
                let was = [moved, name.clone()].into_iter().find(|was| before.get(was) == Some(&len));
                let confirmed = was.map_or(len, |was| self.confirmed_files.get(&was).copied().unwrap_or(0));
                self.confirmed_files.insert(name, confirmed);
            }
        }
        for (offset, must) in &self.letters {
            assert!(is_there(self.journal(), *offset) || !must, "{offset}");
        }
        let earliest = self.journal().earliest().0;
        let slowest = self.consumers.values().map(|consumer| consumer.next).min().unwrap_or(self.next);
        assert!(
            earliest >= self.earliest && earliest <= slowest.max(self.earliest),
            "{earliest} of {slowest}"
        );
        self.earliest = earliest;
        self.present = self.present.split_off(&earliest);
    }

    /// Opens what is there: at least the messages before `least`, and each cursor between what was confirmed and what
    /// was committed.
    fn reopen(&mut self, least: u64, power_lost: bool) {
        let opened = open(self.directory.path(), &small());
        let recovery = &opened.recovery;
        let next = recovery.next.0;
        assert!((least..=self.next).contains(&next), "{least} {next} {}", self.next);
        if power_lost {
            let mut found = recovery.torn.iter().chain(&recovery.damage);
            self.doubtful = found.any(|damage| damage.part == Part::Cursors);
        } else {
            // Damage of an earlier loss of power stays in the files; nothing comes to it.
            let lost =
                |offset: &u64| recovery.damage.iter().any(|damage| damage.offsets.contains(&Offset(*offset)));
            assert!(recovery.torn.is_empty() && !self.present.iter().any(lost), "{recovery:?}");
            self.doubtful = recovery.damage.iter().any(|damage| damage.part == Part::Cursors);
        }
        let (got, _) = read_all(&mut opened.journal.reader(Offset(self.earliest)));
        let got: BTreeSet<_> = got.into_iter().collect();
        assert!(got.is_subset(&self.present));
        assert!(self.present.range(..least).all(|offset| got.contains(offset)), "{got:?} {:?}", self.present);
        self.present = got;
        let listed = opened.journal.consumers();
        let names: Vec<_> = self.consumers.keys().map(|who| NAMES[*who]).collect();
        assert_eq!(listed.iter().map(|cursor| &*cursor.consumer).collect::<Vec<_>>(), names);
        self.readers.clear();
        for ((who, consumer), cursor) in self.consumers.iter_mut().zip(listed) {
            assert!((consumer.confirmed..=consumer.next).contains(&cursor.next.0), "{consumer:?} {cursor:?}");
            *consumer = Consumer { next: cursor.next.0, confirmed: cursor.next.0 };
            let cursor = opened.journal.register(NAMES[*who], Start::New).unwrap();
            self.readers.insert(*who, cursor.reader());
        }
        let found = opened.journal.dead_letters();
        let found: BTreeSet<u64> = found.into_iter().map(|letter| letter.offset.0).collect();
        for offset in found.iter().chain(self.letters.keys()) {
            let same = found.contains(offset) == self.letters.contains_key(offset);
            assert!(same || power_lost && self.unconfirmed_letters.contains(offset), "{offset} {found:?}");
        }
        let there = |offset: &u64| {
            let there = is_there(&opened.journal, *offset);
            let must = self.letters.get(offset).copied().unwrap_or_default();
            assert!(there || !must || power_lost && *offset >= least, "{offset}");
            (*offset, there)
        };
        self.letters = found.iter().map(there).collect();
        self.next = next;
        self.opened = Some(opened);
        self.confirm();
    }
}

/// One of them, if there is any.
fn pick<T>(place: u8, all: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>) -> Option<T> {
    let mut all = all.into_iter();
    all.nth(all.len() * usize::from(place) / 256)
}

/// The files of a state directory and how long they are.
fn lengths(directory: &Path) -> BTreeMap<PathBuf, u64> {
    let mut all = BTreeMap::new();
    for folder in ["", "messages", "kept", "outcomes"] {
        for entry in fs::read_dir(directory.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                all.insert(Path::new(folder).join(entry.file_name()), entry.metadata().unwrap().len());
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_does_as_its_model(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.step(&Step::Reopen);
    }
}
