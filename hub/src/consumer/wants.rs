//! Which of the journal's messages are for a consumer. It is asked when they are read, not when they come, so that a
//! consumer gets what came before it was switched on, by the topics that it has now.

use bus::EndpointName;
use journal::Entry;
use message::{Pattern, Router};

use crate::mark::INBOUND;

/// Which messages are for a consumer.
#[derive(Debug)]
pub(super) struct Wants {
    /// `None` if it wants every topic, which needs no looking.
    topics: Option<Router<()>>,
    inbound: Vec<EndpointName>,
}

impl Wants {
    /// The messages whose topics match, and those that came by its own endpoints.
    pub(super) fn new(topics: &[Pattern], inbound: &[EndpointName]) -> Self {
        let everything = topics.iter().any(|topic| matches!(topic.as_str(), "" | "*"));
        let patterns = || Router::new(topics.iter().map(|topic| (topic.clone(), ())).collect());
        Self { topics: (!everything).then(patterns), inbound: inbound.to_vec() }
    }

    /// Whether it wants this one.
    pub(super) fn has(&mut self, entry: &Entry<'_>) -> bool {
        if entry.flags() & INBOUND != 0 {
            return self.inbound.iter().any(|name| name.as_str() == entry.endpoint());
        }
        let Some(topics) = &mut self.topics else { return true };
        topics.route(entry.topic().as_bytes()).is_ok_and(|route| !route.keys.is_empty())
    }
}
