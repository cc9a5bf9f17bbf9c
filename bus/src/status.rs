//! How each endpoint is doing, readable from any thread.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::deadline::Deadline;
use crate::{Address, EndpointName};

/// How long after the handshake a publisher may need to take the subscription, which libzmq does not tell: a round trip, and
/// the publisher's thread comes by. What it sends before does not come.
pub(crate) const SUBSCRIBING: Duration = Duration::from_secs(1);

/// One endpoint as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Its name.
    pub name: EndpointName,
    /// Messages received, malformed ones included.
    pub messages: u64,
    /// Bytes received, topics and bodies.
    pub bytes: u64,
    /// When the last message came, to the batch.
    pub last_message: Option<SystemTime>,
    /// For how long nothing has come though it could have: since the last message, since it was opened, or since it was
    /// connected, whichever is latest. By a clock that nobody sets.
    pub silence: Duration,
    /// Each of its addresses, once; those that a service (`srv://`) has at present, too.
    pub addresses: Vec<AddressStatus>,
}

/// One address of an endpoint as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressStatus {
    /// As configured, once bound with the real port; or as found by looking a service up.
    pub address: Address,
    /// Connected or not.
    pub state: State,
    /// Connections made so far (of a bound address: accepted).
    pub connects: u64,
    /// Connections lost so far.
    pub disconnects: u64,
    /// Since when it is connected, if it is.
    pub connected_since: Option<Moment>,
}

/// A point in time, by the clock on the wall and by one that nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For people.
    pub at: SystemTime,
    /// For lengths of time.
    pub clock: Instant,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { at: SystemTime::now(), clock: Instant::now() }
    }
}

/// The state of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The name of the host or of the service is being looked up for the first time.
    Resolving,
    /// A service that was looked up; what was found are addresses of their own.
    Found,
    /// The first attempt is under way.
    Connecting,
    /// Connected, and the peer speaks ZeroMQ.
    Connected,
    /// Connected, and whoever is there does not answer a greeting on another connection, nor has anything come from the endpoint
    /// since the greeting before: its process is frozen, or takes no more connections.
    Unresponsive {
        /// Since when that is known.
        since: Moment,
    },
    /// Not connected; it is retried for ever.
    Down {
        /// Why.
        reason: DownReason,
        /// Since when.
        since: Moment,
        /// Failed attempts since then.
        attempts: u32,
    },
    /// Bound and open to peers.
    Bound,
}

/// Why an address is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// The name of the host or of the service does not resolve; the resolver's words.
    Unresolvable(String),
    /// No connection could be made. libzmq does not tell whether refused or timed out.
    Unreachable,
    /// The peer went away.
    Lost,
    /// Something answers and breaks off or does not understand ZeroMQ's handshake.
    Handshake,
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolvable(error) => write!(f, "the name does not resolve ({error})"),
            Self::Unreachable => f.write_str("nothing answers there"),
            Self::Lost => f.write_str("the peer went away"),
            Self::Handshake => f.write_str("what answers there broke off ZeroMQ's handshake"),
        }
    }
}

/// Counts of so many addresses that were left are kept for each endpoint: a service may be at ever new ones.
const MOST_LEFT: usize = 100;

