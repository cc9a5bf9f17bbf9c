//! Which of the journal's messages are for a consumer. It is asked when they are read, not when they come, so that a
//! consumer gets what came before it was switched on, by the topics that it has now.

use std::sync::Arc;

use std::ops::RangeBounds;

use bus::EndpointName;
use journal::{Batch, Entry, Offset};
use message::Router;

use super::Consumer;
use super::admission::Admission;
use super::share::Picks;
use crate::mark::INBOUND;
use crate::plan::PlannedConsumer;

/// Which messages are for a consumer.
pub(super) struct Wants {
    /// `None` if it wants every topic, which needs no looking.
    topics: Option<Router<()>>,
    inbound: Vec<EndpointName>,
    consumer: Arc<Consumer>,
}

impl Wants {
    /// The messages whose topics match, and those that came by its own endpoints.
    pub(super) fn new(planned: &PlannedConsumer, consumer: Arc<Consumer>) -> Self {
        let PlannedConsumer { topics, inbound, .. } = planned;
        let everything = topics.iter().any(|topic| matches!(topic.as_str(), "" | "*"));
        let patterns = || Router::new(topics.iter().map(|topic| (topic.clone(), ())).collect());
        Self { topics: (!everything).then(patterns), inbound: inbound.clone(), consumer }
    }

    /// Those of a batch that it wants and may have, of these offsets.
    pub(super) fn pick(&mut self, batch: &Batch, offsets: &impl RangeBounds<Offset>) -> Picks {
        let mut picks = Picks::default();
        let consumer = Arc::clone(&self.consumer);
        let gate = consumer.gate();
        for (place, entry) in batch.iter().enumerate() {
            if !offsets.contains(&entry.offset()) || !self.matches(&entry) {
                continue;
            }
            match gate.admit(&entry) {
                Admission::Refused => continue,
                Admission::AsNoted => {}
                Admission::Signed(by) => drop(picks.signers.insert(place, by)),
            }
            picks.places.push(place);
        }
        picks
    }

    fn matches(&mut self, entry: &Entry<'_>) -> bool {
        if entry.flags() & INBOUND != 0 {
            return self.inbound.iter().any(|name| name.as_str() == entry.endpoint());
        }
        let Some(topics) = &mut self.topics else { return true };
        topics.route(entry.topic().as_bytes()).is_ok_and(|route| !route.keys.is_empty())
    }
}
