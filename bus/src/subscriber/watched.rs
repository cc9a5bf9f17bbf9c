//! One endpoint as the supervisor sees it: where its links lead to, what becomes of each, and what that is called.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use tracing::{debug, info, warn};
use zmq::SocketEvent;

use super::discovery::Discovery;
use super::dns::{NoService, Service};
use super::link::{Connection, Link, Target};
use super::pulse::Answer;
use super::resolver::Question;
use crate::monitor::Monitor;
use crate::status::{AddressStatus, Traffic};
use crate::{Address, DownReason, EndpointName, Moment, State, StatusBoard};

/// What the supervisor wants done to the socket of an endpoint.
pub(super) struct Order {
    pub(super) endpoint: u64,
    /// Where it shall leave, if it is there. This comes first.
    pub(super) leave: Option<Target>,
    pub(super) connect: Option<Target>,
}

/// An endpoint to look after, from before it connects or binds until its socket is closed.
pub(super) struct Watched {
    pub(super) id: u64,
    pub(super) name: EndpointName,
    pub(super) monitor: Monitor,
    /// The places that are configured, and not found.
    pub(super) configured: BTreeSet<Address>,
    /// Each place once.
    pub(super) links: Vec<Link>,
    pub(super) discoveries: Vec<Discovery>,
    pub(super) is_bound: bool,
    pub(super) traffic: Arc<Traffic>,
    /// Told when libzmq has closed the socket.
    pub(super) closed: Sender<()>,
}

impl Watched {
    /// When there is something to do next.
    pub(super) fn due(&self) -> Option<Instant> {
        let links = self.links.iter().filter_map(Link::due);
        links.chain(self.discoveries.iter().filter_map(Discovery::due)).min()
    }

    /// To connect anew where libzmq has given up.
    pub(super) fn take_given_up(&mut self, now: Instant) -> Vec<Order> {
        let id = self.id;
        let given_up = self.links.iter_mut().filter_map(|link| link.take_given_up(now));
        given_up
            .map(|target| Order { endpoint: id, leave: Some(target.clone()), connect: Some(target) })
            .collect()
    }

    /// What is to be looked up now, each with the address that wants it.
    pub(super) fn take_lookups(&mut self, now: Instant) -> Vec<(Address, Question)> {
        let links = (self.links.iter_mut())
            .filter_map(|link| link.take_lookup(now).map(|question| (link.address.clone(), question)));
        let discoveries = (self.discoveries.iter_mut())
            .filter_map(|it| it.take_lookup(now).map(|question| (it.address.clone(), question)));
        links.chain(discoveries).collect()
    }

    /// The lookup could not begin: how long until the next try.
    pub(super) fn not_asked(&mut self, address: &Address, now: Instant) -> Duration {
        let link = self.links.iter_mut().find(|link| link.address == *address);
        let discovery = self.discoveries.iter_mut().find(|it| it.address == *address);
        let wait = link.map(|link| link.unresolved(now));
        wait.or_else(|| discovery.map(|it| it.is_unknown(now).0)).unwrap_or_default()
    }

    /// The host of an address was looked up.
    pub(super) fn resolved(
        &mut self,
        address: &Address,
        found: Result<Vec<SocketAddr>, String>,
        now: Instant,
        status: &StatusBoard,
    ) -> Vec<Order> {
        let Some(index) = self.links.iter().position(|link| link.address == *address) else {
            return Vec::new();
        };
        let Some(link) = self.links.get_mut(index) else { return Vec::new() };
        let mut orders = Vec::new();
        match found {
            Ok(found) => {
                let next = link.resolved(&found);
                status.update(&self.name, address, |status| {
                    if matches!(
                        status.state,
                        State::Resolving | State::Down { reason: DownReason::Unresolvable(_), .. }
                    ) {
                        status.state = State::Connecting;
                    }
                });
                orders.extend(next.and_then(|next| self.redirect(index, next, status)));
            }
            Err(error) => {
                let wait = link.unresolved(now);
                // A name that has become unresolvable does not hurt what is still being tried.
                if link.target.is_none()
                    && down(status, &self.name, address, DownReason::Unresolvable(error.clone()))
                {
                    warn!(endpoint = %self.name, %address, %error, "the host name does not resolve; next try in {wait:.1?}, then for ever");
                }
            }
        }
        orders.extend(self.retire(status));
        orders
    }

