//! The receiving thread: takes messages off the bus, refuses what is none, and hands each to the consumers
//! that want it.
//!
//! It ends in two steps. First it leaves the endpoints that it subscribes to, while those that are bound for consumers
//! stay open: what other consumers publish while they finish may come in by them. Then it leaves those, too.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use bus::{BusError, EndpointName, Frames, Incoming, Subscribe};
use bytes::Bytes;
use message::{Envelope, Router, Topic};

use crate::consumer::Received;
use crate::consumer::inbox::Inbox;
use crate::outcome::{Rejected, RejectedCounters};
use crate::throttle::Throttle;

/// As many messages are taken from the sockets at once at most.
const BATCH: usize = 256;

/// How long a stopping hub goes on taking in what was on its way, at most.
const LAST_CALL: Duration = Duration::from_secs(2);

/// When nothing has come for so long, nothing was on its way.
const QUIET: Duration = Duration::from_millis(100);

/// What came in since the hub started.
#[derive(Debug, Default)]
pub struct IntakeTally {
    messages: AtomicU64,
    /// Those that reached no consumer, by reason.
    pub rejected: RejectedCounters,
}

impl IntakeTally {
    /// Messages taken off the bus, good and bad.
    pub fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }
}

/// Everything that the thread needs.
pub struct Intake<S> {
    /// The bus, with its endpoints open.
    pub subscriber: S,
    /// Who wants which topic; the keys are places in `inboxes`.
    pub router: Router<usize>,
    /// Who alone gets what comes by these endpoints.
    pub inbound: HashMap<EndpointName, Vec<usize>>,
    /// One for each consumer; gone when no more will come for it.
    pub inboxes: Vec<Option<Inbox>>,
    /// `hub.max_body_bytes`.
    pub max_body_bytes: usize,
    /// What comes in.
    pub tally: Arc<IntakeTally>,
    /// Changed, and the subscriber woken, when the hub stops.
    pub phase: Arc<AtomicPhase>,
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
    /// Runs until it is closed. At each step it first takes in what is on its way already.
    ///
    /// # Errors
    /// The sockets fail as such, which no peer can bring about.
    pub fn run(mut self) -> Result<(), BusError> {
        let mut complaints = Complaints::default();
        let mut batch = Vec::with_capacity(BATCH);
        for phase in [Phase::Open, Phase::InboundOnly] {
            while self.phase.get() <= phase {
                self.receive(&mut batch, Duration::MAX, &mut complaints)?;
            }
            // By the clock, and not by an empty batch: receiving may come back early with nothing.
            let end = Instant::now() + LAST_CALL;
            let mut quiet = Instant::now() + QUIET;
            loop {
                let left = quiet.min(end).saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                if self.receive(&mut batch, left, &mut complaints)? {
                    quiet = Instant::now() + QUIET;
                }
            }
            if phase == Phase::Open {
                self.leave_subscribed()?;
            }
        }
        Ok(())
    }

    /// Receives a batch and deals with it; false when there was nothing.
    fn receive(
        &mut self,
        batch: &mut Vec<Incoming>,
        timeout: Duration,
        complaints: &mut Complaints,
    ) -> Result<bool, BusError> {
        self.subscriber.receive(batch, BATCH, timeout)?;
        let (at, count) = (SystemTime::now(), batch.len());
        self.tally.messages.fetch_add(count as u64, Relaxed);
        for Incoming { endpoint, frames } in batch.drain(..) {
            if let Err(refusal) = self.take(&endpoint, frames, at) {
                self.tally.rejected.add(refusal.reason, 1);
                complaints.log(&endpoint, &refusal);
            }
        }
        Ok(count > 0)
    }

    /// Leaves the endpoints that are subscribed to, and closes the inboxes of those who get nothing else.
    fn leave_subscribed(&mut self) -> Result<(), BusError> {
        for endpoint in self.subscriber.status().snapshot() {
            if !self.inbound.contains_key(&endpoint.name) {
                self.subscriber.disconnect(&endpoint.name)?;
            }
        }
        for (n, inbox) in self.inboxes.iter_mut().enumerate() {
            if !self.inbound.values().any(|consumers| consumers.contains(&n)) {
                *inbox = None;
            }
        }
        Ok(())
    }

    fn take(&mut self, endpoint: &EndpointName, frames: Frames, at: SystemTime) -> Result<(), Refusal> {
        let (topic, body) = match frames {
            Frames::Message { topic, body } => (topic, body),
            Frames::Malformed { count, bytes } => {
                let error = format!(
                    "{count} frames with {bytes} bytes in all, where a message has 2: topic and body"
                );
                return Err(Refusal::new(Rejected::Frames, error));
            }
        };
        let route =
            self.router.route(&topic).map_err(|error| Refusal::new(Rejected::Topic, error.to_string()))?;
        let consumers = self.inbound.get(endpoint).map_or(&*route.keys, Vec::as_slice);
        self.check(&body).map_err(|refusal| refusal.about(&route.topic))?;
        if consumers.is_empty() {
            self.tally.rejected.add(Rejected::Unmatched, 1);
            return Ok(());
        }
        let received = Arc::new(Received { topic: route.topic, body, endpoint: endpoint.clone(), at });
        for consumer in consumers {
            if let Some(Some(inbox)) = self.inboxes.get_mut(*consumer) {
                inbox.put(&received);
            }
        }
        Ok(())
    }

