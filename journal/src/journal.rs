//! The journal as its users see it: opened, asked and closed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use crate::appender::Appender;
use crate::commit::Committer;
use crate::cursors::{ConsumerCursor, Cursors, Place};
use crate::deadletters::{DeadLetter, DeadLetters};
use crate::frame::{Key, Kind};
use crate::lock::Lock;
use crate::outcomes::{Outcome, OutcomeFilter, Outcomes};
use crate::record::Batch;
use crate::recovery::Recovery;
use crate::ring::Ring;
use crate::segments::{SegmentWriter, Segments, find_key};
use crate::sync::lock;
use crate::{JournalError, Mode, Next, Offset, Options, Reader, Start};

/// What the parts of a journal share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) ring: Ring,
    /// None in memory mode, as is the committer.
    pub(crate) segments: Option<Arc<Segments>>,
    pub(crate) committer: Option<Committer>,
    pub(crate) cursors: Cursors,
    pub(crate) outcomes: Outcomes,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) dropped_oldest: AtomicU64,
    pub(crate) dropped_newest: AtomicU64,
}

impl Shared {
    pub(crate) fn earliest(&self) -> u64 {
        let (first, _) = self.ring.bounds();
        self.segments.as_ref().and_then(|segments| segments.first()).map_or(first, |oldest| oldest.min(first))
    }

    fn something(&self) {
        if let Some(committer) = &self.committer {
            committer.something();
        }
    }

    fn commit(&self, committer: &Committer) {
        loop {
            let round = committer.next_round();
            let last = round.last;
            let cursors = self.cursors.snapshot();
            committer.finish(round, || {
                self.outcomes.sync()?;
                self.dead_letters.sync()?;
                self.cursors.write(&cursors)
            });
            if last {
                return;
            }
        }
    }
}

/// Where the files of a state directory are.
pub(crate) struct Layout(pub(crate) PathBuf);

impl Layout {
    pub(crate) fn messages(&self) -> PathBuf {
        self.0.join("messages")
    }

    pub(crate) fn outcomes(&self) -> PathBuf {
        self.0.join("outcomes")
    }

    pub(crate) fn cursors(&self) -> PathBuf {
        self.0.join("cursors.log")
    }

    pub(crate) fn dead_letters(&self) -> PathBuf {
        self.0.join("dead-letters.log")
    }

    pub(crate) fn key(&self) -> Result<Option<Key>, JournalError> {
        find_key(
            &[(self.cursors(), Kind::Cursors), (self.dead_letters(), Kind::DeadLetters)],
            &[(self.messages(), Kind::Messages), (self.outcomes(), Kind::Outcomes)],
        )
    }
}

/// A journal that this process owns. It may be shared among threads; what it gives out holds on to what it needs.
#[derive(Debug)]
pub struct Journal {
    pub(crate) shared: Arc<Shared>,
    _lock: Arc<Lock>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// A journal just opened.
#[derive(Debug)]
pub struct Opened {
    /// For everything but writing messages.
    pub journal: Journal,
    /// For writing messages.
    pub appender: Appender,
    /// What was found; to be logged.
    pub recovery: Recovery,
}

/// Numbers about a journal at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The oldest message kept.
    pub earliest: Offset,
    /// The offset that the next message gets.
    pub next: Offset,
    /// Messages before this survive a loss of power.
    pub durable: Offset,
    /// Of messages and outcomes on disk.
    pub disk_bytes: u64,
    /// Of messages in memory.
    pub memory_bytes: u64,
    /// Messages that memory mode dropped though some consumer had not passed them.
    pub dropped_oldest: u64,
    /// Messages that memory mode never took in.
    pub dropped_newest: u64,
    /// How many dead letters there are.
    pub dead_letters: usize,
    /// Every consumer.
    pub consumers: Vec<ConsumerCursor>,
    /// Why the last group commit could not write everything; it is tried again.
    pub trouble: Option<String>,
}

