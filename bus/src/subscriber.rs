//! The receiving side of the bus over ZeroMQ.

mod bell;
mod discovery;
mod dns;
mod link;
mod lookup;
mod pulse;
mod resolver;
mod source;
mod supervisor;
mod watched;

pub use self::dns::service_places;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use self::bell::Bell;
use self::discovery::Discovery;
use self::link::Link;
use self::pulse::Pulse;
use self::source::Source;
use self::supervisor::Supervisor;
use self::watched::{Order, Watched};
use crate::monitor::{CLOSING, Monitor};
use crate::status::AddressStatus;
use crate::{
    Address, BATCH_BYTES, BusError, Endpoint, EndpointName, Incoming, Options, Prefixes, State, StatusBoard,
    Subscribe, bind, socket,
};

/// A subscriber over ZeroMQ: a SUB socket per endpoint name, all of them used by one thread.
pub struct Subscriber {
    // Before the supervisor: it waits for the sockets to be closed.
    sources: Vec<Source>,
    supervisor: Supervisor,
    orders: Receiver<Order>,
    /// Orders that wait for their source to be empty.
    pending: Vec<Order>,
    bell: Arc<Bell>,
    status: StatusBoard,
    zmq: zmq::Context,
    options: Options,
    next_id: u64,
    /// Which source is asked first, so that none is always.
    first: usize,
    /// Scratch of [`Self::drain`].
    ready: Vec<usize>,
}

impl Subscriber {
    pub(crate) fn new(zmq: zmq::Context, options: Options) -> Result<Self, BusError> {
        let bell = Bell::new().map_err(BusError::system("make a socket pair"))?;
        let status = StatusBoard::default();
        let (sender, orders) = crossbeam_channel::unbounded();
        let pulse = Pulse::new(&zmq, &options)?;
        let supervisor =
            Supervisor::start(options.dns_server, status.clone(), sender, Arc::clone(&bell), pulse)?;
        Ok(Self {
            sources: Vec::new(),
            supervisor,
            orders,
            pending: Vec::new(),
            bell,
            status,
            zmq,
            options,
            next_id: 0,
            first: 0,
            ready: Vec::new(),
        })
    }

    /// Takes what is there without waiting, while there is room: from each source an equal share first, then more from those that have it.
    fn drain(&mut self, into: &mut Vec<Incoming>, max: usize) -> Result<(), BusError> {
        let count = self.sources.len();
        if count == 0 {
            return Ok(());
        }
        self.first = (self.first + 1) % count;
        let mut ready = std::mem::take(&mut self.ready);
        ready.extend((0..count).map(|index| (self.first + index) % count));
        let end = into.len().saturating_add(max);
        let mut room = BATCH_BYTES;
        while !ready.is_empty() && into.len() < end && room > 0 {
            let share = ((end - into.len()) / ready.len()).max(1);
            let mut failure = None;
            ready.retain(|index| {
                let share = share.min(end - into.len());
                let taken =
                    self.sources.get(*index).map_or(Ok(0), |source| source.take(into, share, &mut room));
                taken.map_err(|error| failure = Some(error)).is_ok_and(|taken| taken == share)
            });
            if let Some(error) = failure {
                return Err(BusError::system("receive")(error));
            }
        }
        ready.clear();
        self.ready = ready;
        Ok(())
    }

    fn wait(&self, timeout: Duration) -> Result<(), BusError> {
        let mut items = vec![self.bell.poll_item()];
        items.extend(self.sources.iter().map(|source| source.socket.as_poll_item(zmq::POLLIN)));
        match zmq::poll(&mut items, socket::millis(timeout).into()) {
            Ok(_) | Err(zmq::Error::EINTR) => Ok(()),
            Err(error) => Err(BusError::system("wait for messages")(error)),
        }
    }

    fn take_orders(&mut self) {
        for order in self.orders.try_iter() {
            // An endpoint that was left meanwhile needs nothing.
            if let Some(source) = self.sources.iter().find(|source| source.id == order.endpoint) {
                source.is_empty.set(false);
                self.pending.push(order);
            }
        }
    }

