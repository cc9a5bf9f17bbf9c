//! The sending side of the bus.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::monitor::{CLOSING, Monitor};
use crate::{Address, BusError, Endpoint, Host, Options, PublishError, Unsent, bind, socket};

/// What the sending side of the bus is to its user, whatever carries the messages.
pub trait Publish: Send {
    /// Sends a message to every subscriber of the topic, never waiting.
    ///
    /// A bound publisher sends to whoever is there, be it nobody. A subscriber whose queue has reached
    /// `high_water_mark` misses the message, as with Python's PUB.
    ///
    /// # Errors
    /// [`PublishError::NotConnected`] when a connected publisher has no subscriber for the topic: the message would
    /// vanish.
    fn publish(&mut self, topic: &[u8], body: &[u8]) -> Result<(), PublishError>;

    /// Waits until somebody wants the topic; false when nobody does within the time.
    fn wait_for_subscriber(&mut self, topic: &[u8], timeout: Duration) -> bool;

    /// Waits until all that was published is handed to the system's kernel, and closes.
    ///
    /// # Errors
    /// [`Unsent`] when some was not within the time; it is given up.
    fn close(self: Box<Self>, timeout: Duration) -> Result<(), Unsent>;
}

/// A publisher over ZeroMQ.
///
/// When a relay that it is connected to goes away, what is published meanwhile is queued and sent once the relay is
/// back; only what was on its way is lost. [`Publish::close`] tells when the relay did not come back. Dropped without
/// it, what is unsent gets the option `linger`.
pub struct Publisher {
    socket: zmq::Socket,
    zmq: zmq::Context,
    addresses: Vec<Address>,
    is_bound: bool,
    /// The beginnings of topics that at least one subscriber wants.
    subscriptions: BTreeSet<Vec<u8>>,
}

impl Publisher {
    pub(crate) fn bind(
        zmq: &zmq::Context,
        options: &Options,
        endpoint: &Endpoint,
    ) -> Result<(Self, Address), BusError> {
        if endpoint.addresses.is_empty() {
            return Err(BusError::NoAddress(endpoint.name.clone()));
        }
        let mut publisher = Self::new(zmq, options, true)?;
        for address in &endpoint.addresses {
            match bind::bind(&publisher.socket, &endpoint.name, address) {
                Ok(bound) => {
                    publisher.addresses.push(bound.clone());
                    return Ok((publisher, bound));
                }
                Err(BusError::Bind { source, .. }) if source.kind() == ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(BusError::AllInUse { endpoint: endpoint.name.clone(), addresses: endpoint.addresses.clone() })
    }

    pub(crate) fn connect(
        zmq: &zmq::Context,
        options: &Options,
        endpoint: &Endpoint,
    ) -> Result<Self, BusError> {
        if endpoint.addresses.is_empty() {
            return Err(BusError::NoAddress(endpoint.name.clone()));
        }
        if let Some(address) = endpoint.addresses.iter().find(|address| address.is_wildcard()) {
            return Err(BusError::Wildcard { endpoint: endpoint.name.clone(), address: address.clone() });
        }
        if let Some(address) = endpoint.addresses.iter().find(|address| address.is_service()) {
            return Err(BusError::Service { endpoint: endpoint.name.clone(), address: address.clone() });
        }
        let mut publisher = Self::new(zmq, options, false)?;
        for address in &endpoint.addresses {
            publisher.connect_to(address).map_err(BusError::system("connect"))?;
        }
        publisher.addresses.clone_from(&endpoint.addresses);
        Ok(publisher)
    }

    fn new(zmq: &zmq::Context, options: &Options, is_bound: bool) -> Result<Self, BusError> {
        Ok(Self {
            socket: socket::publisher(zmq, options)?,
            zmq: zmq.clone(),
            addresses: Vec::new(),
            is_bound,
            subscriptions: BTreeSet::new(),
        })
    }

    /// Here libzmq may look names up by itself: there is hardly more than the one connection that could be held up.
    fn connect_to(&self, address: &Address) -> zmq::Result<()> {
        self.socket.set_ipv6(match address {
            Address::Tcp { host: Host::V6(_), .. } => true,
            // libzmq tries one family only.
            Address::Tcp { host: Host::Name(name), port } => (name.as_str(), port.unwrap_or(0))
                .to_socket_addrs()
                .is_ok_and(|mut found| found.all(|address| address.is_ipv6())),
            _ => false,
        })?;
        self.socket.connect(&address.to_string())
    }

    /// Takes in who has come and gone. Without it, that would pile up in the socket.
    fn follow_subscriptions(&mut self) {
        while let Ok(frame) = self.socket.recv_msg(zmq::DONTWAIT) {
            match frame.split_first() {
                Some((1, prefix)) => {
                    self.subscriptions.insert(prefix.to_vec());
                }
                Some((0, prefix)) => {
                    self.subscriptions.remove(prefix);
                }
                // Whatever else a peer sends upstream is none of the bus.
                _ => {}
            }
        }
    }

    fn has_subscriber(&self, topic: &[u8]) -> bool {
        self.subscriptions.iter().any(|prefix| topic.starts_with(prefix))
    }
}

impl Publish for Publisher {
    fn publish(&mut self, topic: &[u8], body: &[u8]) -> Result<(), PublishError> {
        self.follow_subscriptions();
        if !self.is_bound && !self.has_subscriber(topic) {
            return Err(PublishError::NotConnected(self.addresses.clone()));
        }
        self.socket
            .send(topic, zmq::SNDMORE | zmq::DONTWAIT)
            .and_then(|()| self.socket.send(body, zmq::DONTWAIT))
            .map_err(|error| PublishError::System(error.into()))
    }

    fn wait_for_subscriber(&mut self, topic: &[u8], timeout: Duration) -> bool {
        let deadline = Deadline::after(timeout);
        loop {
            self.follow_subscriptions();
            if self.has_subscriber(topic) {
                return true;
            }
            let Some(left) = deadline.left() else { return false };
            // Interrupted or not, the time left is looked at again.
            self.socket.poll(zmq::POLLIN, i64::from(socket::millis(left)) + 1).ok();
        }
    }

    fn close(self: Box<Self>, timeout: Duration) -> Result<(), Unsent> {
        // There what is sent is at once in the receiver's hands.
        if self.addresses.iter().all(|address| matches!(address, Address::Inproc(_))) {
            return Ok(());
        }
        // libzmq gives up after the linger without a word. It must not have when the time is up, so it gets more.
        let linger = timeout.saturating_add(Duration::from_millis(50));
        let closing = (self.socket.set_linger(socket::millis(linger)))
            .and_then(|()| Monitor::new(&self.zmq, &self.socket));
        let Ok(monitor) = closing else { return Err(Unsent(timeout)) };
        let start = Instant::now();
        drop(self);
        monitor.wait_for_end(linger.saturating_add(CLOSING));
        if start.elapsed() < timeout { Ok(()) } else { Err(Unsent(timeout)) }
    }
}
