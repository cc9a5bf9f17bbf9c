//! The journal as its users see it: opened, asked and closed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::appender::{Appender, Store};
use crate::batch::Batch;
use crate::commit::Committer;
use crate::cursors::Cursors;
use crate::deadletters::DeadLetters;
use crate::frame::{Key, Kind};
use crate::kept::Kept;
use crate::lock::{self, Lock};
use crate::logfile::sync_folder;
use crate::outcomes::Outcomes;
use crate::recovery::Recovery;
use crate::ring::{Ring, Taken};
use crate::segments::{SegmentWriter, Segments};
use crate::shared::{Durable, Layout, Shared};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{self, Mutex};
use crate::{JournalError, Mode, Offset, Options, Reader, WhenFull};

/// A journal that this process owns. It may be shared among threads; what it gives out holds on to what it needs.
#[derive(Debug)]
pub struct Journal {
    pub(crate) shared: Arc<Shared>,
    lock: Arc<Lock>,
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

impl Journal {
    /// Opens the journal of a state directory, or makes one, and mends what a crash has left.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if another process has it; [`JournalError::Version`]; and what the file system says.
    /// Damage in the files is no error.
    pub fn open(directory: &Path, options: &Options) -> Result<Opened, JournalError> {
        let layout = Layout(directory.to_owned());
        make(directory)?;
        let lock = Arc::new(Lock::take(&layout.lock())?);
        match options.mode {
            Mode::Durable { sync_interval } => Self::on_disk(&layout, options, sync_interval, lock),
            Mode::Memory { max_bytes, when_full } => Self::in_memory(options, max_bytes, when_full, lock),
        }
    }

    /// The process that has a state directory's journal open, if it can be told. It may have ended when this returns,
    /// and one that was killed may be taken for another process that has its number by now.
    #[must_use]
    pub fn owner(directory: &Path) -> Option<u32> {
        lock::owner(&Layout(directory.to_owned()).lock())
    }

    fn on_disk(
        layout: &Layout,
        options: &Options,
        sync_interval: Duration,
        lock: Arc<Lock>,
    ) -> Result<Opened, JournalError> {
        for folder in [layout.messages(), layout.kept(), layout.outcomes()] {
            make(&folder)?;
        }
        let key = layout.key()?.unwrap_or_else(Key::draw);
        let mut recovery = Recovery::default();
        let cursors = Cursors::open(&layout.cursors(), key, &mut recovery)?;
        let dead_letters = DeadLetters::open(&layout.dead_letters(), key, &mut recovery)?;
        let (outcomes, about) = Outcomes::open(&layout.outcomes(), key, options, &mut recovery)?;
        // No offset is ever given twice, whatever was lost.
        let least = cursors.greatest().max(dead_letters.end()).max(about);
        let messages = Arc::new(Segments::list(&layout.messages(), Kind::Messages, key)?);
        let (writer, next) =
            SegmentWriter::open(&messages, options.segment_bytes, least, &mut recovery, |_| ())?;
        recovery.next = Offset(next);
        sync_folder(&layout.0)?;
        let shared = Shared {
            mode: options.mode,
            ring: Ring::new(options.ring_bytes, next),
            durable: Some(Durable {
                messages,
                kept: Kept::open(&layout.kept(), key)?,
                retaining: Mutex::default(),
                committer: Committer::new(sync_interval, next),
            }),
            cursors,
            outcomes,
            dead_letters,
            dropped_oldest: 0.into(),
            dropped_newest: 0.into(),
        };
        Self::start(shared, lock, Store::Disk(writer), recovery)
    }

    pub(crate) fn in_memory(
        options: &Options,
        max_bytes: u64,
        when_full: WhenFull,
        lock: Arc<Lock>,
    ) -> Result<Opened, JournalError> {
        let shared = Shared {
            mode: options.mode,
            ring: Ring::new(max_bytes, 0),
            durable: None,
            cursors: Cursors::in_memory(),
            outcomes: Outcomes::in_memory(options.outcomes_bytes),
            dead_letters: DeadLetters::in_memory(max_bytes),
            dropped_oldest: 0.into(),
            dropped_newest: 0.into(),
        };
        Self::start(shared, lock, Store::Memory(when_full), Recovery::default())
    }

    fn start(
        shared: Shared,
        lock: Arc<Lock>,
        store: Store,
        recovery: Recovery,
    ) -> Result<Opened, JournalError> {
        let shared = Arc::new(shared);
        let mut committer = None;
        if shared.durable.is_some() {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name("journal".to_owned());
            let started = thread.spawn(move || shared.commit());
            let failed = |source| JournalError::io("start the thread of", Path::new("the journal"), source);
            committer = Some(started.map_err(failed)?);
        }
        let appender = Appender::new(Arc::clone(&shared), Arc::clone(&lock), store);
        let journal = Self { shared, lock, committer: Mutex::new(committer) };
        Ok(Opened { journal, appender, recovery })
    }

    /// A reader from some offset on that belongs to no consumer: for replay, tail and export. Retention may overtake it.
    #[must_use]
    pub fn reader(&self, from: Offset) -> Reader {
        Reader::new(&self.shared, from.0)
    }

    /// One message, of the log or of a dead letter; `None` if it is no longer there or not yet.
    ///
    /// # Errors
    /// Disk errors.
    pub fn get(&self, offset: Offset) -> Result<Option<Batch>, JournalError> {
        match (self.shared.ring.take(offset.0, 1), &self.shared.durable) {
            (Taken::Batch(message), _) => Ok(Some(message)),
            (Taken::Behind(_), None) => Ok(self.shared.dead_letters.message(offset.0)),
            (Taken::Behind(_), Some(durable)) => match durable.messages.get(offset.0)? {
                None => durable.kept.get(offset.0),
                found => Ok(found),
            },
            (Taken::Ahead | Taken::Closed, _) => Ok(None),
        }
    }

    /// The offset of the first message received at or after a time; that of the next one if there is none yet.
    ///
    /// # Errors
    /// Disk errors.
    pub fn find(&self, time: SystemTime) -> Result<Offset, JournalError> {
        let found = match &self.shared.durable {
            Some(durable) => durable.messages.find(time)?,
            None => self.shared.ring.find(time),
        };
        let next = self.next();
        Ok(found.map_or(next, |offset| Offset(offset).min(next)))
    }

    /// How it is kept.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// Whether the process that had it before was killed, or ended by itself without a word: what was in hand then may
    /// be the reason.
    #[must_use]
    pub fn crashed(&self) -> bool {
        self.lock.crashed
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

    /// Waits until everything up to now survives a loss of power: messages, outcomes, dead letters and cursors.
    ///
    /// # Errors
    /// What keeps the disk from confirming it.
    pub fn flush(&self) -> Result<(), JournalError> {
        self.shared.committer().map_or(Ok(()), Committer::flush)
    }

    /// Ends appending, wakes every reader and writes what is left. A journal that is dropped is closed, too, but
    /// cannot say what went wrong.
    ///
    /// # Errors
    /// What keeps the disk from confirming the last writes.
    pub fn close(&self) -> Result<(), JournalError> {
        self.shared.ring.close();
        self.lock.sign_off();
        let Some(committer) = self.shared.committer() else { return Ok(()) };
        committer.close();
        if let Some(thread) = sync::lock(&self.committer).take() {
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
    // What is in there is for its owner alone.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| JournalError::io("make", directory, source))
}