    /// Does what the supervisor wants. A place is not left before all that came from there has been taken: libzmq would
    /// throw it away. Nor is it connected to again before it is left: libzmq would leave both.
    fn follow_orders(&mut self) -> Result<(), BusError> {
        for order in std::mem::take(&mut self.pending) {
            let Some(source) = self.sources.iter().find(|source| source.id == order.endpoint) else {
                continue;
            };
            let is_behind = (self.pending.iter()).any(|first| {
                first.endpoint == order.endpoint && first.leave.is_some() && first.leave == order.connect
            });
            if is_behind || order.leave.is_some() && !source.is_empty.get() {
                self.pending.push(order);
                continue;
            }
            if let Some(target) = &order.leave {
                source.leave(target);
            }
            if let Some(target) = &order.connect {
                source.connect(target).map_err(BusError::system("connect"))?;
            }
        }
        Ok(())
    }

    fn index(&self, name: &EndpointName) -> Result<usize, BusError> {
        let index = self.sources.iter().position(|source| source.name == *name);
        index.ok_or_else(|| BusError::NotOpen(name.clone()))
    }

    /// A source that is watched but neither connected nor bound.
    fn open(
        &mut self,
        endpoint: &Endpoint,
        prefixes: &Prefixes,
    ) -> Result<(Source, Option<Monitor>), BusError> {
        if self.sources.iter().any(|source| source.name == endpoint.name) {
            return Err(BusError::AlreadyOpen(endpoint.name.clone()));
        }
        has_address(endpoint)?;
        self.next_id += 1;
        let socket = socket::subscriber(&self.zmq, &self.options)?;
        let mut source = Source::new(self.next_id, endpoint.name.clone(), socket);
        source.set_prefixes(prefixes).map_err(BusError::system("subscribe"))?;
        // On inproc nothing happens that could be watched, and closing may wait for the peer's thread, which may be ours.
        source.is_watched = !is_inproc(endpoint);
        let monitor = source.is_watched.then(|| Monitor::new(&self.zmq, &source.socket)).transpose();
        let monitor = monitor.map_err(BusError::system("watch a socket"))?;
        Ok((source, monitor))
    }

    /// Begins to receive from a source that has found its places, or closes it.
    fn settle<T>(
        &mut self,
        mut source: Source,
        monitor: Option<Monitor>,
        is_bound: bool,
        placed: Result<(T, Vec<Link>, Vec<Discovery>), BusError>,
    ) -> Result<T, BusError> {
        let (value, links, discoveries) = match placed {
            Ok(placed) => placed,
            Err(error) => {
                drop(source);
                if let Some(monitor) = monitor {
                    monitor.wait_for_end(CLOSING);
                }
                return Err(error);
            }
        };
        let places = links.iter().map(|link| match is_bound {
            true => AddressStatus::new(link.address.clone(), State::Bound),
            false => link.status(),
        });
        let services = discoveries.iter().map(|it| AddressStatus::new(it.address.clone(), State::Resolving));
        source.traffic = self.status.insert(&source.name, places.chain(services).collect());
        if let Some(monitor) = monitor {
            let (closed, is_closed) = crossbeam_channel::bounded(1);
            source.is_closed = is_closed;
            let (id, name) = (source.id, source.name.clone());
            let configured = links.iter().map(|link| link.address.clone()).collect();
            self.supervisor.watch(Watched {
                id,
                name,
                monitor,
                configured,
                links,
                discoveries,
                is_bound,
                traffic: Arc::clone(&source.traffic),
                closed,
            });
        }
        self.sources.push(source);
        Ok(value)
    }
}

fn is_inproc(endpoint: &Endpoint) -> bool {
    endpoint.addresses.iter().all(|address| matches!(address, Address::Inproc(_)))
}

fn has_address(endpoint: &Endpoint) -> Result<(), BusError> {
    if endpoint.addresses.is_empty() { Err(BusError::NoAddress(endpoint.name.clone())) } else { Ok(()) }
}

fn can_be_connected(endpoint: &Endpoint) -> Result<(), BusError> {
    has_address(endpoint)?;
    match endpoint.addresses.iter().find(|address| address.is_wildcard()) {
        Some(address) => {
            Err(BusError::Wildcard { endpoint: endpoint.name.clone(), address: address.clone() })
        }
        None => Ok(()),
    }
}

