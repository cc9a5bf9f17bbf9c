//! What intake receives: the endpoints, the topics, the limits; and how it gets from one such state to another while it
//! runs, touching nothing that both have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use bus::{Address, BusError, Endpoint, EndpointName, Incoming, Prefixes, Subscribe};
use message::{Pattern, PatternSet, Router};
use settings::Settings;

use super::verify::Verifier;
use super::{BATCH, Complaints, Intake, LAST_CALL};
use crate::plan::{Plan, Trust};

/// What is received.
#[derive(Debug, Clone, Default)]
pub struct Reception {
    /// The endpoints that are bound for consumers.
    pub(super) inbound: Vec<Endpoint>,
    /// The endpoints that are subscribed to.
    pub(super) subscribed: Vec<Endpoint>,
    /// The topics that anybody wants, and whether with a signature.
    pub(super) topics: Vec<(Pattern, Trust)>,
    /// `hub.max_body_bytes`.
    pub(super) max_body_bytes: usize,
}

/// Why intake does not receive what it was told to. It may have got half the way.
#[derive(Debug, thiserror::Error)]
pub enum ReceptionError {
    /// An endpoint.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// No threads to check signatures.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Tells intake what to receive from now on.
pub struct Change {
    /// That.
    pub to: Reception,
    /// Told when it does.
    pub done: tokio::sync::oneshot::Sender<Result<(), ReceptionError>>,
}

impl Reception {
    /// What a plan asks for.
    #[must_use]
    pub fn new(plan: &Plan, settings: &Settings) -> Self {
        let topics = |consumer: &crate::plan::PlannedConsumer| {
            let trust = consumer.trust;
            consumer.topics.clone().into_iter().map(move |topic| (topic, trust))
        };
        Self {
            inbound: plan.inbound.clone(),
            subscribed: plan.subscribed.clone(),
            topics: plan.consumers.iter().flat_map(topics).collect(),
            max_body_bytes: settings.hub.max_body_bytes,
        }
    }

    /// What is between this one and the next: the topics of both, and the endpoints of both that are subscribed to, with the
    /// addresses of both. What cannot be both is as it was.
    #[must_use]
    pub fn and(&self, next: &Self) -> Self {
        let bound: BTreeSet<_> = self.inbound.iter().chain(&next.inbound).map(|it| &it.name).collect();
        let mut both = self.clone();
        for endpoint in next.subscribed.iter().filter(|endpoint| !bound.contains(&endpoint.name)) {
            match both.subscribed.iter_mut().find(|it| it.name == endpoint.name) {
                Some(known) => {
                    let new = endpoint.addresses.iter().filter(|it| !known.addresses.contains(it));
                    known.addresses.extend(new.cloned().collect::<Vec<_>>());
                }
                None => both.subscribed.push(endpoint.clone()),
            }
        }
        both.topics.extend(next.topics.iter().cloned());
        both.max_body_bytes = both.max_body_bytes.max(next.max_body_bytes);
        both
    }

    /// The addresses that are subscribed to under another name next, each with that name.
    #[must_use]
    pub fn moved(&self, next: &Self) -> Vec<(EndpointName, Address)> {
        let places = |of: &Self| -> BTreeSet<_> {
            let places = |it: &Endpoint| {
                let name = it.name.clone();
                it.addresses.clone().into_iter().map(move |address| (name.clone(), address))
            };
            of.subscribed.iter().flat_map(places).collect()
        };
        let (old, new) = (places(self), places(next));
        let is_moved = |(_, address): &(_, Address)| old.difference(&new).any(|(_, left)| left == address);
        new.difference(&old).filter(|place| is_moved(place)).cloned().collect()
    }
}

/// What is open at present.
#[derive(Debug, Default)]
pub(super) struct Open(BTreeMap<EndpointName, (Endpoint, Way)>);

/// How an endpoint is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Bound,
    Connected,
}

impl Open {
    /// Those that are subscribed to.
    pub(super) fn subscribed(&self) -> Vec<EndpointName> {
        let connected = self.0.iter().filter(|(_, (_, way))| *way == Way::Connected);
        connected.map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn is_inbound(&self, name: &EndpointName) -> bool {
        self.0.get(name).is_some_and(|(_, way)| *way == Way::Bound)
    }
}

impl<S: Subscribe> Intake<S> {
    /// Goes over to receive this. What is there of an endpoint that it leaves is taken in before.
    ///
    /// # Errors
    /// An address cannot be bound, and no threads be had; then it is somewhere in between.
    pub(super) fn go_over(
        &mut self,
        to: &Reception,
        complaints: &mut Complaints,
    ) -> Result<(), ReceptionError> {
        let patterns: PatternSet<Trust> = to.topics.iter().cloned().collect();
        let prefixes: Prefixes = patterns.literal_prefixes().into_iter().collect();
        // Without a topic there is nothing to connect for.
        let subscribed = if prefixes.iter().next().is_some() { &*to.subscribed } else { &[] };
        let bound = to.inbound.iter().map(|endpoint| (endpoint, Way::Bound));
        let connected = subscribed.iter().map(|endpoint| (endpoint, Way::Connected));
        let wanted: BTreeMap<_, _> =
            bound.chain(connected).map(|(it, way)| (it.name.clone(), (it.clone(), way))).collect();

        if to.topics.iter().any(|(_, trust)| *trust == Trust::Signed) {
            if self.verifier.is_none() {
                self.verifier = Some(Verifier::new(Arc::clone(&self.means.judge))?);
            }
        } else {
            self.verifier = None;
        }
        self.router = Router::new(patterns);
        self.max_body_bytes = to.max_body_bytes;

        let stays = |name: &EndpointName, open: &(Endpoint, Way)| match (wanted.get(name), open) {
            (Some((_, Way::Connected)), (_, Way::Connected)) => true,
            (wanted, open) => wanted == Some(open),
        };
        let left = self.open.0.iter().filter(|(name, open)| !stays(name, open));
        for name in left.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.leave(&name, complaints)?;
        }
        for (name, (endpoint, way)) in wanted {
            match (self.open.0.get(&name), way) {
                (Some(_), Way::Bound) => continue,
                (Some((open, _)), Way::Connected) => {
                    self.subscriber.set_prefixes(&name, &prefixes)?;
                    if *open == endpoint {
                        continue;
                    }
                    self.subscriber.lead(&endpoint)?;
                }
                (None, Way::Bound) => {
                    for address in self.subscriber.bind(&endpoint, &Prefixes::everything())? {
                        tracing::info!(endpoint = %name, %address, "receiving");
                    }
                }
                (None, Way::Connected) => self.subscriber.connect(&endpoint, &prefixes)?,
            }
            self.open.0.insert(name, (endpoint, way));
        }
        Ok(())
    }

    /// Takes in what is there of an endpoint, and leaves it.
    fn leave(&mut self, name: &EndpointName, complaints: &mut Complaints) -> Result<(), BusError> {
        let mut batch: Vec<Incoming> = Vec::new();
        // Whoever publishes faster than this would never come to an end.
        let end = Instant::now() + LAST_CALL;
        while self.subscriber.take_from(name, &mut batch, BATCH)? > 0 && Instant::now() < end {
            self.take_in(&mut batch, complaints);
        }
        self.take_in(&mut batch, complaints);
        self.subscriber.disconnect(name)?;
        self.open.0.remove(name);
        Ok(())
    }
}