    /// A service was looked up.
    pub(super) fn discovered(
        &mut self,
        address: &Address,
        found: Result<Service, NoService>,
        now: Instant,
        status: &StatusBoard,
    ) -> Vec<Order> {
        let Some(discovery) = self.discoveries.iter_mut().find(|it| it.address == *address) else {
            return Vec::new();
        };
        let name = &self.name;
        match found {
            Ok(service) => {
                let unusable = service.unusable.clone();
                if discovery.found(service, now) {
                    let places: Vec<_> = discovery.places.iter().map(ToString::to_string).collect();
                    info!(endpoint = %name, %address, places = places.join(" "), "service found");
                    for error in unusable {
                        warn!(endpoint = %name, %address, %error, "DNS names a place that nobody can connect to");
                    }
                }
                // Last: whoever waits until all is looked up shall see what was found.
                let orders = self.adopt(now, status);
                status.update(&self.name, address, |status| status.state = State::Found);
                orders
            }
            Err(NoService::Unknown(error)) if !discovery.places.is_empty() => {
                let (wait, is_news) = discovery.is_unknown(now);
                if is_news {
                    warn!(endpoint = %name, %address, %error, "cannot look the service up again, and go by what was found; next try in {wait:.1?}, then for ever");
                }
                Vec::new()
            }
            Err(NoService::Nowhere(error) | NoService::Unknown(error)) => {
                let wait = discovery.is_nowhere(now);
                if down(status, name, address, DownReason::Unresolvable(error.clone())) {
                    warn!(endpoint = %name, %address, %error, "the service is not found; next try in {wait:.1?}, then for ever");
                }
                self.adopt(now, status)
            }
        }
    }

    /// Other addresses are configured.
    pub(super) fn lead(&mut self, addresses: Vec<Address>, now: Instant, status: &StatusBoard) -> Vec<Order> {
        let (services, places): (BTreeSet<_>, _) = addresses.into_iter().partition(Address::is_service);
        self.configured = places;
        for discovery in self.discoveries.extract_if(.., |it| !services.contains(&it.address)) {
            status.forget(&self.name, &discovery.address);
        }
        for address in &services {
            if let Some(new) = Discovery::new(address, now)
                && !self.discoveries.iter().any(|it| it.address == *address)
            {
                status.add(&self.name, AddressStatus::new(address.clone(), State::Resolving));
                self.discoveries.push(new);
            }
        }
        self.adopt(now, status)
    }

    /// Makes links of what is configured and of what the services have led to, and marks those that are neither any more.
    fn adopt(&mut self, now: Instant, status: &StatusBoard) -> Vec<Order> {
        let found = self.discoveries.iter().flat_map(|it| it.places.clone());
        let mut wanted: BTreeSet<_> = found.chain(self.configured.iter().cloned()).collect();
        for link in &mut self.links {
            link.is_leaving = !wanted.remove(&link.address);
        }
        let mut orders = Vec::new();
        for address in wanted {
            let is_found = !self.configured.contains(&address);
            let mut link = if is_found { Link::found(address, now) } else { Link::new(address, now) };
            status.add(&self.name, link.status());
            let target = link.target.take();
            self.links.push(link);
            orders.extend(target.and_then(|target| self.redirect(self.links.len() - 1, target, status)));
        }
        orders.extend(self.retire(status));
        orders
    }

    /// Leaves what is to be left, but not before each new place is connected and subscribed to, or was tried: it may be the same
    /// one by another name, or the publisher may have moved there.
    fn retire(&mut self, status: &StatusBoard) -> Vec<Order> {
        if !self.links.iter().any(|link| link.is_leaving) || self.links.iter().any(Link::is_awaited) {
            return Vec::new();
        }
        let (leaving, staying): (Vec<_>, _) =
            std::mem::take(&mut self.links).into_iter().partition(|it| it.is_leaving);
        self.links = staying;
        let mut orders = Vec::new();
        for Link { address, target, .. } in leaving {
            info!(endpoint = %self.name, %address, "left");
            status.forget(&self.name, &address);
            let leave = target.filter(|target| !self.leads_to(target));
            orders.extend(leave.map(|leave| Order { endpoint: self.id, leave: Some(leave), connect: None }));
        }
        orders
    }