/// A shared view of every endpoint of one subscriber. Cheap to clone and to read.
#[derive(Clone, Debug, Default)]
pub struct StatusBoard(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    endpoints: Mutex<BTreeMap<EndpointName, Entry>>,
    /// Of endpoints that were ever open: who is opened again counts on.
    past: Mutex<BTreeMap<EndpointName, Past>>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Past {
    traffic: Arc<Traffic>,
    /// Connections made and lost at addresses that were left.
    left: BTreeMap<Address, (u64, u64)>,
}

#[derive(Debug)]
struct Entry {
    opened: Instant,
    traffic: Arc<Traffic>,
    addresses: Vec<AddressStatus>,
}

impl StatusBoard {
    /// Every endpoint, by name.
    pub fn snapshot(&self) -> Vec<EndpointStatus> {
        self.lock().iter().map(|(name, entry)| entry.status(name)).collect()
    }

    /// One endpoint, if it is open.
    pub fn endpoint(&self, name: &str) -> Option<EndpointStatus> {
        self.lock().get_key_value(name).map(|(name, entry)| entry.status(name))
    }

    /// Waits until the snapshot fulfils the condition; false when it does not within the time.
    ///
    /// It is looked at again when a state changes, not when messages arrive.
    pub fn wait(&self, timeout: Duration, mut condition: impl FnMut(&[EndpointStatus]) -> bool) -> bool {
        let deadline = Deadline::after(timeout);
        let mut endpoints = self.lock();
        loop {
            let snapshot: Vec<_> = endpoints.iter().map(|(name, entry)| entry.status(name)).collect();
            if condition(&snapshot) {
                return true;
            }
            let Some(left) = deadline.left() else { return false };
            endpoints =
                self.0.changed.wait_timeout(endpoints, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn insert(&self, name: &EndpointName, mut addresses: Vec<AddressStatus>) -> Arc<Traffic> {
        addresses.iter_mut().for_each(|address| self.recall(name, address));
        let traffic = Arc::clone(&self.past().entry(name.clone()).or_default().traffic);
        let entry = Entry { opened: Instant::now(), traffic: Arc::clone(&traffic), addresses };
        self.lock().insert(name.clone(), entry);
        self.0.changed.notify_all();
        traffic
    }

    pub(crate) fn remove(&self, name: &EndpointName) {
        let entry = self.lock().remove(name);
        entry.iter().flat_map(|entry| &entry.addresses).for_each(|address| self.remember(name, address));
        self.0.changed.notify_all();
    }

    pub(crate) fn update<R>(
        &self,
        name: &EndpointName,
        address: &Address,
        change: impl FnOnce(&mut AddressStatus) -> R,
    ) -> Option<R> {
        let mut endpoints = self.lock();
        let entry = endpoints.get_mut(name)?;
        let result = change(entry.addresses.iter_mut().find(|status| status.address == *address)?);
        self.0.changed.notify_all();
        Some(result)
    }

    pub(crate) fn add(&self, name: &EndpointName, mut address: AddressStatus) {
        self.recall(name, &mut address);
        if let Some(entry) = self.lock().get_mut(name) {
            entry.addresses.push(address);
        }
        self.0.changed.notify_all();
    }

    pub(crate) fn forget(&self, name: &EndpointName, address: &Address) {
        let mut endpoints = self.lock();
        let left = endpoints.get_mut(name).and_then(|entry| {
            let index = entry.addresses.iter().position(|status| status.address == *address)?;
            Some(entry.addresses.remove(index))
        });
        drop(endpoints);
        left.iter().for_each(|status| self.remember(name, status));
        self.0.changed.notify_all();
    }

    fn remember(&self, name: &EndpointName, status: &AddressStatus) {
        let mut past = self.past();
        let left = &mut past.entry(name.clone()).or_default().left;
        if left.len() < MOST_LEFT {
            left.insert(status.address.clone(), (status.connects, status.disconnects));
        }
    }

    fn recall(&self, name: &EndpointName, status: &mut AddressStatus) {
        let counts = self.past().get_mut(name).and_then(|past| past.left.remove(&status.address));
        (status.connects, status.disconnects) = counts.unwrap_or_default();
    }

    fn past(&self) -> MutexGuard<'_, BTreeMap<EndpointName, Past>> {
        self.0.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows an address in the state of another that leads to the same place.
    pub(crate) fn share(&self, name: &EndpointName, from: &Address, to: &Address) {
        let found = self.update(name, from, |status| (status.state.clone(), status.connected_since));
        if let Some((state, since)) = found {
            self.update(name, to, |status| (status.state, status.connected_since) = (state, since));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<EndpointName, Entry>> {
        // Nothing under the lock can leave the map half-changed.
        self.0.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn status(&self, name: &EndpointName) -> EndpointStatus {
        let connected = self.addresses.iter().filter_map(|address| address.connected_since);
        let connected = connected.map(|since| since.clock).min();
        let silent = [Some(self.opened), self.traffic.last_by_clock(), connected].into_iter().flatten().max();
        EndpointStatus {
            name: name.clone(),
            messages: self.traffic.messages.load(Ordering::Relaxed),
            bytes: self.traffic.bytes.load(Ordering::Relaxed),
            last_message: self.traffic.last_message(),
            silence: silent.map_or(Duration::ZERO, |since| since.elapsed()),
            addresses: self.addresses.clone(),
        }
    }
}

impl AddressStatus {
    /// Whether whoever is there will have taken the subscription, or cannot be reached at present. A publisher has a second
    /// from its handshake on; what it sends before does not come.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self.state {
            State::Resolving | State::Connecting => false,
            State::Connected => self.connected_since.is_none_or(|since| since.clock.elapsed() >= SUBSCRIBING),
            State::Found | State::Unresponsive { .. } | State::Down { .. } | State::Bound => true,
        }
    }

    pub(crate) fn new(address: Address, state: State) -> Self {
        Self { address, state, connects: 0, disconnects: 0, connected_since: None }
    }
}

/// What an endpoint has received: written by the receiving thread, read by any.
#[derive(Debug)]
pub(crate) struct Traffic {
    began: Instant,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// Milliseconds since the epoch; 0 is never.
    last: AtomicU64,
    /// Microseconds since this began; 0 is never.
    last_by_clock: AtomicU64,
}

impl Default for Traffic {
    fn default() -> Self {
        let (messages, bytes, last, last_by_clock) = Default::default();
        Self { began: Instant::now(), messages, bytes, last, last_by_clock }
    }
}

impl Traffic {
    pub(crate) fn add(&self, messages: usize, bytes: usize) {
        self.messages.fetch_add(messages as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.last.store(now.as_millis() as u64, Ordering::Relaxed);
        self.last_by_clock.store((self.began.elapsed().as_micros() as u64).max(1), Ordering::Relaxed);
    }

    pub(crate) fn last_by_clock(&self) -> Option<Instant> {
        match self.last_by_clock.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(self.began + Duration::from_micros(micros)),
        }
    }

    fn last_message(&self) -> Option<SystemTime> {
        match self.last.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis)),
        }
    }
}
