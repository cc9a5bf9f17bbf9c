//! What most tests of a hub need around it.

use std::ops::Range;

use crate::{Hub, HubBuilder, Recorder, Scratch, TestPublisher};

/// A bus with one publisher, and a recorder for who wants one.
pub struct Bus {
    /// Where all of it lies.
    pub scratch: Scratch,
    /// Who publishes.
    pub publisher: TestPublisher,
    /// Who may be told of what a hub delivers.
    pub recorder: Recorder,
}

impl Default for Bus {
    fn default() -> Self {
        let scratch = Scratch::new();
        let recorder = Recorder::listen(&scratch, "recorder");
        Self { scratch, publisher: TestPublisher::default(), recorder }
    }
}

impl Bus {
    /// A hub that subscribes to the publisher.
    pub fn hub(&self) -> HubBuilder<'_> {
        Hub::builder(&self.scratch).subscribed_to(&self.publisher)
    }

    /// Publishes `{"n": N}` for each, after somebody has subscribed.
    pub fn publish(&mut self, topic: &str, numbers: Range<u64>) {
        self.publisher.wait_for_subscriber(topic);
        for n in numbers {
            self.publisher.publish(topic, &format!("{{\"n\": {n}}}"));
        }
    }
}
