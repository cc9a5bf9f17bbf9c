//! One consumer: its options, its threads, and what became of its messages.
//!
//! `runner` reads the journal by the consumer's cursor and asks `wants` which messages are for it. They go in `share`s to a
//! `courier`, which hands them to an instance of the plugin until each has an ending; with several workers to a `pool` of
//! couriers. The cursor passes a message when it has an ending, or is set `aside`.

mod admission;
mod aside;
mod backoff;
mod calls;
mod courier;
mod meter;
pub mod options;
mod pace;
mod pool;
mod replay;
mod roster;
pub mod runner;
mod share;
mod start;
mod wants;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

use control::{ConsumerState, ReplayProgress};
use crossbeam_channel::Sender;
use journal::{DeadLetter, Ending, Journal, Offset, Outcome};
use plugin_api::loader::Declared;
use plugin_api::{Counts, Host, StartError};
use tokio::sync::mpsc::UnboundedSender;

pub use self::calls::Calls;
pub use self::meter::{Call, Meter};
use self::options::ConsumerOptions;
pub use self::roster::Roster;
use crate::outcome::{Dropped, DroppedCounters};
use crate::trust::Judge;

/// The name of a consumer; unique in a hub.
pub type ConsumerName = Arc<str>;

/// Tells a consumer's start from its earlier and later ones: a reload may stop it and start it anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run(pub u64);

/// A consumer that is to run: what its threads share.
pub struct Consumer {
    /// Its name.
    pub name: ConsumerName,
    /// Its plugin.
    pub declared: Declared,
    /// The plugin's configuration, as JSON.
    pub config: String,
    /// The operator's decisions about it.
    pub options: ConsumerOptions,
    /// The hub as the plugin sees it.
    pub host: Arc<dyn Host>,
    /// Where its messages are.
    pub journal: Arc<Journal>,
    /// Checks what was not checked when it came; `None` if it takes messages of anybody.
    pub judge: Option<Arc<Judge>>,
    /// What it is told to end by.
    pub calls: Calls,
    /// What becomes of its messages.
    pub tally: Arc<Tally>,
    /// Which start of it this is.
    pub run: Run,
    /// Where its threads report to.
    pub events: UnboundedSender<(Run, Event)>,
}

impl Consumer {
    fn set_state(&self, state: ConsumerState) {
        self.tally.set_state(self.run, state);
    }

    fn report(&self, event: Event) {
        // Nobody listens any more once the hub is past its deadline.
        drop(self.events.send((self.run, event)));
    }

    /// Messages that are no longer there when the consumer comes to them.
    fn lost(&self, offsets: Range<Offset>) {
        self.tally.dropped.add(Dropped::Lost, offsets.end.0 - offsets.start.0);
        tracing::error!(
            consumer = %self.name, from = offsets.start.0, to = offsets.end.0,
            "messages are no longer in the journal: damaged, or removed by hard_max_bytes or when_full"
        );
        let consumer = self.name.to_string();
        self.record(offsets.start, Ending::Lost { consumer, to: offsets.end });
    }

    /// Records an outcome. What cannot be written now is kept, and written before any cursor passes the message.
    fn record(&self, offset: Offset, ending: Ending) {
        let outcome = Outcome { at: SystemTime::now(), offset: Some(offset), ending };
        if let Err(error) = self.journal.record(&outcome) {
            tracing::error!(consumer = %self.name, %error, "outcomes cannot be written");
        }
    }
}

/// What a consumer's thread tells the hub.
#[derive(Debug)]
pub enum Event {
    /// The plugin is started, or needn't be for the hub to be ready.
    Ready(ConsumerName),
    /// The plugin did not start, and the hub shall not run without it.
    StartFailed(ConsumerName, StartError),
    /// The thread is at its end.
    Ended(ConsumerName),
}

/// What a consumer's thread is told.
#[derive(Debug)]
pub enum Order {
    /// End when all before this offset is dealt with.
    EndAt(Offset),
    /// Deliver this dead letter once more.
    Redeliver(DeadLetter),
    /// Deliver these messages again; ends early when nobody listens to the progress any more.
    Replay {
        /// Which.
        offsets: Range<Offset>,
        /// How it goes; closed at its end.
        progress: Sender<ReplayProgress>,
    },
}