    fn leads_to(&self, target: &Target) -> bool {
        self.links.iter().any(|link| link.target.as_ref() == Some(target))
    }

    /// Something happened at an address of libzmq's.
    pub(super) fn happened(&mut self, event: SocketEvent, at: &str, status: &StatusBoard) -> Vec<Order> {
        let at = without_zone(at);
        let links: Vec<_> = (0..self.links.len()).filter(|index| self.is_at(*index, &at)).collect();
        let mut orders = Vec::new();
        for index in links {
            if self.is_bound {
                self.peer(index, event, status);
            } else {
                orders.extend(self.connection(index, event, status));
            }
        }
        orders.extend(self.retire(status));
        orders
    }

    /// Whether a link leads to a monitor's address. Several may: names of the same machine.
    fn is_at(&self, index: usize, at: &str) -> bool {
        self.links.get(index).is_some_and(|link| match (&link.target, &link.address) {
            // The interface that a peer came in by is not the one that was bound when that was any of them.
            (_, Address::Tcp { port: Some(port), .. }) if self.is_bound => {
                at.rsplit_once(':').is_some_and(|(_, text)| text.parse() == Ok(*port))
            }
            (Some(target), _) => without_zone(&target.text) == at,
            (None, _) => false,
        })
    }

    /// Something happened to a peer of a bound address.
    fn peer(&self, index: usize, event: SocketEvent, status: &StatusBoard) {
        let Some(link) = self.links.get(index) else { return };
        status.update(&self.name, &link.address, |status| match event {
            SocketEvent::ACCEPTED => status.connects += 1,
            SocketEvent::DISCONNECTED => status.disconnects += 1,
            _ => {}
        });
        debug!(endpoint = %self.name, address = %link.address, ?event, "a publisher's connection");
    }

    /// Something happened to a connection of ours.
    fn connection(&mut self, index: usize, event: SocketEvent, status: &StatusBoard) -> Option<Order> {
        let link = self.links.get_mut(index)?;
        let (name, address) = (&self.name, &link.address);
        match event {
            SocketEvent::CONNECTED => {
                link.opened(Instant::now());
                None
            }
            SocketEvent::HANDSHAKE_SUCCEEDED => {
                if !link.connection.is_connected {
                    connected(status, name, address);
                }
                link.connected(Instant::now());
                None
            }
            SocketEvent::DISCONNECTED => {
                let was_connected = status.update(name, address, |status| {
                    let was_connected = matches!(status.state, State::Connected | State::Unresponsive { .. });
                    status.disconnects += u64::from(was_connected);
                    was_connected
                });
                if was_connected == Some(true) && down(status, name, address, DownReason::Lost) {
                    warn!(endpoint = %name, %address, "connection lost; reconnecting for ever");
                }
                link.broken(Instant::now());
                None
            }
            SocketEvent::HANDSHAKE_FAILED_NO_DETAIL
            | SocketEvent::HANDSHAKE_FAILED_PROTOCOL
            | SocketEvent::HANDSHAKE_FAILED_AUTH => {
                // libzmq says so, too, when a peer before ZMTP 3 goes.
                if !link.connection.is_connected && down(status, name, address, DownReason::Handshake) {
                    warn!(endpoint = %name, %address, "{}; retrying for ever", DownReason::Handshake);
                }
                None
            }
            SocketEvent::CONNECT_RETRIED => {
                let is_first = status.update(name, address, |status| match &mut status.state {
                    State::Down { attempts, .. } => {
                        *attempts += 1;
                        false
                    }
                    _ => true,
                });
                if is_first == Some(true) && down(status, name, address, DownReason::Unreachable) {
                    warn!(endpoint = %name, %address, "cannot connect: {}; retrying for ever", DownReason::Unreachable);
                }
                let next = link.retried(Instant::now())?;
                self.redirect(index, next, status)
            }
            _ => None,
        }
    }

