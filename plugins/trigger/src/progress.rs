//! What one rule remembers of messages that the hub has not been answered for: those that wait for a run, those that one is
//! under way for, and how the run ended that they were in.
//!
//! The hub hands messages over one after the other, and each is finished by its own answer. So one that waits is wanted
//! later. The first that comes when the wait is over brings about a run for all that wait, and the others, when they come,
//! only hear how it ended. All of it is memory: after a restart every message comes again, and waits anew.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use exec::Message as Waiting;
use plugin_api::Message;

/// With as many bytes waiting, the run begins at once, and while one is under way no more are kept.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// As many results are kept, more than the hub can have waiting. A message that is purged never asks for its own.
const MOST_RESULTS: usize = 100_000;

/// While a run is under way, messages ask whether it has ended: the longer it takes, the less often.
const SOON: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(60);

/// The progress of rules, by name: all workers share it.
static SHARED: Mutex<BTreeMap<String, Weak<Mutex<Progress>>>> = Mutex::new(BTreeMap::new());

/// How a rule stands to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its command has ended well.
    Done,
    /// Its command has failed; why.
    Failed(Arc<str>),
    /// Its command has yet to run, or to end: it is worth asking after this time.
    Waits(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// By their offsets, so that they are run for in order.
    waiting: BTreeMap<u64, Waiting>,
    bytes: usize,
    /// When the first of them began to wait here, or when the last run ended if that was later; while a run is under way,
    /// when that began.
    since: Option<Instant>,
    /// What is being run for.
    under_way: BTreeSet<u64>,
    results: BTreeMap<u64, Standing>,
}

/// Sees to this message: runs for it, with all that wait if it is to wait for others, unless that was done or is to be
/// done later. The lock is free while the command runs.
pub(crate) fn see_to(
    progress: &Mutex<Progress>,
    message: &Message<'_>,
    wait_for: Duration,
    run: impl FnOnce(&[Waiting]) -> Result<(), String>,
) -> Standing {
    let (offsets, messages): (Vec<_>, Vec<_>) = match lock(progress).take_up(message, wait_for) {
        Ok(messages) => messages.into_iter().unzip(),
        Err(standing) => return standing,
    };
    let mut under_way = UnderWay { progress, offsets, result: None };
    let result = run(&messages).map_or_else(|reason| Standing::Failed(reason.into()), |()| Standing::Done);
    under_way.result = Some(result.clone());
    result
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

    /// Has a message wait that the hub is about to hand over, so that the next run is for it, too.
    pub(crate) fn expect(&mut self, message: &Message<'_>) {
        let offset = message.offset();
        let is_known = self.results.contains_key(&offset) || self.under_way.contains(&offset);
        if !is_known && self.bytes < MOST_BYTES {
            self.add(message);
        }
    }

    /// The hub was answered, and the message has nothing to hear any more.
    pub(crate) fn forget(&mut self, offset: u64) {
        self.results.remove(&offset);
    }

    /// What to run for now, this message being among them.
    fn take_up(
        &mut self,
        message: &Message<'_>,
        wait_for: Duration,
    ) -> Result<BTreeMap<u64, Waiting>, Standing> {
        let offset = message.offset();
        if let Some(result) = self.results.get(&offset) {
            return Err(result.clone());
        }
        if wait_for.is_zero() {
            self.under_way.insert(offset);
            return Ok(BTreeMap::from([(offset, owned(message))]));
        }
        if !self.under_way.is_empty() {
            self.expect(message);
            return Err(Standing::Waits(self.elapsed().clamp(SOON, SELDOM)));
        }
        self.add(message);
        let left = wait_for.saturating_sub(self.elapsed());
        if !left.is_zero() && self.bytes < MOST_BYTES {
            return Err(Standing::Waits(left));
        }
        (self.bytes, self.since) = (0, Some(Instant::now()));
        self.under_way.extend(self.waiting.keys());
        Ok(take(&mut self.waiting))
    }

    fn elapsed(&self) -> Duration {
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    fn add(&mut self, message: &Message<'_>) {
        self.since.get_or_insert_with(Instant::now);
        self.waiting.entry(message.offset()).or_insert_with(|| {
            self.bytes += message.body().len();
            owned(message)
        });
    }

    fn end(&mut self, offsets: &[u64], result: Option<&Standing>) {
        for offset in offsets {
            self.under_way.remove(offset);
            self.results.extend(result.map(|result| (*offset, result.clone())));
        }
        while self.results.len() > MOST_RESULTS {
            self.results.pop_first();
        }
        self.since = (!self.waiting.is_empty()).then(Instant::now);
    }
}

/// A run. A panic in it leaves its messages without a result, and they are run for when they come again.
struct UnderWay<'a> {
    progress: &'a Mutex<Progress>,
    offsets: Vec<u64>,
    result: Option<Standing>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(self.progress).end(&self.offsets, self.result.as_ref());
    }
}

/// The message as a command gets it.
fn owned(message: &Message<'_>) -> Waiting {
    Waiting {
        topic: message.topic().to_owned(),
        endpoint: message.endpoint().to_owned(),
        msg_id: message.msg_id().map(Into::into),
        timestamp: message.timestamp(),
        body: message.body().to_owned(),
    }
}

/// Nothing under the lock is left half-done by a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