impl Journal {
    /// Opens the journal of a state directory, or makes one, and mends what a crash has left.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if another process has it; [`JournalError::Version`]; and what the file system says.
    /// Damage in the files is no error.
    pub fn open(directory: &Path, options: &Options) -> Result<Opened, JournalError> {
        let layout = Layout(directory.to_owned());
        make(directory)?;
        let lock = Arc::new(Lock::take(&directory.join("lock"))?);
        match options.mode {
            Mode::Memory { max_bytes, .. } => {
                let shared = Shared {
                    options: options.clone(),
                    ring: Ring::new(max_bytes, 0),
                    segments: None,
                    committer: None,
                    cursors: Cursors::in_memory(),
                    outcomes: Outcomes::in_memory(options.outcomes_bytes),
                    dead_letters: DeadLetters::default(),
                    dropped_oldest: AtomicU64::new(0),
                    dropped_newest: AtomicU64::new(0),
                };
                Self::start(shared, lock, None, Key::draw(), Recovery::default())
            }
            Mode::Durable { sync_interval } => {
                make(&layout.messages())?;
                make(&layout.outcomes())?;
                let key = layout.key()?.unwrap_or_else(Key::draw);
                let mut recovery = Recovery::default();
                let cursors = Cursors::open(&layout.cursors(), key, &mut recovery)?;
                let dead_letters = DeadLetters::open(&layout.dead_letters(), key, &mut recovery)?;
                // No offset is ever given twice, whatever was lost.
                let pinned = dead_letters.pinned().last().map_or(0, |last| last + 1);
                let mut least = cursors.greatest().max(pinned);
                let segments = Arc::new(Segments::list(&layout.outcomes(), Kind::Outcomes, key)?);
                let see = |payload: &[u8]| {
                    let offset = Outcome::decode(payload).and_then(|outcome| outcome.offset);
                    least = least.max(offset.map_or(0, |offset| offset.0.saturating_add(1)));
                };
                // Of many small entries, in few segments.
                let size = (options.outcomes_bytes / 8).clamp(4096, options.segment_bytes.max(4096));
                let (writer, next) =
                    SegmentWriter::open(&segments, size, options.verify, 0, &mut recovery, see)?;
                let outcomes = Outcomes::on_disk(segments, writer, next, options.outcomes_bytes);
                let segments = Arc::new(Segments::list(&layout.messages(), Kind::Messages, key)?);
                let (writer, next) = SegmentWriter::open(
                    &segments,
                    options.segment_bytes,
                    options.verify,
                    least,
                    &mut recovery,
                    |_| (),
                )?;
                recovery.next = Offset(next);
                let shared = Shared {
                    options: options.clone(),
                    ring: Ring::new(options.ring_bytes, next),
                    segments: Some(segments),
                    committer: Some(Committer::new(sync_interval, next)),
                    cursors,
                    outcomes,
                    dead_letters,
                    dropped_oldest: AtomicU64::new(0),
                    dropped_newest: AtomicU64::new(0),
                };
                Self::start(shared, lock, Some(writer), key, recovery)
            }
        }
    }

    fn start(
        shared: Shared,
        lock: Arc<Lock>,
        writer: Option<SegmentWriter>,
        key: Key,
        recovery: Recovery,
    ) -> Result<Opened, JournalError> {
        let shared = Arc::new(shared);
        let mut committer = None;
        if shared.committer.is_some() {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name("journal".to_owned());
            let run = move || {
                if let Some(committer) = &shared.committer {
                    shared.commit(committer);
                }
            };
            let started = thread.spawn(run);
            let failed = |source| JournalError::io("start the thread of", Path::new("the journal"), source);
            committer = Some(started.map_err(failed)?);
        }
        let appender = Appender::new(Arc::clone(&shared), Arc::clone(&lock), writer, key, recovery.next.0);
        let journal = Self { shared, _lock: lock, committer: Mutex::new(committer) };
        Ok(Opened { journal, appender, recovery })
    }

    /// Registers a consumer, or finds it again: then `start` doesn't matter. It is on disk when this returns.
    ///
    /// If cursors were lost by damage, a consumer that seems new and asks for [`Start::New`] begins with the earliest
    /// message: a repetition is better than a loss.
    ///
    /// # Errors
    /// Disk errors.
    pub fn register(&self, consumer: &str, start: Start) -> Result<Cursor, JournalError> {
        let cursors = &self.shared.cursors;
        let place = match cursors.get(consumer) {
            Some(place) => place,
            None => {
                let next = match start {
                    Start::New if !cursors.doubtful => self.shared.ring.next(),
                    Start::New | Start::Earliest => self.shared.earliest(),
                    Start::At(time) => self.find(time)?.0,
                    Start::Offset(offset) => offset.0.clamp(self.shared.earliest(), self.shared.ring.next()),
                };
                cursors.insert(consumer, next)?
            }
        };
        Ok(Cursor { consumer: consumer.to_owned(), place, shared: Arc::clone(&self.shared) })
    }

