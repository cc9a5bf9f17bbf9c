//! What came in: counted by the intake's thread, read by any.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::EndpointName;

use crate::outcome::{Rejected, RejectedCounters};
use crate::trust::TrustTally;

/// A wait for the journal that is worth a word.
const NOTICEABLE: Duration = Duration::from_millis(200);

/// The intake comes by every second. When it has not for so long, and nothing is known that it waits for, it hangs.
const STUCK: Duration = Duration::from_secs(30);

/// What came in since the hub started.
#[derive(Debug)]
pub struct IntakeTally {
    began: Instant,
    /// When the thread last came by, in milliseconds since the tally began.
    beat: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// Those that reached no consumer, by reason.
    pub rejected: RejectedCounters,
    by_endpoint: Mutex<BTreeMap<EndpointName, Arc<RejectedCounters>>>,
    /// Those whose signatures don't verify, or are missing, where somebody wants them.
    pub untrusted: Arc<TrustTally>,
    trouble: Mutex<Option<(String, Instant)>>,
}

impl Default for IntakeTally {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            beat: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            rejected: RejectedCounters::default(),
            by_endpoint: Mutex::default(),
            untrusted: Arc::default(),
            trouble: Mutex::default(),
        }
    }
}

impl IntakeTally {
    /// Nothing has come yet. Signatures are accounted for there.
    #[must_use]
    pub fn new(untrusted: Arc<TrustTally>) -> Self {
        Self { untrusted, ..Self::default() }
    }

    /// Messages taken off the bus, good and bad.
    pub fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    /// Their bytes, topics and bodies.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Counts a batch.
    pub(super) fn add(&self, messages: usize, bytes: usize) {
        self.messages.fetch_add(messages as u64, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// The messages of each endpoint that reached no consumer.
    pub fn rejected_by_endpoint(&self) -> BTreeMap<EndpointName, Arc<RejectedCounters>> {
        self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The thread is there.
    pub(super) fn beat(&self) {
        self.beat.store(self.began.elapsed().as_millis() as u64, Relaxed);
    }

    /// For how long the thread has not come by, if that is too long, and not because it waits for the journal.
    pub fn stuck(&self) -> Option<Duration> {
        let beat = Duration::from_millis(self.beat.load(Relaxed));
        let silence = self.began.elapsed().saturating_sub(beat);
        (silence > STUCK && self.trouble().is_none()).then_some(silence)
    }

    /// Why nothing is taken in at the moment.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waits = trouble.as_ref().is_some_and(|(_, since)| since.elapsed() > NOTICEABLE);
        trouble.filter(|_| waits).map(|(trouble, _)| trouble)
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        let mut now = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        // Trying again in vain is the same trouble still.
        let since = now.take().map_or_else(Instant::now, |(_, since)| since);
        *now = trouble.map(|trouble| (trouble, since));
    }
}

/// Counts messages that reach no consumer, by endpoint: the side of the one thread that does, which so needs no lock.
#[derive(Debug, Default)]
pub struct Rejections(HashMap<EndpointName, Arc<RejectedCounters>>);

impl Rejections {
    pub(super) fn count(&mut self, tally: &IntakeTally, endpoint: &EndpointName, reason: Rejected) {
        tally.rejected.add(reason, 1);
        let counters = match self.0.get(endpoint) {
            Some(counters) => counters,
            None => {
                let mut all = tally.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
                let counters = all.entry(endpoint.clone()).or_default();
                self.0.entry(endpoint.clone()).or_insert_with(|| Arc::clone(counters))
            }
        };
        counters.add(reason, 1);
    }
}
