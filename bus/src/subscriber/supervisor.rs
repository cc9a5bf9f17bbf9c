//! Looks after the connections of one subscriber: resolves names, follows libzmq's events, keeps the [`StatusBoard`].
//!
//! One thread for all endpoints. It owns no data socket: whatever must be done to one it orders from the thread that does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender};
use tracing::{debug, info, warn};
use zmq::SocketEvent;

use super::bell::Bell;
use super::link::{Link, Target};
use super::resolver::Resolver;
use crate::deadline::Deadline;
use crate::monitor::{CLOSING, Monitor};
use crate::socket::millis;
use crate::{Address, BusError, DownReason, EndpointName, State, StatusBoard};

/// What the supervisor wants done to the socket of an endpoint.
pub(super) struct Order {
    pub(super) endpoint: u64,
    /// Where it shall leave, if it is there.
    pub(super) leave: Option<Target>,
    pub(super) connect: Target,
}

/// An endpoint to look after, from before it connects or binds until its socket is closed.
pub(super) struct Watched {
    pub(super) id: u64,
    pub(super) name: EndpointName,
    pub(super) monitor: Monitor,
    pub(super) links: Vec<Link>,
    pub(super) is_bound: bool,
    /// Told when libzmq has closed the socket.
    pub(super) closed: Sender<()>,
}

enum Event {
    Watch(Watched),
    Resolved {
        id: u64,
        index: usize,
        found: Result<Vec<SocketAddr>, String>,
    },
    /// To end when nothing is left to look after.
    Stop,
}