    /// Removes a consumer for good: it holds nothing back any more, and what its cursors commit is ignored. Its dead
    /// letters stay.
    ///
    /// # Errors
    /// [`JournalError::UnknownConsumer`]; disk errors.
    pub fn forget(&self, consumer: &str) -> Result<(), JournalError> {
        let known = self.shared.cursors.forget(consumer)?;
        self.shared.ring.room_may_be();
        if known { Ok(()) } else { Err(JournalError::UnknownConsumer { name: consumer.to_owned() }) }
    }

    /// Every consumer, by name.
    #[must_use]
    pub fn consumers(&self) -> Vec<ConsumerCursor> {
        let end = self.shared.ring.next();
        let cursor = |(consumer, next): (String, u64)| {
            ConsumerCursor { consumer, next: Offset(next), lag: end.saturating_sub(next) }
        };
        self.shared.cursors.snapshot().into_iter().map(cursor).collect()
    }

    /// A reader from some offset on that belongs to no consumer: for replay, tail and export. Retention may overtake it.
    #[must_use]
    pub fn reader(&self, from: Offset) -> Reader {
        Reader::new(&self.shared, from.0)
    }

    /// One message; `None` if it is no longer there or not yet.
    ///
    /// # Errors
    /// Disk errors.
    pub fn get(&self, offset: Offset) -> Result<Option<Batch>, JournalError> {
        if let Some(message) = self.shared.dead_letters.message(offset.0) {
            return Ok(Some(message));
        }
        match self.reader(offset).poll(1)? {
            Some(Next::Batch(batch)) if batch.first() == offset => Ok(Some(batch)),
            _ => Ok(None),
        }
    }

    /// The offset of the first message received at or after a time; that of the next one if there is none yet.
    ///
    /// # Errors
    /// Disk errors.
    pub fn find(&self, time: SystemTime) -> Result<Offset, JournalError> {
        let mut from = self.shared.earliest();
        for (first, _) in self.shared.segments.iter().flat_map(|segments| segments.all()) {
            match self.reader(Offset(first)).poll(1)? {
                Some(Next::Batch(batch)) if batch.iter().any(|entry| entry.received() >= time) => break,
                _ => from = first,
            }
        }
        let mut reader = self.reader(Offset(from));
        while let Some(next) = reader.poll(1024)? {
            match next {
                Next::Batch(batch) => {
                    if let Some(entry) = batch.iter().find(|entry| entry.received() >= time) {
                        return Ok(entry.offset());
                    }
                }
                Next::Gap(_) => {}
                Next::TimedOut | Next::Woken | Next::Closed => break,
            }
        }
        Ok(reader.position())
    }

    /// The oldest message kept.
    #[must_use]
    pub fn earliest(&self) -> Offset {
        Offset(self.shared.earliest())
    }

    /// The offset that the next message gets.
    #[must_use]
    pub fn next(&self) -> Offset {
        Offset(self.shared.ring.next())
    }

    /// Records an outcome; it is on disk before any cursor that is moved after this call.
    ///
    /// # Errors
    /// Disk errors, when many have gathered that cannot be written. It is recorded all the same.
    pub fn record(&self, outcome: &Outcome) -> Result<(), JournalError> {
        let recorded = self.shared.outcomes.record(outcome);
        self.shared.something();
        recorded
    }

    /// The recorded outcomes that are wanted, oldest first.
    ///
    /// # Errors
    /// Disk errors, now and with each.
    pub fn outcomes(
        &self,
        filter: OutcomeFilter,
    ) -> Result<impl Iterator<Item = Result<Outcome, JournalError>> + Send + use<>, JournalError> {
        self.shared.outcomes.iter(filter)
    }

    /// Adds a dead letter, or replaces the one of this message and consumer. It survives the end of the process when
    /// this returns, and so does its message from now on, until the letter is removed.
    ///
    /// # Errors
    /// Disk errors.
    pub fn bury(&self, letter: DeadLetter) -> Result<(), JournalError> {
        let message = if self.shared.segments.is_none() { self.get(letter.offset)? } else { None };
        self.shared.dead_letters.add(letter, message.map(|message| message.detach()))?;
        self.shared.something();
        Ok(())
    }

