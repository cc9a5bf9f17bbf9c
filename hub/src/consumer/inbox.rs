//! The bounded queue between intake and a consumer's thread.
//!
//! A full inbox holds intake up, but only for `hub.inbox_wait` in all in any ten seconds: then messages for it are
//! dropped at once, counted and said. So a consumer that is wedged, or always a little too slow, costs the others a
//! bounded share of their time.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};

use super::{ConsumerName, Received, Tally};
use crate::outcome::Dropped;
use crate::throttle::Throttle;

/// How long the time that an inbox may hold intake up has to last.
const REFILL: Duration = Duration::from_secs(10);

/// Intake's end of the queue.
#[derive(Debug)]
pub struct Inbox {
    consumer: ConsumerName,
    queue: Sender<Arc<Received>>,
    wait: Duration,
    /// What is left of `wait` until the next refill.
    left: Duration,
    refilled: Instant,
    /// Closed when the hub can't wait any longer.
    halt: Receiver<()>,
    throttle: Throttle,
    tally: Arc<Tally>,
}

impl Inbox {
    /// An inbox for `capacity` messages, and the end for the consumer's thread.
    pub fn new(
        consumer: ConsumerName,
        capacity: usize,
        wait: Duration,
        halt: Receiver<()>,
        tally: Arc<Tally>,
    ) -> (Self, Receiver<Arc<Received>>) {
        let (queue, messages) = bounded(capacity);
        let (refilled, throttle) = (Instant::now(), Throttle::default());
        (Self { consumer, queue, wait, left: wait, refilled, halt, throttle, tally }, messages)
    }

    /// Hands a message to the consumer, or counts why not.
    pub fn put(&mut self, message: &Arc<Received>) {
        self.tally.received.fetch_add(1, Relaxed);
        match self.queue.try_send(Arc::clone(message)) {
            Ok(()) => {}
            Err(TrySendError::Full(message)) => self.put_into_full(message),
            Err(TrySendError::Disconnected(_)) => self.tally.dropped.add(Dropped::ConsumerEnded, 1),
        }
    }

    fn put_into_full(&mut self, message: Arc<Received>) {
        let started = Instant::now();
        if started.duration_since(self.refilled) >= REFILL {
            (self.left, self.refilled) = (self.wait, started);
        }
        let topic = message.topic.clone();
        let dropped = select! {
            send(self.queue, message) -> sent => sent.err().map(|_| Dropped::ConsumerEnded),
            recv(self.halt) -> _ => Some(Dropped::Undelivered),
            default(self.left) => Some(Dropped::InboxFull),
        };
        self.left = self.left.saturating_sub(started.elapsed());
        let Some(reason) = dropped else { return };
        self.tally.dropped.add(reason, 1);
        if reason == Dropped::InboxFull
            && let Some(suppressed) = self.throttle.pass()
        {
            tracing::error!(
                consumer = %self.consumer, %topic, suppressed,
                waiting = self.queue.len(), reason = reason.word(),
                "message dropped: the consumer does not keep up; raise `inbox` or make it faster"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn message() -> Arc<Received> {
        Arc::new(Received {
            topic: message::Topic::from_frame(b"t").unwrap(),
            body: bytes::Bytes::from_static(b"{}"),
            endpoint: "e".into(),
            at: SystemTime::now(),
        })
    }

    fn inbox(capacity: usize, wait: Duration) -> (Inbox, Receiver<Arc<Received>>, Arc<Tally>, Sender<()>) {
        let (tally, (halt, halted)) = (Arc::new(Tally::default()), bounded(0));
        let (inbox, queue) = Inbox::new("c".into(), capacity, wait, halted, Arc::clone(&tally));
        (inbox, queue, tally, halt)
    }

    #[test]
    fn a_full_inbox_drops_and_counts_until_there_is_room() {
        let (mut inbox, queue, tally, _halt) = inbox(2, Duration::from_millis(1));
        for _ in 0..5 {
            inbox.put(&message());
        }
        assert_eq!((tally.received(), tally.dropped.get(Dropped::InboxFull)), (5, 3));
        queue.recv().unwrap();
        inbox.put(&message());
        assert_eq!((tally.received(), tally.dropped.get(Dropped::InboxFull)), (6, 3));
    }

    #[test]
    fn a_consumer_that_always_makes_room_late_uses_its_time_up() {
        let (mut inbox, queue, tally, _halt) = inbox(1, Duration::from_secs(1));
        inbox.left = Duration::ZERO;
        inbox.put(&message());
        inbox.put(&message());
        queue.recv().unwrap();
        inbox.put(&message());
        inbox.put(&message());
        assert_eq!(tally.dropped.get(Dropped::InboxFull), 2);
    }

    #[test]
    fn a_hub_that_halts_does_not_wait() {
        let (mut inbox, _queue, tally, halt) = inbox(1, Duration::from_secs(3600));
        drop(halt);
        inbox.put(&message());
        inbox.put(&message());
        assert_eq!(tally.dropped.get(Dropped::Undelivered), 1);
    }

    #[test]
    fn what_comes_after_the_consumer_ended_is_counted_as_that() {
        let (mut inbox, queue, tally, _halt) = inbox(2, Duration::from_millis(1));
        drop(queue);
        inbox.put(&message());
        assert_eq!(tally.dropped.get(Dropped::ConsumerEnded), 1);
    }
}
