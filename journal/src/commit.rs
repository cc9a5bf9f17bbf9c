//! The group commit: one thread that has the disk confirm what was written, many writes at a time.
//!
//! In each round, in this order: the cursors are looked at, messages confirmed, outcomes written and confirmed, dead
//! letters confirmed, and only then the cursors written as they were when looked at, none beyond the messages that were
//! ever confirmed. So a cursor on disk never has passed something that is not.
//!
//! Where the disk fails to confirm messages, they are written again in the next round, and no more are taken until it
//! has confirmed them.

use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{io, mem};

use crate::sync::atomic::{AtomicBool, Ordering::SeqCst};
use crate::sync::{Condvar, Mutex, lock, wait, wait_until};
use crate::unsynced::Unsynced;
use crate::{JournalError, Offset};

#[derive(Debug)]
pub(crate) struct Committer {
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
    /// Something but messages is waiting: set by many threads, so that only the first of them takes the lock.
    pending: AtomicBool,
    /// How long writes are gathered.
    gather: Duration,
}

#[derive(Debug)]
struct State {
    unsynced: Unsynced,
    written: u64,
    durable: u64,
    /// When the first of what is to be confirmed was written.
    since: Option<Instant>,
    asked: bool,
    /// Why the last round did not confirm the messages.
    failure: Option<Failure>,
    /// What else went wrong, in the last round.
    trouble: Option<String>,
    closing: bool,
    ended: bool,
}

#[derive(Debug)]
struct Failure {
    path: PathBuf,
    offsets: Range<Offset>,
    source: io::Error,
}

/// What a round is about.
#[derive(Debug)]
pub(crate) struct Round {
    unsynced: Unsynced,
    /// Messages before this are confirmed by it.
    to: u64,
    pub(crate) last: bool,
}

impl State {
    fn check(&self) -> Result<(), JournalError> {
        let Some(Failure { path, offsets, source }) = &self.failure else { return Ok(()) };
        let again = || io::Error::new(source.kind(), source.to_string());
        let source = source.raw_os_error().map_or_else(again, io::Error::from_raw_os_error);
        Err(JournalError::Sync { path: path.clone(), offsets: offsets.clone(), source })
    }
}

impl Committer {
    pub(crate) fn new(sync_interval: Duration, next: u64) -> Self {
        let state = State {
            unsynced: Unsynced::default(),
            written: next,
            durable: next,
            since: None,
            asked: false,
            failure: None,
            trouble: None,
            closing: false,
            ended: false,
        };
        let (wake, done) = (Condvar::new(), Condvar::new());
        // The other half is for the disk.
        let gather = sync_interval / 2;
        Self { state: Mutex::new(state), wake, done, pending: AtomicBool::new(false), gather }
    }

    /// Messages up to `next` were written.
    pub(crate) fn wrote(&self, unsynced: Unsynced, next: u64) {
        let mut state = lock(&self.state);
        state.unsynced.add(unsynced);
        state.written = next;
        self.start(&mut state);
    }

    /// There is a cursor, an outcome or a dead letter to be written.
    pub(crate) fn something(&self) {
        if !self.pending.swap(true, SeqCst) {
            self.start(&mut lock(&self.state));
        }
    }

    fn start(&self, state: &mut State) {
        if state.since.is_none() {
            state.since = Some(Instant::now());
            self.wake.notify_one();
        }
    }

    /// Whether there is nothing that the disk has failed to confirm.
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        lock(&self.state).check()
    }

    /// Messages before this survive a loss of power.
    pub(crate) fn durable(&self) -> u64 {
        lock(&self.state).durable
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        let state = lock(&self.state);
        state.check().err().map(|error| error.to_string()).or_else(|| state.trouble.clone())
    }

    /// Waits until all that was written before the call is confirmed.
    pub(crate) fn flush(&self) -> Result<(), JournalError> {
        let mut state = lock(&self.state);
        let to = state.written;
        // A round may be under way that began before what the caller means.
        for _ in 0..2 {
            state.asked = true;
            state.since.get_or_insert_with(Instant::now);
            self.wake.notify_one();
            while state.asked && !state.ended {
                state = wait(&self.done, state);
            }
        }
        state.check()?;
        if state.durable >= to && state.trouble.is_none() {
            return Ok(());
        }
        if state.ended {
            return Err(JournalError::Closed);
        }
        let text = state.trouble.clone().unwrap_or_default();
        Err(JournalError::io("confirm", &PathBuf::from("the journal"), io::Error::other(text)))
    }

    pub(crate) fn close(&self) {
        lock(&self.state).closing = true;
        self.wake.notify_one();
    }

    /// The thread's side: waits for something to confirm.
    pub(crate) fn next_round(&self) -> Round {
        let mut state = lock(&self.state);
        loop {
            let due = state.since.map(|since| since + self.gather);
            if state.closing || state.asked || due.is_some_and(|due| Instant::now() >= due) {
                break;
            }
            state = wait_until(&self.wake, state, due);
        }
        state.since = None;
        state.asked = false;
        self.pending.store(false, SeqCst);
        Round { unsynced: mem::take(&mut state.unsynced), to: state.written, last: state.closing }
    }

    /// The thread's side: has the disk confirm the messages, then does `rest`, which learns how many of them are.
    pub(crate) fn finish(&self, round: Round, rest: impl FnOnce(u64) -> Result<(), JournalError>) {
        let synced = round.unsynced.sync();
        let rest = rest(if synced.is_ok() { round.to } else { self.durable() });
        let failed = synced.is_err() || rest.is_err();
        let mut state = lock(&self.state);
        match synced {
            Ok(()) => (state.durable, state.failure) = (round.to, None),
            Err(error) => {
                let (path, source) = match error {
                    JournalError::Io { path, source, .. }
                    | JournalError::Full { path, source }
                    | JournalError::ReadOnly { path, source } => (path, source),
                    other => (PathBuf::new(), io::Error::other(other)),
                };
                let offsets = Offset(state.durable)..Offset(round.to);
                state.failure = Some(Failure { path, offsets, source });
                state.unsynced.put_back(round.unsynced);
            }
        }
        state.trouble = rest.err().map(|error| error.to_string());
        if failed {
            // Again, after the usual time.
            state.since.get_or_insert_with(Instant::now);
        }
        state.ended = round.last;
        self.done.notify_all();
    }
}
