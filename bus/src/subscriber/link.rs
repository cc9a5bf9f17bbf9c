//! One place of an endpoint, configured or found, and where it leads to at present: pure bookkeeping, no sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::lookup::Lookup;
use super::resolver::Question;
use crate::status::{AddressStatus, SUBSCRIBING};
use crate::{Address, Host, State};

/// libzmq gives a connection up for good when the peer breaks its protocol, be it by a message over the limit; else it
/// says at once that it retries. After this time without a word it is made to.
const GIVEN_UP: Duration = Duration::from_secs(3);

/// How often a connection without a handshake is looked at for what has come by it.
const LISTENING: Duration = Duration::from_secs(1);

/// After this time without a handshake, a connection counts as tried.
const SILENT: Duration = Duration::from_secs(10);

/// A host name may have several addresses: those that do not answer are tried in turn, and when all have been, the name
/// is looked up anew, for it may have moved.
pub(super) struct Link {
    pub(super) address: Address,
    /// What libzmq is connected, or trying to connect, to.
    pub(super) target: Option<Target>,
    /// Whether a service has led here, and no configuration.
    pub(super) is_found: bool,
    /// Whether neither configuration nor service leads here any more.
    pub(super) is_leaving: bool,
    pub(super) connection: Connection,
    alternatives: Vec<SocketAddr>,
    lookup: Lookup,
    /// When libzmq will count as having given up.
    given_up: Option<Instant>,
    /// When no connection stood last. What came since has come by the one that stands.
    closed_at: Instant,
}

/// How a link is connected at present. Links to the same place share it.
#[derive(Clone, Copy, Default)]
pub(super) struct Connection {
    /// Whether the peer has spoken ZeroMQ and has not gone since.
    pub(super) is_connected: bool,
    /// Whether it was connected, or could not be.
    pub(super) is_settled: bool,
    /// Whether it stands without a handshake, or with one before ZMTP 3, of which libzmq does not tell.
    lacks_handshake: bool,
    /// When it is to be seen next whether something has come by a connection without a handshake.
    listens: Option<Instant>,
    /// When the peer will have taken the subscription, if it has only just been connected.
    subscribes: Option<Instant>,
}

/// An address that libzmq can take without a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) text: String,
    pub(super) is_ipv6: bool,
}

impl Link {
    pub(super) fn new(address: Address, now: Instant) -> Self {
        let target = Target::literal(&address);
        let lookup = if target.is_some() { Lookup::idle() } else { Lookup::at(now) };
        // Of what is inproc nothing is heard.
        let is_settled = matches!(address, Address::Inproc(_));
        Self {
            address,
            target,
            connection: Connection::none(is_settled),
            is_found: false,
            is_leaving: false,
            alternatives: Vec::new(),
            lookup,
            given_up: None,
            closed_at: now,
        }
    }

    /// An address that is bound: there is nothing to look up.
    pub(super) fn bound(address: Address, now: Instant) -> Self {
        Self { lookup: Lookup::idle(), ..Self::new(address, now) }
    }

    /// An address that a service has led to.
    pub(super) fn found(address: Address, now: Instant) -> Self {
        Self { is_found: true, ..Self::new(address, now) }
    }

    /// When there is something to do next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.lookup
            .due()
            .into_iter()
            .chain(self.given_up)
            .chain(self.connection.listens)
            .chain(self.connection.subscribes)
            .min()
    }

    /// What to look up, once it is due.
    pub(super) fn take_lookup(&mut self, now: Instant) -> Option<Question> {
        let Address::Tcp { host: Host::Name(name), port: Some(port) } = &self.address else { return None };
        let question = if self.is_found { Question::FoundHost } else { Question::Host };
        self.lookup.take(now).then(|| question(name.clone(), *port))
    }

    /// What is to be shown of it at first.
    pub(super) fn status(&self) -> AddressStatus {
        let state = match (&self.address, &self.target) {
            (Address::Inproc(_), _) => State::Connected,
            (_, Some(_)) => State::Connecting,
            (_, None) => State::Resolving,
        };
        AddressStatus::new(self.address.clone(), state)
    }

    /// The target that must be connected again, because libzmq no longer tries.
    pub(super) fn take_given_up(&mut self, now: Instant) -> Option<Target> {
        self.given_up.take_if(|at| *at <= now)?;
        self.target.clone()
    }

    /// The name was found: where to connect instead of the present target, if elsewhere.
    pub(super) fn resolved(&mut self, found: &[SocketAddr]) -> Option<Target> {
        self.lookup.rest();
        self.alternatives = found.iter().rev().copied().collect();
        self.next_alternative().filter(|next| self.target.as_ref() != Some(next))
    }

    /// The name was not found: how long until the next try.
    pub(super) fn unresolved(&mut self, now: Instant) -> Duration {
        self.connection.is_settled = true;
        self.lookup.retry(now)
    }

    /// The connection broke, or its handshake did.
    pub(super) fn broken(&mut self, now: Instant) {
        self.closed(now);
        self.given_up = Some(now + GIVEN_UP);
    }

    /// An attempt failed and libzmq makes another: where to connect instead.
    pub(super) fn retried(&mut self, now: Instant) -> Option<Target> {
        self.given_up = None;
        self.closed(now);
        let is_name = matches!(self.address, Address::Tcp { host: Host::Name(_), .. });
        if !is_name || self.lookup.is_under_way() {
            return None;
        }
        let next = self.next_alternative();
        if next.is_none() && self.lookup.due().is_none() {
            self.lookup.retry(now);
        }
        next
    }

    fn closed(&mut self, now: Instant) {
        self.connection = Connection::none(true);
        self.closed_at = now;
    }

    /// The peer took the connection; it has not said anything yet.
    pub(super) fn opened(&mut self, now: Instant) {
        (self.connection.lacks_handshake, self.connection.listens) = (true, Some(now + LISTENING));
        self.given_up = None;
    }

    /// Since when what comes has come by the connection that stands, if it is time to see whether anything has.
    pub(super) fn take_listening(&mut self, now: Instant) -> Option<Instant> {
        self.connection.listens.take_if(|at| *at <= now)?;
        self.connection.listens = Some(now + LISTENING);
        self.connection.is_settled |= now.duration_since(self.closed_at) >= SILENT;
        Some(self.closed_at)
    }

    /// The peer is there, as its handshake tells.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connection.lacks_handshake = false;
        self.connection.subscribes = Some(now + SUBSCRIBING);
        self.heard();
    }

    /// Whether it is not to be relied on yet: neither tried, nor connected for long enough.
    pub(super) fn is_awaited(&self) -> bool {
        !self.is_leaving && (!self.connection.is_settled || self.connection.subscribes.is_some())
    }

    /// Time has passed.
    pub(super) fn pass(&mut self, now: Instant) {
        self.connection.subscribes.take_if(|at| *at <= now);
    }

    /// The peer is there, as what came from it tells.
    pub(super) fn heard(&mut self) {
        (self.connection.is_connected, self.connection.is_settled) = (true, true);
        (self.connection.listens, self.given_up) = (None, None);
        self.lookup.succeeded();
    }

    /// Whether the peer would answer a greeting: one before ZMTP 3 does not.
    pub(super) fn can_be_greeted(&self) -> bool {
        self.connection.is_connected && !self.connection.lacks_handshake
    }

    fn next_alternative(&mut self) -> Option<Target> {
        self.alternatives.pop().map(Target::from)
    }
}