    /// Leaves what was to be left later. Sees who is there without a handshake that libzmq would tell of: a peer before ZMTP 3. Of a message only the endpoint is
    /// known, so nothing is said while it may be from another peer.
    pub(super) fn pass(&mut self, now: Instant, status: &StatusBoard) -> Vec<Order> {
        let may_be_from_another = self.links.iter().any(Link::can_be_greeted);
        let last = self.traffic.last_by_clock();
        for link in &mut self.links {
            link.pass(now);
            let Some(closed_at) = link.take_listening(now) else { continue };
            if !may_be_from_another && last.is_some_and(|last| last >= closed_at) {
                connected(status, &self.name, &link.address);
                link.heard();
            }
        }
        self.retire(status)
    }

    /// Whom to greet: who is connected and would answer.
    pub(super) fn greetable(&self) -> impl Iterator<Item = &Target> {
        let links = self.links.iter().filter(|link| link.can_be_greeted() && !self.is_bound);
        links.filter_map(|link| link.target.as_ref())
    }

    /// Who is connected at an address of libzmq's does not answer any more, or again. From whose endpoint something has come
    /// within the time to answer is not frozen, but takes no more connections.
    pub(super) fn pulse(&self, Answer { at, answers }: &Answer, within: Duration, status: &StatusBoard) {
        let answers = *answers || self.traffic.last_by_clock().is_some_and(|last| last.elapsed() < within);
        for index in (0..self.links.len()).filter(|index| !self.is_bound && self.is_at(*index, at)) {
            let Some(Link { address, .. }) = self.links.get(index) else { continue };
            let name = &self.name;
            let changed = status.update(name, address, |status| {
                status.state = match (&status.state, answers) {
                    (State::Connected, false) => State::Unresponsive { since: Moment::now() },
                    (State::Unresponsive { .. }, true) => State::Connected,
                    _ => return false,
                };
                true
            });
            match (changed, answers) {
                (Some(true), false) => {
                    warn!(endpoint = %name, %address, "connected, but who is there takes no connection or is frozen");
                }
                (Some(true), true) => info!(endpoint = %name, %address, "answers again"),
                _ => {}
            }
        }
    }

    /// Makes a link lead elsewhere. One connection to a place is enough, and it is left with the last link that led there.
    fn redirect(&mut self, index: usize, to: Target, status: &StatusBoard) -> Option<Order> {
        let twin = self.links.iter().find(|link| link.target.as_ref() == Some(&to));
        let twin = twin.map(|link| (link.address.clone(), link.connection));
        let link = self.links.get_mut(index)?;
        link.connection = Connection::none(link.connection.is_settled);
        if let Some((twin, connection)) = &twin {
            link.connection = *connection;
            status.share(&self.name, twin, &link.address);
        }
        let left = link.target.replace(to.clone());
        let leave = left.filter(|left| !self.leads_to(left));
        let connect = twin.is_none().then_some(to);
        (leave.is_some() || connect.is_some()).then_some(Order { endpoint: self.id, leave, connect })
    }
}

fn connected(status: &StatusBoard, name: &EndpointName, address: &Address) {
    status.update(name, address, |status| {
        status.state = State::Connected;
        status.connected_since = Some(Moment::now());
        status.connects += 1;
    });
    info!(endpoint = %name, %address, "connected");
}

/// Sets an address down; false when it already was for that kind of reason, so that each transition is logged once.
fn down(status: &StatusBoard, name: &EndpointName, address: &Address, reason: DownReason) -> bool {
    let is_new = status.update(name, address, |status| {
        let (is_new, since, attempts) = match &status.state {
            State::Down { reason: old, since, attempts } => {
                (std::mem::discriminant(old) != std::mem::discriminant(&reason), *since, *attempts)
            }
            _ => (true, Moment::now(), 0),
        };
        let is_unresolvable = matches!(reason, DownReason::Unresolvable(_));
        status.state = State::Down { reason, since, attempts: attempts + u32::from(is_unresolvable) };
        status.connected_since = None;
        is_new
    });
    is_new == Some(true)
}

/// libzmq writes the zone of a link-local address in its own way.
pub(super) fn without_zone(address: &str) -> String {
    match (address.find('%'), address.rfind(']')) {
        (Some(zone), Some(end)) if zone < end => format!("{}{}", &address[..zone], &address[end..]),
        _ => address.to_owned(),
    }
}
