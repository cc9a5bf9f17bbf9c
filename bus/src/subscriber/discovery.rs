//! A service of an endpoint and where it is at present: pure bookkeeping, no sockets.

use std::time::{Duration, Instant};

use super::dns::Service;
use super::lookup::Lookup;
use super::resolver::Question;
use crate::{Address, AddressError};

/// A service is looked up anew when its records' time to live is over, but within these bounds.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(3600);

/// A `srv://` address.
pub(super) struct Discovery {
    pub(super) address: Address,
    name: String,
    /// Where it is, as far as is known.
    pub(super) places: Vec<Address>,
    unusable: Vec<AddressError>,
    lookup: Lookup,
    /// Whether the last lookup failed.
    has_failed: bool,
}

impl Discovery {
    /// `None` if the address is that of a place.
    pub(super) fn new(address: &Address, now: Instant) -> Option<Self> {
        let Address::Srv(name) = address else { return None };
        Some(Self {
            address: address.clone(),
            name: name.clone(),
            places: Vec::new(),
            unusable: Vec::new(),
            lookup: Lookup::at(now),
            has_failed: false,
        })
    }

    /// When there is something to do next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.lookup.due()
    }

    /// What to look up, once it is due.
    pub(super) fn take_lookup(&mut self, now: Instant) -> Option<Question> {
        self.lookup.take(now).then(|| Question::Service(self.name.clone()))
    }

    /// It was found: whether that is news.
    pub(super) fn found(&mut self, service: Service, now: Instant) -> bool {
        self.lookup.rest_for(service.ttl.clamp(SHORTEST, LONGEST), now);
        let was = (std::mem::take(&mut self.has_failed), &self.places, &self.unusable);
        let is_news = was != (false, &service.places, &service.unusable);
        (self.places, self.unusable) = (service.places, service.unusable);
        is_news
    }

    /// It is nowhere: how long until the next try.
    pub(super) fn is_nowhere(&mut self, now: Instant) -> Duration {
        self.places.clear();
        self.is_unknown(now).0
    }

    /// It could not be looked up, so that it counts as where it was: how long until the next try, and whether that is news.
    pub(super) fn is_unknown(&mut self, now: Instant) -> (Duration, bool) {
        (self.lookup.retry(now), !std::mem::replace(&mut self.has_failed, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(places: &[&str], ttl: u64) -> Service {
        let places = places.iter().map(|place| place.parse().unwrap()).collect();
        Service { places, unusable: Vec::new(), ttl: Duration::from_secs(ttl) }
    }

    fn discovery(now: Instant) -> Discovery {
        let mut discovery = Discovery::new(&"srv://relay.test".parse().unwrap(), now).unwrap();
        assert_eq!(discovery.take_lookup(now), Some(Question::Service("relay.test".to_owned())));
        discovery
    }

    #[test]
    fn it_is_looked_up_again_when_its_time_to_live_is_over_within_bounds() {
        let now = Instant::now();
        let mut discovery = discovery(now);
        for (ttl, wait) in [(0, 5), (300, 300), (86_400, 3600)] {
            discovery.found(service(&["tcp://a:1"], ttl), now);
            assert_eq!(discovery.due(), Some(now + Duration::from_secs(wait)));
        }
    }

    #[test]
    fn what_has_changed_is_news_and_what_has_not_is_none() {
        let now = Instant::now();
        let mut discovery = discovery(now);
        assert!(discovery.found(service(&["tcp://a:1"], 5), now));
        assert!(!discovery.found(service(&["tcp://a:1"], 9), now));
        assert!(discovery.found(service(&["tcp://a:1", "tcp://b:1"], 9), now));
        assert!(discovery.is_unknown(now).1);
        assert!(!discovery.is_unknown(now).1);
        assert!(discovery.found(service(&["tcp://a:1", "tcp://b:1"], 9), now));
    }

    #[test]
    fn places_are_kept_while_nobody_can_be_asked_and_gone_when_dns_has_none() {
        let now = Instant::now();
        let mut discovery = discovery(now);
        discovery.found(service(&["tcp://a:1"], 5), now);
        assert!(discovery.is_unknown(now).0 < Duration::from_millis(626));
        assert_eq!(discovery.places.len(), 1);
        discovery.is_nowhere(now);
        assert!(discovery.places.is_empty());
    }
}