impl Connection {
    /// There is none.
    pub(super) fn none(is_settled: bool) -> Self {
        Self { is_settled, ..Self::default() }
    }
}

impl Target {
    /// `None` for a name that must be looked up.
    fn literal(address: &Address) -> Option<Self> {
        let is_name = matches!(address, Address::Tcp { host: Host::Name(_), .. });
        let is_ipv6 = matches!(address, Address::Tcp { host: Host::V6(_), .. });
        (!is_name).then(|| Self { text: address.to_string(), is_ipv6 })
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { text: format!("tcp://{address}"), is_ipv6: address.is_ipv6() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(address: &str, now: Instant) -> Link {
        Link::new(address.parse().unwrap(), now)
    }

    fn found(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn text(target: Option<Target>) -> Option<String> {
        target.map(|target| target.text)
    }

    #[test]
    fn a_literal_address_is_never_looked_up() {
        let now = Instant::now();
        for address in ["tcp://127.0.0.1:1", "tcp://[::1]:1", "ipc:///x", "inproc://x"] {
            let mut link = link(address, now);
            assert_eq!(text(link.target.clone()).as_deref(), Some(address));
            assert_eq!(link.retried(now), None);
            assert_eq!(link.take_lookup(now), None);
        }
    }

    #[test]
    fn each_address_of_a_name_is_tried_before_it_is_looked_up_again() {
        let now = Instant::now();
        let mut link = link("tcp://hub:1", now);
        assert_eq!(link.take_lookup(now), Some(Question::Host("hub".to_owned(), 1)));
        assert_eq!(link.take_lookup(now), None);

        link.target = link.resolved(&found(&["10.0.0.1:1", "[fd00::1]:1"]));
        assert_eq!(text(link.target.clone()).as_deref(), Some("tcp://10.0.0.1:1"));
        link.target = link.retried(now);
        assert_eq!(link.target, Some(Target { text: "tcp://[fd00::1]:1".to_owned(), is_ipv6: true }));
        assert_eq!(link.retried(now), None);
        assert!(link.due().is_some_and(|due| due > now));
    }

    #[test]
    fn a_name_that_has_moved_gives_its_new_address_and_one_that_has_not_gives_none() {
        let now = Instant::now();
        let mut link = link("tcp://hub:1", now);
        link.target = link.resolved(&found(&["10.0.0.1:1"]));
        assert_eq!(link.resolved(&found(&["10.0.0.1:1"])), None);
        assert_eq!(text(link.resolved(&found(&["10.0.0.2:1"]))).as_deref(), Some("tcp://10.0.0.2:1"));
    }

    #[test]
    fn a_new_place_is_awaited_until_its_publisher_has_the_subscription_or_it_cannot_be_reached() {
        let now = Instant::now();
        let mut link = link("tcp://127.0.0.1:1", now);
        assert!(link.is_awaited());
        link.connected(now);
        link.pass(now);
        assert!(link.is_awaited(), "what is on its way by the old place would be lost");
        let later = link.due().unwrap();
        link.pass(later);
        assert!(!link.is_awaited());
        link.connected(later);
        link.broken(later);
        assert!(!link.is_awaited());
    }

    #[test]
    fn a_connection_that_libzmq_has_given_up_is_made_again_and_one_that_it_retries_is_not() {
        let now = Instant::now();
        let mut link = link("tcp://127.0.0.1:1", now);
        link.broken(now);
        assert_eq!(link.retried(now), None);
        assert_eq!(link.due(), None);
        link.broken(now);
        assert_eq!(link.take_given_up(now), None);
        let later = link.due().unwrap();
        assert_eq!(text(link.take_given_up(later)).as_deref(), Some("tcp://127.0.0.1:1"));
        assert_eq!(link.due(), None);
    }
}