    fn check(&self, body: &Bytes) -> Result<(), Refusal> {
        if body.len() > self.max_body_bytes {
            let error =
                format!("{} bytes, and hub.max_body_bytes allows {}", body.len(), self.max_body_bytes);
            return Err(Refusal::new(Rejected::TooLarge, error));
        }
        match Envelope::parse(body) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refusal::new(Rejected::Body, error.to_string())),
        }
    }
}

/// Why a message is not taken in.
struct Refusal {
    reason: Rejected,
    topic: Option<Topic>,
    error: String,
}

impl Refusal {
    fn new(reason: Rejected, error: String) -> Self {
        Self { reason, topic: None, error }
    }

    fn about(self, topic: &Topic) -> Self {
        Self { topic: Some(topic.clone()), ..self }
    }
}

/// Logs refusals, for each reason at a bounded rate.
#[derive(Default)]
struct Complaints(HashMap<&'static str, Throttle>);

impl Complaints {
    fn log(&mut self, endpoint: &EndpointName, refusal: &Refusal) {
        let reason = refusal.reason.word();
        let Some(suppressed) = self.0.entry(reason).or_default().pass() else { return };
        let topic = refusal.topic.as_deref().unwrap_or_default();
        tracing::warn!(%endpoint, topic, reason, error = refusal.error, suppressed, "message rejected");
    }
}

#[cfg(test)]
mod tests {
    use bus::{Endpoint, Frames, Prefixes, memory};
    use crossbeam_channel::never;
    use message::{Pattern, PatternSet};

    use super::*;
    use crate::consumer::Tally;

    /// What becomes of one message, sent by `endpoint` to a hub where consumer 0 wants `a.*`, consumer 1 everything,
    /// and consumer 2 alone what comes by `inbound`: which consumers got it, and what was rejected.
    fn taken(endpoint: &str, frames: &Frames) -> (Vec<usize>, String) {
        let bus = memory::Bus::default();
        let mut subscriber = bus.subscriber();
        subscriber
            .connect(&Endpoint::new("e", ["tcp://e:1".parse().unwrap()]), &Prefixes::everything())
            .unwrap();
        let inbound = Endpoint::new("inbound", ["tcp://*:2".parse().unwrap()]);
        subscriber.bind(&inbound, &Prefixes::everything()).unwrap();
        let (inboxes, queues): (Vec<_>, Vec<_>) = (0..3)
            .map(|n| {
                let (inbox, queue) =
                    Inbox::new(n.to_string().into(), 9, Duration::ZERO, never(), Arc::new(Tally::default()));
                (Some(inbox), queue)
            })
            .unzip();
        let patterns = PatternSet::from_iter([(Pattern::new("a.*"), 0), (Pattern::new("*"), 1)]);
        let tally = Arc::new(IntakeTally::default());
        let intake = Intake {
            subscriber,
            router: Router::new(patterns),
            inbound: HashMap::from([("inbound".into(), vec![2])]),
            inboxes,
            max_body_bytes: 20,
            tally: Arc::clone(&tally),
            phase: Arc::new(AtomicPhase(AtomicU8::new(Phase::Closed as u8))),
        };
        bus.publisher(endpoint).publish_frames(frames);
        intake.run().unwrap();
        let got = queues.iter().enumerate().filter(|(_, queue)| queue.try_recv().is_ok());
        (got.map(|(n, _)| n).collect(), tally.rejected.summary())
    }

    fn message(topic: &'static [u8], body: &'static [u8]) -> Frames {
        Frames::Message { topic: Bytes::from_static(topic), body: Bytes::from_static(body) }
    }

    #[test]
    fn a_message_goes_to_those_whose_topics_match() {
        assert_eq!(taken("e", &message(b"a.b", b"{}")), (vec![0, 1], "none".to_owned()));
        assert_eq!(taken("e", &message(b"b.a", b"{}")), (vec![1], "none".to_owned()));
    }

    #[test]
    fn what_comes_by_an_inbound_endpoint_goes_to_its_consumer_alone() {
        assert_eq!(taken("inbound", &message(b"a.b", b"{}")), (vec![2], "none".to_owned()));
    }

    #[test]
    fn what_is_no_message_goes_to_nobody_and_is_counted_by_reason() {
        let rejected = |frames| taken("e", &frames);
        assert_eq!(rejected(Frames::Malformed { count: 3, bytes: 9 }), (vec![], "frames=1".to_owned()));
        assert_eq!(rejected(message(b"", b"{}")), (vec![], "topic=1".to_owned()));
        assert_eq!(rejected(message(b"a.b", b"[1]")), (vec![], "body=1".to_owned()));
        assert_eq!(
            rejected(message(b"a.b", b"{\"x\": \"a body too large\"}")),
            (vec![], "too_large=1".to_owned())
        );
    }
}
