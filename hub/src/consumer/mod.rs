//! One consumer: its options, its inbox, its thread, and what became of its messages.
//!
//! The inbox is a bounded queue in memory; the crate `journal` is to take its place.

pub mod inbox;
pub mod options;
pub mod runner;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use bus::EndpointName;
use bytes::Bytes;
use message::Topic;

use crate::outcome::{Dropped, DroppedCounters};

/// A message as the hub received it; shared by all its consumers.
#[derive(Debug)]
pub struct Received {
    /// The topic frame.
    pub topic: Topic,
    /// The body frame, unchanged.
    pub body: Bytes,
    /// The endpoint by which it came.
    pub endpoint: EndpointName,
    /// When it came.
    pub at: SystemTime,
}

/// What became of a consumer's messages since the hub started.
#[derive(Debug, Default)]
pub struct Tally {
    received: AtomicU64,
    finished: AtomicU64,
    retries: AtomicU64,
    /// Those that were not finished, by reason.
    pub dropped: DroppedCounters,
}

impl Tally {
    /// Messages whose topics matched.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Messages that the plugin finished.
    pub fn finished(&self) -> u64 {
        self.finished.load(Relaxed)
    }

    /// Gives up what has no end yet: the hub stops, and the consumer's thread does not come back.
    pub(crate) fn abandon(&self) {
        let ended = self.finished() + self.dropped.total();
        self.dropped.add(Dropped::Undelivered, self.received().saturating_sub(ended));
    }

    /// Attempts after the first one, over all messages.
    pub fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }
}

/// The name of a consumer; unique in a hub.
pub type ConsumerName = Arc<str>;
