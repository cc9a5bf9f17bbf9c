//! Which of the journal's messages are for a consumer. It is asked when they are read, not when they come, so that a
//! consumer gets what came before it was switched on, by the topics that it has now.

use std::sync::Arc;

use bus::EndpointName;
use crypto::Validator;
use journal::Entry;
use message::Router;
use plugin_api::Verdict;

use crate::intake::verify::verdict;
use crate::mark::{self, INBOUND};
use crate::plan::PlannedConsumer;

/// Which messages are for a consumer.
pub(super) struct Wants {
    /// `None` if it wants every topic, which needs no looking.
    topics: Option<Router<()>>,
    inbound: Vec<EndpointName>,
    /// None if it takes messages of anybody.
    validator: Option<Arc<Validator>>,
}

impl Wants {
    /// The messages whose topics match, and those that came by its own endpoints; if there is a validator, only those whose
    /// signatures verify.
    pub(super) fn new(planned: &PlannedConsumer, validator: Option<Arc<Validator>>) -> Self {
        let PlannedConsumer { topics, inbound, .. } = planned;
        let everything = topics.iter().any(|topic| matches!(topic.as_str(), "" | "*"));
        let patterns = || Router::new(topics.iter().map(|topic| (topic.clone(), ())).collect());
        Self { topics: (!everything).then(patterns), inbound: inbound.clone(), validator }
    }

    /// Whether it wants this one.
    pub(super) fn has(&mut self, entry: &Entry<'_>) -> bool {
        self.matches(entry) && self.trusts(entry)
    }

    fn trusts(&self, entry: &Entry<'_>) -> bool {
        let Some(validator) = &self.validator else { return true };
        match mark::verdict(entry).0 {
            Verdict::Valid => true,
            // Nobody wanted to know when it came.
            Verdict::NotChecked => {
                verdict(validator, entry.topic(), entry.body()).is_some_and(|verdict| verdict.is_valid())
            }
            _ => false,
        }
    }

    fn matches(&mut self, entry: &Entry<'_>) -> bool {
        if entry.flags() & INBOUND != 0 {
            return self.inbound.iter().any(|name| name.as_str() == entry.endpoint());
        }
        let Some(topics) = &mut self.topics else { return true };
        topics.route(entry.topic().as_bytes()).is_ok_and(|route| !route.keys.is_empty())
    }
}