    /// Every dead letter, by offset.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.shared.dead_letters.list()
    }

    /// One of them.
    #[must_use]
    pub fn dead_letter(&self, offset: Offset, consumer: &str) -> Option<DeadLetter> {
        self.shared.dead_letters.get(offset, consumer)
    }

    /// Marks a dead letter as being delivered again, and returns it with its message (`None` if damage took that).
    ///
    /// It stays until [`Self::unbury`] says that it was handled, or [`Self::bury`] that it failed again: after a crash
    /// in between, those with [`DeadLetter::requeued`] set are to be delivered.
    ///
    /// # Errors
    /// Disk errors.
    pub fn requeue(
        &self,
        offset: Offset,
        consumer: &str,
    ) -> Result<Option<(DeadLetter, Option<Batch>)>, JournalError> {
        let message = self.get(offset)?;
        let letter = self.shared.dead_letters.requeue(offset, consumer)?;
        self.shared.something();
        Ok(letter.map(|letter| (letter, message)))
    }

    /// Removes a dead letter that was handled after all.
    ///
    /// # Errors
    /// Disk errors.
    pub fn unbury(&self, offset: Offset, consumer: &str) -> Result<Option<DeadLetter>, JournalError> {
        let letter = self.shared.dead_letters.remove(offset, consumer)?;
        self.shared.something();
        Ok(letter)
    }

    /// Removes all dead letters for which `goes` says so, and returns them.
    ///
    /// # Errors
    /// Disk errors; those before it are removed.
    pub fn purge(&self, goes: impl Fn(&DeadLetter) -> bool) -> Result<Vec<DeadLetter>, JournalError> {
        let gone = self.shared.dead_letters.purge(goes);
        self.shared.something();
        gone
    }

    /// Goes through every sealed segment on disk. Takes about a second a GB.
    ///
    /// # Errors
    /// Disk errors.
    pub fn verify(&self) -> Result<Recovery, JournalError> {
        let mut recovery = Recovery { next: self.next(), ..Recovery::default() };
        if let Some(segments) = &self.shared.segments {
            segments.survey_sealed(&mut recovery)?;
        }
        Ok(recovery)
    }

    /// Numbers about it.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &self.shared;
        let next = self.next();
        Stats {
            earliest: self.earliest(),
            next,
            durable: shared.committer.as_ref().map_or(Offset(0), |committer| Offset(committer.durable())),
            disk_bytes: shared.segments.as_ref().map_or(0, |segments| segments.bytes())
                + shared.outcomes.disk_bytes(),
            memory_bytes: shared.ring.bytes(),
            dropped_oldest: shared.dropped_oldest.load(Relaxed),
            dropped_newest: shared.dropped_newest.load(Relaxed),
            dead_letters: shared.dead_letters.list().len(),
            consumers: self.consumers(),
            trouble: shared.committer.as_ref().and_then(Committer::trouble),
        }
    }

    /// Waits until everything up to now survives a loss of power: messages, outcomes, dead letters and cursors.
    ///
    /// # Errors
    /// What keeps the disk from confirming it.
    pub fn flush(&self) -> Result<(), JournalError> {
        self.shared.committer.as_ref().map_or(Ok(()), Committer::flush)
    }

    /// Ends appending, wakes every reader and writes what is left. A journal that is dropped is closed, too, but
    /// cannot say what went wrong.
    ///
    /// # Errors
    /// What keeps the disk from confirming the last writes.
    pub fn close(&self) -> Result<(), JournalError> {
        self.shared.ring.close();
        let Some(committer) = &self.shared.committer else { return Ok(()) };
        committer.close();
        if let Some(thread) = lock(&self.committer).take() {
            // It doesn't panic; if it did, the state below says what is missing.
            drop(thread.join());
        }
        committer.flush()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.close());
    }
}

fn make(directory: &Path) -> Result<(), JournalError> {
    fs::create_dir_all(directory).map_err(|source| JournalError::io("make", directory, source))
}

/// Where a consumer is. Cloning gives another handle to the same place, for any thread.
#[derive(Clone, Debug)]
pub struct Cursor {
    consumer: String,
    place: Arc<Place>,
    shared: Arc<Shared>,
}

impl Cursor {
    /// Whose it is.
    #[must_use]
    pub fn consumer(&self) -> &str {
        &self.consumer
    }

    /// The first message that the consumer has not dealt with.
    #[must_use]
    pub fn position(&self) -> Offset {
        Offset(self.place.get())
    }

    /// All messages before `next` are dealt with, or their exception is recorded. It never goes back. Cheap: it is on
    /// disk with the next group commit.
    pub fn commit(&self, next: Offset) {
        if self.place.advance(next.0.min(self.shared.ring.next())) {
            self.shared.ring.room_may_be();
            self.shared.something();
        }
    }

    /// A reader that begins where the consumer is.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(&self.shared, self.place.get())
    }
}
