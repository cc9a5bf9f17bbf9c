//! Looks after the connections of one subscriber: resolves names, follows libzmq's events, keeps the [`StatusBoard`].
//!
//! One thread for all endpoints. It owns no data socket: whatever must be done to one it orders from the thread that does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use tracing::warn;
use zmq::SocketEvent;

use super::bell::Bell;
use super::pulse::Pulse;
use super::resolver::{Answer, Resolver};
use super::watched::{Order, Watched};
use crate::deadline::Deadline;
use crate::monitor::CLOSING;
use crate::socket::millis;
use crate::{Address, BusError, StatusBoard};

enum Event {
    Watch(Watched),
    Lead {
        id: u64,
        addresses: Vec<Address>,
    },
    Answered {
        id: u64,
        address: Address,
        answer: Answer,
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
        dns_server: Option<SocketAddr>,
        status: StatusBoard,
        orders: Sender<Order>,
        orders_bell: Arc<Bell>,
        pulse: Option<Pulse>,
    ) -> Result<Self, BusError> {
        let bell = Bell::new().map_err(BusError::system("make a socket pair"))?;
        let (inbox, events) = crossbeam_channel::unbounded();
        let supervision = Supervision {
            events,
            inbox: inbox.clone(),
            bell: Arc::clone(&bell),
            orders,
            orders_bell,
            resolver: Resolver::new(dns_server),
            status,
            watched: Vec::new(),
            pulse,
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

    /// Has an endpoint that is connected lead elsewhere.
    pub(super) fn lead(&self, id: u64, addresses: Vec<Address>) {
        self.send(Event::Lead { id, addresses });
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
    pulse: Option<Pulse>,
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
                    Event::Lead { id, addresses } => self.lead(id, addresses),
                    Event::Answered { id, address, answer } => self.answered(id, &address, answer),
                    Event::Stop => stop = Some(Deadline::after(CLOSING)),
                }
            }
            self.follow_monitors();
            self.feel_pulses();
            self.do_what_is_due();
        }
        self.watched.into_iter().for_each(|watched| watched.monitor.abandon());
    }

    fn wait(&self, longest: Duration) {
        let pulse = self.pulse.as_ref().and_then(Pulse::due);
        let due = self.watched.iter().filter_map(Watched::due).chain(pulse).min();
        let due = due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
        // Rounded up: a millisecond early would make it turn in place.
        let timeout = i64::from(millis(due.min(longest))) + 1;
        let mut items = vec![self.bell.poll_item()];
        items.extend(self.watched.iter().map(|watched| watched.monitor.poll_item()));
        items.extend(self.pulse.as_ref().and_then(Pulse::poll_item));
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
                } else {
                    let orders = watched.happened(event, &at, &self.status);
                    give(&self.orders, &self.orders_bell, orders);
                }
            }
            if is_closed {
                self.watched.swap_remove(index).closed.send(()).ok();
            } else {
                index += 1;
            }
        }
    }

    fn feel_pulses(&mut self) {
        let Some(pulse) = &mut self.pulse else { return };
        let now = Instant::now();
        pulse.follow(self.watched.iter().flat_map(Watched::greetable), now);
        let (answers, interval) = (pulse.turn(now), pulse.interval());
        for answer in answers {
            self.watched.iter().for_each(|watched| watched.pulse(&answer, interval, &self.status));
        }
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        for watched in &mut self.watched {
            give(&self.orders, &self.orders_bell, watched.pass(now, &self.status));
            give(&self.orders, &self.orders_bell, watched.take_given_up(now));
            for (address, question) in watched.take_lookups(now) {
                let (id, inbox, bell) = (watched.id, self.inbox.clone(), Arc::clone(&self.bell));
                let asked = address.clone();
                let started = self.resolver.look_up(question, move |answer| {
                    // The supervisor may have ended meanwhile.
                    inbox.send(Event::Answered { id, address: asked, answer }).ok();
                    bell.ring();
                });
                if let Err(error) = started {
                    let wait = watched.not_asked(&address, now);
                    warn!(%error, ?wait, "cannot start a thread to look names up; trying again");
                }
            }
        }
    }

    fn lead(&mut self, id: u64, addresses: Vec<Address>) {
        if let Some(watched) = self.watched.iter_mut().find(|watched| watched.id == id) {
            give(&self.orders, &self.orders_bell, watched.lead(addresses, Instant::now(), &self.status));
        }
    }

    fn answered(&mut self, id: u64, address: &Address, answer: Answer) {
        let Some(watched) = self.watched.iter_mut().find(|watched| watched.id == id) else { return };
        let now = Instant::now();
        let orders = match answer {
            Answer::Host(found) => watched.resolved(address, found, now, &self.status),
            Answer::Service(found) => watched.discovered(address, found, now, &self.status),
        };
        give(&self.orders, &self.orders_bell, orders);
    }
}

fn give(orders: &Sender<Order>, bell: &Bell, given: impl IntoIterator<Item = Order>) {
    for order in given {
        // The receiving side may be closing.
        orders.send(order).ok();
        bell.ring();
    }
}
