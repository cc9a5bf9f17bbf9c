//! The receiving thread: takes messages off the bus, refuses what is none, and appends the rest to the journal.
//!
//! It ends in two steps. First it leaves the endpoints that it subscribes to, while those that are bound for consumers
//! stay open: what other consumers publish while they finish may come in by them. Then it leaves those, too.

mod check;
pub mod reception;
mod tally;
pub mod verify;

pub use self::tally::{IntakeTally, Rejections};

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use bus::{BusError, EndpointName, Frames, Incoming, Subscribe};
use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use crypto::Verdict;
use journal::{Appender, Ending, Id, JournalError, Offset, Outcome, Record, Refusal, Seen};
use message::{Router, Topic};

use self::check::{Complaints, Refused};
use self::reception::{Change, Open, Reception, ReceptionError};
use self::verify::Verifier;
use crate::clock::Clock;
use crate::consumer::{Order, Roster};
use crate::mark::{self, INBOUND};
use crate::outcome::Rejected;
use crate::plan::Trust;
use crate::storage::Housekeeping;
use crate::throttle::Throttle;
use crate::trust::Judge;

/// As many messages are taken from the sockets at once at most.
const BATCH: usize = 256;

/// The thread comes by at least so often, which shows that it lives.
const BEAT: Duration = Duration::from_secs(1);

/// How long a stopping hub goes on taking in what was on its way, at most.
const LAST_CALL: Duration = Duration::from_secs(2);

/// When nothing has come for so long, nothing was on its way.
const QUIET: Duration = Duration::from_millis(100);

/// While the journal's memory is full, `append` does not come back.
const MEMORY_FULL: &str =
    "memory is full of messages that a consumer has not dealt with; `fedmsg-hub consumer list` says which";

/// How long to wait before the journal is tried again.
const UNWRITABLE: Duration = Duration::from_millis(500);

/// Everything that the thread needs.
pub struct Intake<S> {
    /// The bus.
    subscriber: S,
    /// What is open there.
    open: Open,
    /// The topics that anybody wants, and whether with a signature.
    router: Router<Trust>,
    /// Checks signatures; `None` if nobody wants that.
    verifier: Option<Verifier>,
    /// `hub.max_body_bytes`.
    max_body_bytes: usize,
    /// Keeps a journal that cannot be written from flooding the log.
    complaints: Throttle,
    /// What of it reaches no consumer.
    rejections: Rejections,
    /// Messages were given up because the hub ends.
    gave_up: bool,
    means: Means,
}

/// What the thread has to work with.
pub struct Means {
    /// What time it is.
    pub clock: Arc<Clock>,
    /// Checks signatures, where somebody wants that.
    pub judge: Arc<Judge>,
    /// Writes the journal.
    pub appender: Appender,
    /// Makes room in it.
    pub housekeeping: Arc<Housekeeping>,
    /// What came lately; `None` if duplicates are welcome.
    pub seen: Option<Seen>,
    /// Those without an inbound endpoint are told what the last message for them is.
    pub consumers: Roster,
    /// Closed when the hub can't wait any longer.
    pub halt: Receiver<()>,
    /// `journal.mode` is `memory`.
    pub in_memory: bool,
    /// What is to be received from now on; the subscriber is woken after.
    pub changes: Receiver<Change>,
    /// What comes in.
    pub tally: Arc<IntakeTally>,
    /// Changed, and the subscriber woken, when the hub stops.
    pub phase: Arc<AtomicPhase>,
}

/// A message that is to go into the journal.
#[derive(Debug)]
struct Accepted {
    topic: Topic,
    body: Bytes,
    endpoint: EndpointName,
    inbound: bool,
    /// Somebody wants it.
    matched: bool,
    /// Somebody wants it only if its signature verifies.
    to_verify: bool,
    verdict: Option<Verdict>,
    /// By which it is known when it comes again.
    id: Option<Id>,
}

impl Accepted {
    fn flags(&self) -> u32 {
        mark::of(self.verdict.as_ref()).0 | if self.inbound { INBOUND } else { 0 }
    }
}

/// How far intake has to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Take everything.
    Open,
    /// Leave the endpoints that are subscribed to.
    InboundOnly,
    /// Leave every endpoint, and end.
    Closed,
}

/// A [`Phase`] that another thread moves on.
#[derive(Debug, Default)]
pub struct AtomicPhase(AtomicU8);

impl AtomicPhase {
    /// Moves on; never back.
    pub fn set(&self, phase: Phase) {
        self.0.fetch_max(phase as u8, Relaxed);
    }

    fn get(&self) -> Phase {
        match self.0.load(Relaxed) {
            0 => Phase::Open,
            1 => Phase::InboundOnly,
            _ => Phase::Closed,
        }
    }
}