/// The handle of the supervisor's thread.
pub(super) struct Supervisor {
    inbox: Sender<Event>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Starts it; orders go to `orders`, each followed by a ring.
    pub(super) fn start(
        status: StatusBoard,
        orders: Sender<Order>,
        orders_bell: Arc<Bell>,
    ) -> Result<Self, BusError> {
        let bell = Bell::new().map_err(BusError::system("make a socket pair"))?;
        let (inbox, events) = crossbeam_channel::unbounded();
        let supervision = Supervision {
            events,
            inbox: inbox.clone(),
            bell: Arc::clone(&bell),
            orders,
            orders_bell,
            resolver: Resolver::default(),
            status,
            watched: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("bus-supervisor".to_owned())
            .spawn(move || supervision.run())
            .map_err(BusError::system("start the supervisor's thread"))?;
        Ok(Self { inbox, bell, thread: Some(thread) })
    }

    pub(super) fn watch(&self, watched: Watched) {
        self.send(Event::Watch(watched));
    }

    fn send(&self, event: Event) {
        // The thread ends after the handle.
        self.inbox.send(event).ok();
        self.bell.ring();
    }
}

/// Waits for the sockets to be closed, so whoever owns them must have dropped them.
impl Drop for Supervisor {
    fn drop(&mut self) {
        self.send(Event::Stop);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

struct Supervision {
    events: Receiver<Event>,
    inbox: Sender<Event>,
    bell: Arc<Bell>,
    orders: Sender<Order>,
    orders_bell: Arc<Bell>,
    resolver: Resolver,
    status: StatusBoard,
    watched: Vec<Watched>,
}

impl Supervision {
    fn run(mut self) {
        let mut stop: Option<Deadline> = None;
        while stop.is_none() || !self.watched.is_empty() {
            let left = stop.as_ref().map_or(Some(Duration::MAX), Deadline::left);
            let Some(left) = left else { break };
            self.wait(left);
            self.bell.silence();
            while let Ok(event) = self.events.try_recv() {
                match event {
                    Event::Watch(watched) => self.watched.push(watched),
                    Event::Resolved { id, index, found } => self.resolved(id, index, found),
                    Event::Stop => stop = Some(Deadline::after(CLOSING)),
                }
            }
            self.follow_monitors();
            self.do_what_is_due();
        }
        self.watched.into_iter().for_each(|watched| watched.monitor.abandon());
    }

    fn wait(&self, longest: Duration) {
        let due = self.watched.iter().flat_map(|watched| &watched.links).filter_map(Link::due).min();
        let due = due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
        // Rounded up: a millisecond early would make it turn in place.
        let timeout = i64::from(millis(due.min(longest))) + 1;
        let mut items = vec![self.bell.poll_item()];
        items.extend(self.watched.iter().map(|watched| watched.monitor.poll_item()));
        // Interrupted or not, everything is looked at again.
        zmq::poll(&mut items, timeout).ok();
    }

    fn follow_monitors(&mut self) {
        let mut index = 0;
        while let Some(watched) = self.watched.get_mut(index) {
            let mut is_closed = false;
            while let Some((event, at)) = watched.monitor.next() {
                if event == SocketEvent::MONITOR_STOPPED {
                    is_closed = true;
                } else if let Some(link) = watched.link_at(&at) {
                    let order = if watched.is_bound {
                        watched.peer(link, event, &self.status);
                        None
                    } else {
                        watched.connection(link, event, &self.status)
                    };
                    give(&self.orders, &self.orders_bell, order);
                }
            }
            if is_closed {
                self.watched.swap_remove(index).closed.send(()).ok();
            } else {
                index += 1;
            }
        }
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        for watched in &mut self.watched {
            for (index, link) in watched.links.iter_mut().enumerate() {
                if let Some(target) = link.take_given_up(now) {
                    let order = Order { endpoint: watched.id, leave: Some(target.clone()), connect: target };
                    give(&self.orders, &self.orders_bell, Some(order));
                }
                let Some((host, port)) = link.take_lookup(now) else { continue };
                let (id, inbox, bell) = (watched.id, self.inbox.clone(), Arc::clone(&self.bell));
                let started = self.resolver.look_up(host, port, move |found| {
                    // The supervisor may have ended meanwhile.
                    inbox.send(Event::Resolved { id, index, found }).ok();
                    bell.ring();
                });
                if let Err(error) = started {
                    let wait = link.unresolved(now);
                    warn!(%error, ?wait, "cannot start a thread to look names up; trying again");
                }
            }
        }
    }

    fn resolved(&mut self, id: u64, index: usize, found: Result<Vec<SocketAddr>, String>) {
        let Some(watched) = self.watched.iter_mut().find(|watched| watched.id == id) else { return };
        let Some(link) = watched.links.get_mut(index) else { return };
        match found {
            Ok(found) => {
                let next = link.resolved(&found);
                self.status.update(&watched.name, index, |status| {
                    if matches!(
                        status.state,
                        State::Resolving | State::Down { reason: DownReason::Unresolvable(_), .. }
                    ) {
                        status.state = State::Connecting;
                    }
                });
                let order = next.map(|next| watched.redirect(index, next));
                give(&self.orders, &self.orders_bell, order);
            }
            Err(error) => {
                let wait = link.unresolved(Instant::now());
                // A name that has become unresolvable does not hurt what is still being tried.
                if link.target.is_none() {
                    let (name, address) = (&watched.name, &link.address);
                    if down(&self.status, name, index, DownReason::Unresolvable(error.clone())) {
                        warn!(endpoint = %name, %address, %error, "the host name does not resolve; next try in {wait:.1?}, then for ever");
                    }
                }
            }
        }
    }
}

fn give(orders: &Sender<Order>, bell: &Bell, order: Option<Order>) {
    if let Some(order) = order {
        // The receiving side may be closing.
        orders.send(order).ok();
        bell.ring();
    }
}

impl Watched {
    /// The link that a monitor's address belongs to.
    fn link_at(&self, at: &str) -> Option<usize> {
        let at = without_zone(at);
        self.links.iter().position(|link| match (&link.target, &link.address) {
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
        status.update(&self.name, index, |status| match event {
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
            SocketEvent::HANDSHAKE_SUCCEEDED => {
                status.update(name, index, |status| {
                    status.state = State::Connected;
                    status.connected_since = Some(SystemTime::now());
                    status.connects += 1;
                });
                info!(endpoint = %name, %address, "connected");
                link.connected();
                None
            }
            SocketEvent::DISCONNECTED => {
                let was_connected = status.update(name, index, |status| {
                    let was_connected = status.state == State::Connected;
                    status.disconnects += u64::from(was_connected);
                    was_connected
                });
                if was_connected == Some(true) && down(status, name, index, DownReason::Lost) {
                    warn!(endpoint = %name, %address, "connection lost; reconnecting for ever");
                }
                link.broken(Instant::now());
                None
            }
            SocketEvent::HANDSHAKE_FAILED_NO_DETAIL
            | SocketEvent::HANDSHAKE_FAILED_PROTOCOL
            | SocketEvent::HANDSHAKE_FAILED_AUTH => {
                if down(status, name, index, DownReason::Handshake) {
                    warn!(endpoint = %name, %address, "{}; retrying for ever", DownReason::Handshake);
                }
                None
            }
            SocketEvent::CONNECT_RETRIED => {
                let is_first = status.update(name, index, |status| match &mut status.state {
                    State::Down { attempts, .. } => {
                        *attempts += 1;
                        false
                    }
                    _ => true,
                });
                if is_first == Some(true) && down(status, name, index, DownReason::Unreachable) {
                    warn!(endpoint = %name, %address, "cannot connect: {}; retrying for ever", DownReason::Unreachable);
                }
                let next = link.retried(Instant::now())?;
                Some(self.redirect(index, next))
            }
            _ => None,
        }
    }

    fn redirect(&mut self, index: usize, to: Target) -> Order {
        let leave = self.links.get_mut(index).and_then(|link| link.target.replace(to.clone()));
        Order { endpoint: self.id, leave, connect: to }
    }
}

/// Sets an address down; false when it already was for that kind of reason, so that each transition is logged once.
fn down(status: &StatusBoard, name: &EndpointName, index: usize, reason: DownReason) -> bool {
    let is_new = status.update(name, index, |status| {
        let (is_new, since, attempts) = match &status.state {
            State::Down { reason: old, since, attempts } => {
                (std::mem::discriminant(old) != std::mem::discriminant(&reason), *since, *attempts)
            }
            _ => (true, SystemTime::now(), 0),
        };
        let is_unresolvable = matches!(reason, DownReason::Unresolvable(_));
        status.state = State::Down { reason, since, attempts: attempts + u32::from(is_unresolvable) };
        status.connected_since = None;
        is_new
    });
    is_new == Some(true)
}

/// libzmq writes the zone of a link-local address in its own way.
fn without_zone(address: &str) -> String {
    match (address.find('%'), address.rfind(']')) {
        (Some(zone), Some(end)) if zone < end => format!("{}{}", &address[..zone], &address[end..]),
        _ => address.to_owned(),
    }
}
