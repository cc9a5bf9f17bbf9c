//! What one rule remembers of messages that it is not done with: those that wait for a run, and how the run ended that
//! some were in.
//!
//! The hub hands messages over one after the other, and each is finished by its own answer. So one that waits is asked to
//! come again later. The first that does brings about a run for all that wait, and the others, when they come, only hear
//! how it ended. All of it is memory: after a restart every message comes again, and is run for anew.

use std::collections::{BTreeMap, HashMap};
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use exec::Message as Waiting;
use plugin_api::{Failure, Message};

/// With as many bytes waiting, the run begins at once.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// As many results are kept. A message that is given up never asks for its own.
const MOST_RESULTS: usize = 10_000;

/// The progress of rules that wait for more messages, by name: all workers share it.
static SHARED: Mutex<BTreeMap<String, Weak<Mutex<Progress>>>> = Mutex::new(BTreeMap::new());

#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// By their offsets, so that they are run for in order.
    waiting: BTreeMap<u64, Waiting>,
    bytes: usize,
    results: HashMap<u64, Result<(), String>>,
}

impl Progress {
    /// That of this rule, which all workers share.
    pub(crate) fn shared(rule: &str) -> Arc<Mutex<Self>> {
        let mut shared = lock(&SHARED);
        let there = shared.get(rule).and_then(Weak::upgrade);
        there.unwrap_or_else(|| {
            let new = Arc::default();
            shared.insert(rule.to_owned(), Arc::downgrade(&new));
            new
        })
    }

    /// Runs for this message alone, unless that was done.
    pub(crate) fn alone(
        &mut self,
        message: &Message<'_>,
        run: impl FnOnce(&[Waiting]) -> Result<(), String>,
    ) -> Result<(), Failure> {
        if !self.results.contains_key(&message.offset()) {
            run(&[owned(message)]).map_err(Failure::retry)?;
            self.keep([(message.offset(), Ok(()))]);
        }
        Ok(())
    }

    /// Sees to this message: lets it wait, runs for it and all that wait, or says how the run ended that it was in.
    pub(crate) fn together(
        &mut self,
        message: &Message<'_>,
        wait: Option<Duration>,
        run: impl FnOnce(&[Waiting]) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let offset = message.offset();
        match self.results.get(&offset) {
            // It may come once more, because of another rule.
            Some(Ok(())) => return Ok(()),
            Some(Err(reason)) => {
                let failure = Failure::retry(reason);
                self.results.remove(&offset);
                // Only now: who is given up after this failure must not spoil later runs.
                self.add(message);
                return Err(failure);
            }
            None => self.add(message),
        }
        if let Some(wait) = wait.filter(|_| self.bytes < MOST_BYTES) {
            return Err(Failure::retry("it waits for more messages, as `wait_for` says").after(wait));
        }
        self.bytes = 0;
        let (offsets, messages): (Vec<_>, Vec<_>) = take(&mut self.waiting).into_iter().unzip();
        let result = run(&messages);
        self.keep(offsets.into_iter().map(|offset| (offset, result.clone())));
        if result.is_err() {
            // This one hears of it now.
            self.results.remove(&offset);
        }
        result.map_err(Failure::retry)
    }

    /// The message is finished.
    pub(crate) fn forget(&mut self, offset: u64) {
        self.results.remove(&offset);
    }

    fn keep(&mut self, results: impl IntoIterator<Item = (u64, Result<(), String>)>) {
        if self.results.len() > MOST_RESULTS {
            self.results.clear();
        }
        self.results.extend(results);
    }

    fn add(&mut self, message: &Message<'_>) {
        let waiting = owned(message);
        self.bytes += waiting.body.len();
        if let Some(before) = self.waiting.insert(message.offset(), waiting) {
            self.bytes -= before.body.len();
        }
    }
}

/// The message as a command gets it.
pub(crate) fn owned(message: &Message<'_>) -> Waiting {
    Waiting {
        topic: message.topic().to_owned(),
        endpoint: message.endpoint().to_owned(),
        msg_id: message.msg_id().map(Into::into),
        timestamp: message.timestamp(),
        body: message.body().to_owned(),
    }
}

/// A panic in the middle of a run leaves messages without a result, which come again and are run for.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