impl<S: Subscribe> Intake<S> {
    /// Opens what is to be received.
    ///
    /// # Errors
    /// An address cannot be bound or connected to, and no threads be had.
    pub fn open(subscriber: S, means: Means, reception: &Reception) -> Result<Self, ReceptionError> {
        let router = Router::new([].into_iter().collect());
        let (open, verifier, max_body_bytes, complaints, rejections, gave_up) = Default::default();
        let mut intake = Self {
            subscriber,
            open,
            router,
            verifier,
            max_body_bytes,
            complaints,
            rejections,
            gave_up,
            means,
        };
        intake.go_over(reception, &mut Complaints::default())?;
        Ok(intake)
    }

    /// Runs until it is closed. At each step it first takes in what is on its way already.
    ///
    /// # Errors
    /// The sockets fail as such, which no peer can bring about.
    pub fn run(mut self) -> Result<(), BusError> {
        let mut refusals = Complaints::default();
        let mut batch = Vec::with_capacity(BATCH);
        for phase in [Phase::Open, Phase::InboundOnly] {
            while self.means.phase.get() <= phase {
                self.follow(&mut refusals);
                self.receive(&mut batch, BEAT, &mut refusals)?;
            }
            // By the clock, and not by an empty batch: receiving may come back early with nothing.
            let end = Instant::now() + LAST_CALL;
            let mut quiet = Instant::now() + QUIET;
            loop {
                let left = quiet.min(end).saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                if self.receive(&mut batch, left, &mut refusals)? {
                    quiet = Instant::now() + QUIET;
                }
            }
            if phase == Phase::Open {
                self.leave_subscribed()?;
            }
        }
        Ok(())
    }

    /// Does what it is told, between two batches.
    fn follow(&mut self, complaints: &mut Complaints) {
        while let Ok(Change { to, done }) = self.means.changes.try_recv() {
            // Nobody waits any more if the hub stops.
            drop(done.send(self.go_over(&to, complaints)));
        }
    }

    /// Receives a batch and deals with it; false when there was nothing.
    fn receive(
        &mut self,
        batch: &mut Vec<Incoming>,
        timeout: Duration,
        complaints: &mut Complaints,
    ) -> Result<bool, BusError> {
        self.subscriber.receive(batch, BATCH, timeout)?;
        self.means.tally.beat();
        let any = !batch.is_empty();
        self.take_in(batch, complaints);
        Ok(any)
    }

    /// Deals with what was received.
    fn take_in(&mut self, batch: &mut Vec<Incoming>, complaints: &mut Complaints) {
        if batch.is_empty() {
            return;
        }
        let (at, count) = (self.means.clock.look(self.means.appender.next()), batch.len());
        self.means.tally.add(count, batch.iter().map(|incoming| incoming.frames.size()).sum());
        let mut accepted = Vec::with_capacity(count);
        for Incoming { endpoint, frames } in batch.drain(..) {
            match self.take(&endpoint, frames) {
                Ok(message) => accepted.push(message),
                Err(refused) => {
                    self.rejections.count(&self.means.tally, &endpoint, refused.reason);
                    complaints.log(&endpoint, &refused);
                    let (endpoint, reason) = (endpoint.as_str().to_owned(), refused.to_string());
                    self.record(at, None, Ending::Malformed(Refusal { endpoint, reason }));
                }
            }
        }
        if let Some(verifier) = &self.verifier {
            verifier.verify(&mut accepted, self.means.appender.next());
        }
        self.drop_duplicates(at, &mut accepted);
        self.append(at, &accepted);
    }

    /// Leaves the endpoints that are subscribed to, and tells those who get nothing else.
    fn leave_subscribed(&mut self) -> Result<(), BusError> {
        for name in self.open.subscribed() {
            self.subscriber.disconnect(&name)?;
        }
        for consumer in self.means.consumers.all().values().filter(|consumer| !consumer.has_inbound()) {
            consumer.order(Order::EndAt(self.means.appender.next()));
        }
        Ok(())
    }

    fn take(&mut self, endpoint: &EndpointName, frames: Frames) -> Result<Accepted, Refused> {
        let (topic, body) = check::frames(frames)?;
        let route =
            self.router.route(&topic).map_err(|error| Refused::new(Rejected::Topic, error.to_string()))?;
        let envelope =
            check::body(&body, self.max_body_bytes).map_err(|refused| refused.about(&route.topic))?;
        let inbound = self.open.is_inbound(endpoint);
        // What publishers send to a relay comes back from it, and is for the relay to judge.
        let id = self
            .means
            .seen
            .as_ref()
            .filter(|_| !inbound && envelope.msg_id().is_some())
            .map(|seen| seen.id(&route.topic, &body));
        Ok(Accepted {
            topic: route.topic,
            endpoint: endpoint.clone(),
            inbound,
            matched: inbound || !route.keys.is_empty(),
            to_verify: !inbound && route.keys.contains(&Trust::Signed),
            verdict: None,
            id,
            body,
        })
    }