impl Subscribe for Subscriber {
    fn receive(&mut self, into: &mut Vec<Incoming>, max: usize, timeout: Duration) -> Result<(), BusError> {
        let start = into.len();
        self.take_orders();
        self.drain(into, max)?;
        self.follow_orders()?;
        if into.len() > start || max == 0 {
            return Ok(());
        }
        self.wait(timeout)?;
        self.bell.silence();
        self.take_orders();
        self.drain(into, max)?;
        self.follow_orders()
    }

    fn connect(&mut self, endpoint: &Endpoint, prefixes: &Prefixes) -> Result<(), BusError> {
        can_be_connected(endpoint)?;
        let (source, monitor) = self.open(endpoint, prefixes)?;
        let now = Instant::now();
        let mut seen = BTreeSet::new();
        let (services, places): (Vec<&Address>, Vec<_>) =
            endpoint.addresses.iter().filter(|address| seen.insert(*address)).partition(|it| it.is_service());
        let discoveries = services.into_iter().filter_map(|address| Discovery::new(address, now)).collect();
        let links: Vec<_> = places.into_iter().map(|address| Link::new(address.clone(), now)).collect();
        let connected = (links.iter().filter_map(|link| link.target.as_ref()))
            .try_for_each(|target| source.connect(target))
            .map(|()| ((), links, discoveries));
        self.settle(source, monitor, false, connected.map_err(BusError::system("connect")))
    }

    fn lead(&mut self, endpoint: &Endpoint) -> Result<(), BusError> {
        can_be_connected(endpoint)?;
        let index = self.index(&endpoint.name)?;
        let source = self.sources.get(index).filter(|source| source.is_watched && !is_inproc(endpoint));
        if let Some(source) = source {
            self.supervisor.lead(source.id, endpoint.addresses.clone());
            return Ok(());
        }
        // Nobody looks after what is inproc.
        let prefixes = self.sources.get(index).map(|source| source.prefixes.clone()).unwrap_or_default();
        self.disconnect(&endpoint.name)?;
        self.connect(endpoint, &prefixes)
    }

    fn bind(&mut self, endpoint: &Endpoint, prefixes: &Prefixes) -> Result<Vec<Address>, BusError> {
        let (source, monitor) = self.open(endpoint, prefixes)?;
        let bound: Result<Vec<_>, _> = (endpoint.addresses.iter())
            .map(|address| bind::bind(&source.socket, &endpoint.name, address))
            .collect();
        let now = Instant::now();
        let bound = bound.map(|bound| {
            let links = bound.iter().map(|address| Link::bound(address.clone(), now)).collect();
            (bound, links, Vec::new())
        });
        self.settle(source, monitor, true, bound)
    }

    fn take_from(
        &mut self,
        name: &EndpointName,
        into: &mut Vec<Incoming>,
        max: usize,
    ) -> Result<usize, BusError> {
        let (index, mut room) = (self.index(name)?, BATCH_BYTES);
        let taken = self.sources.get(index).map_or(Ok(0), |source| source.take(into, max, &mut room));
        taken.map_err(BusError::system("receive"))
    }

    fn disconnect(&mut self, name: &EndpointName) -> Result<(), BusError> {
        let index = self.index(name)?;
        let closed = self.sources.remove(index).close();
        self.status.remove(name);
        // So that what was bound can be bound again. It takes milliseconds.
        closed.recv_timeout(CLOSING).ok();
        Ok(())
    }

    fn set_prefixes(&mut self, name: &EndpointName, prefixes: &Prefixes) -> Result<(), BusError> {
        let index = self.index(name)?;
        match self.sources.get_mut(index) {
            Some(source) => source.set_prefixes(prefixes).map_err(BusError::system("subscribe")),
            None => Err(BusError::NotOpen(name.clone())),
        }
    }

    fn waker(&self) -> Waker {
        Arc::clone(&self.bell).into()
    }

    fn status(&self) -> StatusBoard {
        self.status.clone()
    }
}
