//! The bounded queue between intake and a consumer's thread.
//!
//! A full inbox holds intake up once, for `hub.inbox_wait`; from then on messages for it are dropped at
//! once, counted and said, until it has room again. So one wedged consumer costs the others one wait.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};

use super::{ConsumerName, Received, Tally};
use crate::outcome::Dropped;
use crate::throttle::Throttle;

/// Intake's end of the queue.
#[derive(Debug)]
pub struct Inbox {
    consumer: ConsumerName,
    queue: Sender<Arc<Received>>,
    wait: Duration,
    stalled: bool,
    throttle: Throttle,
    tally: Arc<Tally>,
}

impl Inbox {
    /// An inbox for `capacity` messages, and the end for the consumer's thread.
    pub fn new(
        consumer: ConsumerName,
        capacity: usize,
        wait: Duration,
        tally: Arc<Tally>,
    ) -> (Self, Receiver<Arc<Received>>) {
        let (queue, messages) = bounded(capacity);
        (Self { consumer, queue, wait, stalled: false, throttle: Throttle::default(), tally }, messages)
    }

    /// Hands a message to the consumer, or counts why not.
    pub fn put(&mut self, message: &Arc<Received>) {
        self.tally.received.fetch_add(1, Relaxed);
        let wait = if self.stalled { Duration::ZERO } else { self.wait };
        match self.queue.send_timeout(Arc::clone(message), wait) {
            Ok(()) => {
                if std::mem::take(&mut self.stalled) {
                    tracing::info!(consumer = %self.consumer, "inbox has room again");
                }
            }
            Err(SendTimeoutError::Timeout(_)) => {
                self.stalled = true;
                self.tally.dropped.add(Dropped::InboxFull, 1);
                if let Some(suppressed) = self.throttle.pass() {
                    tracing::error!(
                        consumer = %self.consumer, topic = %message.topic, suppressed,
                        waiting = self.queue.len(), reason = Dropped::InboxFull.word(),
                        "message dropped: the consumer does not keep up; raise `inbox` or make it faster"
                    );
                }
            }
            Err(SendTimeoutError::Disconnected(_)) => self.tally.dropped.add(Dropped::ConsumerEnded, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn message() -> Arc<Received> {
        Arc::new(Received {
            topic: message::Topic::from_frame(b"t").unwrap(),
            body: bytes::Bytes::from_static(b"{}"),
            endpoint: "e".into(),
            at: SystemTime::now(),
        })
    }

    #[test]
    fn a_full_inbox_drops_and_counts_until_there_is_room() {
        let tally = Arc::new(Tally::default());
        let (mut inbox, queue) = Inbox::new("c".into(), 2, Duration::from_millis(1), Arc::clone(&tally));
        for _ in 0..5 {
            inbox.put(&message());
        }
        assert_eq!((tally.received(), tally.dropped.get(Dropped::InboxFull)), (5, 3));
        queue.recv().unwrap();
        inbox.put(&message());
        assert_eq!((tally.received(), tally.dropped.get(Dropped::InboxFull)), (6, 3));
    }

    #[test]
    fn what_comes_after_the_consumer_ended_is_counted_as_that() {
        let tally = Arc::new(Tally::default());
        let (mut inbox, queue) = Inbox::new("c".into(), 2, Duration::from_millis(1), Arc::clone(&tally));
        drop(queue);
        inbox.put(&message());
        assert_eq!(tally.dropped.get(Dropped::ConsumerEnded), 1);
    }
}