    /// Leaves out what came before.
    fn drop_duplicates(&mut self, at: SystemTime, accepted: &mut Vec<Accepted>) {
        let Some(seen) = &mut self.means.seen else { return };
        let steady = self.means.clock.steady();
        let mut offset = self.means.appender.next();
        let mut duplicates = Vec::new();
        for message in std::mem::take(accepted) {
            match message.id.and_then(|id| seen.check(id, offset, steady)) {
                Some(of) => duplicates.push((of, message)),
                None => {
                    offset = offset.next();
                    accepted.push(message);
                }
            }
        }
        for (of, message) in duplicates {
            // A forgery that is repeated is one each time.
            drop(self.verifier.as_ref().and_then(|verifier| verifier.refusal(&message)));
            self.rejections.count(&self.means.tally, &message.endpoint, Rejected::Duplicate);
            let endpoint = message.endpoint.as_str().to_owned();
            self.record(at, None, Ending::Duplicate { of, endpoint });
        }
    }

    /// Appends to the journal. While it cannot be written nothing more is taken in: ZeroMQ's queues fill.
    fn append(&mut self, received: SystemTime, accepted: &[Accepted]) {
        if accepted.is_empty() {
            return;
        }
        // What came before could not be stored: what comes after, and is smaller perhaps, must not overtake it.
        if self.gave_up {
            return self.not_stored(accepted);
        }
        let records = accepted.iter().map(|message| Record {
            received,
            endpoint: message.endpoint.as_str(),
            flags: message.flags(),
            note: mark::of(message.verdict.as_ref()).1,
            topic: &message.topic,
            body: &message.body,
        });
        let records: Vec<_> = records.collect();
        let mut failed = false;
        let appended = loop {
            if self.means.in_memory {
                self.means.tally.set_trouble(Some(MEMORY_FULL.to_owned()));
            }
            let error = match self.means.appender.append(&records) {
                Ok(appended) => break appended,
                Err(error) => error,
            };
            if matches!(error, JournalError::Full { .. }) && self.means.housekeeping.tidy() {
                continue;
            }
            failed = true;
            if let Some(suppressed) = self.complaints.pass() {
                tracing::error!(%error, suppressed, "nothing is taken in: the journal cannot be written");
            }
            self.means.tally.set_trouble(Some(error.to_string()));
            if !error.may_pass() {
                return self.not_stored(accepted);
            }
            if self.means.halt.recv_timeout(UNWRITABLE) == Err(RecvTimeoutError::Disconnected) {
                self.gave_up = true;
                return self.not_stored(accepted);
            }
        };
        if failed {
            tracing::info!("the journal can be written again");
        }
        if failed || self.means.in_memory {
            self.means.tally.set_trouble(None);
        }
        if appended.dropped > 0
            && let Some(suppressed) = self.complaints.pass()
        {
            tracing::warn!(dropped = appended.dropped, suppressed, "messages dropped: {MEMORY_FULL}");
        }
        if appended.offsets.is_empty() {
            self.forget();
            for message in accepted {
                self.rejections.count(&self.means.tally, &message.endpoint, Rejected::MemoryFull);
                let (endpoint, reason) = (message.endpoint.as_str().to_owned(), Rejected::MemoryFull.word());
                self.record(
                    received,
                    None,
                    Ending::Rejected(Refusal { endpoint, reason: reason.to_owned() }),
                );
            }
            return;
        }
        for (message, offset) in accepted.iter().zip(appended.offsets.start.0..) {
            if !message.matched {
                self.rejections.count(&self.means.tally, &message.endpoint, Rejected::Unmatched);
                self.record(received, Some(Offset(offset)), Ending::Unmatched);
            }
            if let Some(refusal) = self.verifier.as_ref().and_then(|verifier| verifier.refusal(message)) {
                self.record(received, Some(Offset(offset)), Ending::Rejected(refusal));
            }
        }
    }

    fn not_stored(&mut self, accepted: &[Accepted]) {
        self.forget();
        for message in accepted {
            self.rejections.count(&self.means.tally, &message.endpoint, Rejected::NotStored);
        }
    }

    /// Forgets the messages that did not get into the journal: a repetition of them is none.
    fn forget(&mut self) {
        if let Some(seen) = &mut self.means.seen {
            seen.forget_from(self.means.appender.next());
        }
    }

    fn record(&self, at: SystemTime, offset: Option<Offset>, ending: Ending) {
        if let Err(error) = self.means.housekeeping.journal().record(&Outcome { at, offset, ending }) {
            tracing::error!(%error, "outcomes cannot be written");
        }
    }
}

#[cfg(test)]
mod tests;