/// A way to give orders to a consumer's thread.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) orders: Sender<Order>,
    pub(crate) waker: Waker,
    pub(crate) tally: Arc<Tally>,
    pub(crate) profile: Arc<Profile>,
    pub(crate) has_inbound: bool,
}

/// What a consumer is, for those who look at it.
#[derive(Debug)]
pub struct Profile {
    /// The topics that it gets.
    pub topics: Vec<String>,
    /// The file of its plugin.
    pub plugin: String,
    /// How long it may be at one message, if the plugin says so.
    pub patience: Option<Duration>,
}

impl Handle {
    /// What became of its messages.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether an endpoint is bound for it, so that it gets more than what is subscribed to.
    #[must_use]
    pub fn has_inbound(&self) -> bool {
        self.has_inbound
    }

    /// Has it look whether it is to end.
    pub(crate) fn wake(&self) {
        self.waker.wake_by_ref();
    }

    /// Gives an order; false if the consumer has ended.
    pub fn order(&self, order: Order) -> bool {
        let there = self.orders.send(order).is_ok();
        self.waker.wake_by_ref();
        there
    }
}

/// What became of a consumer's messages since the hub started.
#[derive(Debug, Default)]
pub struct Tally {
    received: AtomicU64,
    finished: AtomicU64,
    retries: AtomicU64,
    replayed: AtomicU64,
    failures: AtomicU64,
    aside: AtomicU64,
    phase: Mutex<Phase>,
    /// The calls into the plugin.
    pub calls: Meter,
    /// Those that were not finished, by reason.
    pub dropped: DroppedCounters,
    /// What the plugin itself counts.
    pub counts: Counts,
}

/// What a consumer is about, and since when.
#[derive(Debug, Clone, Copy)]
struct Phase {
    /// Whose it is: an earlier run may hang in its start, and come back when a later one is under way.
    run: Run,
    state: ConsumerState,
    since: Instant,
}

impl Default for Phase {
    fn default() -> Self {
        Self::of(Run::default())
    }
}

impl Phase {
    fn of(run: Run) -> Self {
        Self { run, state: ConsumerState::Starting, since: Instant::now() }
    }
}

impl Tally {
    /// The consumer is started, for the first time or again. What it had set aside it will find again.
    pub(crate) fn begin(&self, run: Run) {
        self.aside.store(0, Relaxed);
        *self.lock_phase() = Phase::of(run);
    }

    /// Messages that were for it, each once.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Messages that the plugin finished, replayed and requeued ones included.
    pub fn finished(&self) -> u64 {
        self.finished.load(Relaxed)
    }

    /// Attempts after the first one, over all messages.
    pub fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Calls that did not finish their message, panics included; not those after which it is wanted later.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// What the consumer is about.
    pub fn state(&self) -> ConsumerState {
        self.lock_phase().state
    }

    /// For how long it has been about that.
    pub fn in_state(&self) -> Duration {
        self.lock_phase().since.elapsed()
    }

    pub(crate) fn set_state(&self, run: Run, state: ConsumerState) {
        let mut phase = self.lock_phase();
        if phase.run != run {
            return;
        }
        let is_late = match phase.state {
            // Whatever becomes of its start.
            ConsumerState::Leaving => !is_end(state),
            before => is_end(before) && state == ConsumerState::Leaving,
        };
        if !is_late {
            *phase = Phase { run, state, since: Instant::now() };
        }
    }

    /// Whether the consumer's thread is at its end.
    pub fn has_ended(&self) -> bool {
        is_end(self.state())
    }

    /// Whether the consumer's thread does what it is told.
    pub fn takes_orders(&self) -> bool {
        !self.has_ended() && self.state() != ConsumerState::Leaving
    }

    fn lock_phase(&self) -> MutexGuard<'_, Phase> {
        // Nothing under the lock is left half-done by a panic.
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages that are set aside now, to be delivered later.
    pub fn aside(&self) -> u64 {
        self.aside.load(Relaxed)
    }

    /// Messages that the operator had delivered again.
    pub fn replayed(&self) -> u64 {
        self.replayed.load(Relaxed)
    }
}

fn is_end(state: ConsumerState) -> bool {
    matches!(state, ConsumerState::Ended | ConsumerState::Ignored)
}
