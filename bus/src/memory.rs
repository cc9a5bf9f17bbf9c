//! The bus without sockets: the same traits, for unit tests of what is built on them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use bytes::Bytes;

use crate::deadline::Deadline;
use crate::status::{AddressStatus, Traffic};
use crate::{
    Address, BATCH_BYTES, BusError, Endpoint, EndpointName, Frames, Incoming, Prefixes, Publish,
    PublishError, State, StatusBoard, Subscribe, Unsent,
};

/// A bus in memory: a publisher to an endpoint reaches every subscriber that has opened the endpoint of that name,
/// connected or bound. Cheap to clone.
#[derive(Clone, Default)]
pub struct Bus(Arc<Shared>);

#[derive(Default)]
struct Shared {
    inboxes: Mutex<BTreeMap<usize, Inbox>>,
    /// A message, an endpoint or a call to wake came.
    changed: Condvar,
}

#[derive(Default)]
struct Inbox {
    endpoints: BTreeMap<EndpointName, (Prefixes, Arc<Traffic>)>,
    queue: VecDeque<Incoming>,
    is_woken: bool,
}

impl Bus {
    /// A subscriber with no endpoint yet.
    pub fn subscriber(&self) -> Subscriber {
        let mut inboxes = self.lock();
        let id = inboxes.last_key_value().map_or(0, |(last, _)| last + 1);
        inboxes.insert(id, Inbox::default());
        Subscriber { bus: self.clone(), id, status: StatusBoard::default() }
    }

    /// A publisher to whoever has opened the endpoint.
    pub fn publisher(&self, endpoint: &str) -> Publisher {
        Publisher { bus: self.clone(), endpoint: endpoint.into() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Inbox>> {
        self.0.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `find` finds something in the inboxes.
    fn wait<T>(
        &self,
        timeout: Duration,
        mut find: impl FnMut(&mut BTreeMap<usize, Inbox>) -> Option<T>,
    ) -> Option<T> {
        let deadline = Deadline::after(timeout);
        let mut inboxes = self.lock();
        loop {
            if let Some(found) = find(&mut inboxes) {
                return Some(found);
            }
            let waited = self.0.changed.wait_timeout(inboxes, deadline.left()?);
            inboxes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// [`Subscribe`] in memory.
pub struct Subscriber {
    bus: Bus,
    id: usize,
    status: StatusBoard,
}

impl Subscriber {
    fn with_inbox<T>(&self, change: impl FnOnce(&mut Inbox) -> T) -> T {
        let result = change(self.bus.lock().entry(self.id).or_default());
        self.bus.0.changed.notify_all();
        result
    }

    fn open(&self, endpoint: &Endpoint, prefixes: &Prefixes, state: &State) -> Result<(), BusError> {
        let name = &endpoint.name;
        if endpoint.addresses.is_empty() {
            return Err(BusError::NoAddress(name.clone()));
        }
        self.with_inbox(|inbox| {
            if inbox.endpoints.contains_key(name) {
                return Err(BusError::AlreadyOpen(name.clone()));
            }
            let addresses = endpoint.addresses.iter();
            let addresses = addresses.map(|address| AddressStatus::new(address.clone(), state.clone()));
            let traffic = self.status.insert(name, addresses.collect());
            inbox.endpoints.insert(name.clone(), (prefixes.clone(), traffic));
            Ok(())
        })
    }
}

impl Subscribe for Subscriber {
    fn receive(&mut self, into: &mut Vec<Incoming>, max: usize, timeout: Duration) -> Result<(), BusError> {
        self.bus.wait(timeout, |inboxes| {
            let inbox = inboxes.get_mut(&self.id)?;
            let is_woken = std::mem::take(&mut inbox.is_woken);
            let mut room = BATCH_BYTES;
            let fits = |incoming: &&Incoming| {
                let fits = room > 0;
                room = room.saturating_sub(incoming.frames.size());
                fits
            };
            let count = inbox.queue.iter().take(max).take_while(fits).count();
            into.extend(inbox.queue.drain(..count));
            (is_woken || count > 0 || max == 0).then_some(())
        });
        Ok(())
    }

    fn connect(&mut self, endpoint: &Endpoint, prefixes: &Prefixes) -> Result<(), BusError> {
        self.open(endpoint, prefixes, &State::Connected)
    }

    fn lead(&mut self, endpoint: &Endpoint) -> Result<(), BusError> {
        let name = &endpoint.name;
        if endpoint.addresses.is_empty() {
            return Err(BusError::NoAddress(name.clone()));
        }
        self.with_inbox(|inbox| match inbox.endpoints.contains_key(name) {
            true => {
                let addresses = endpoint.addresses.iter().cloned();
                self.status
                    .insert(name, addresses.map(|it| AddressStatus::new(it, State::Connected)).collect());
                Ok(())
            }
            false => Err(BusError::NotOpen(name.clone())),
        })
    }

    fn bind(&mut self, endpoint: &Endpoint, prefixes: &Prefixes) -> Result<Vec<Address>, BusError> {
        self.open(endpoint, prefixes, &State::Bound)?;
        Ok(endpoint.addresses.clone())
    }

    fn take_from(
        &mut self,
        name: &EndpointName,
        into: &mut Vec<Incoming>,
        max: usize,
    ) -> Result<usize, BusError> {
        self.with_inbox(|inbox| {
            let (mut of, others): (VecDeque<_>, VecDeque<_>) =
                inbox.queue.drain(..).partition(|incoming| incoming.endpoint == *name);
            let count = max.min(of.len());
            into.extend(of.drain(..count));
            inbox.queue = of.into_iter().chain(others).collect();
            Ok(count)
        })
    }

    fn disconnect(&mut self, name: &EndpointName) -> Result<(), BusError> {
        self.status.remove(name);
        self.with_inbox(|inbox| {
            inbox.queue.retain(|incoming| incoming.endpoint != *name);
            inbox.endpoints.remove(name).map(drop).ok_or_else(|| BusError::NotOpen(name.clone()))
        })
    }

    fn set_prefixes(&mut self, name: &EndpointName, prefixes: &Prefixes) -> Result<(), BusError> {
        self.with_inbox(|inbox| match inbox.endpoints.get_mut(name) {
            Some((own, _)) => {
                own.clone_from(prefixes);
                Ok(())
            }
            None => Err(BusError::NotOpen(name.clone())),
        })
    }

    fn waker(&self) -> Waker {
        Arc::new(Call { bus: self.bus.clone(), id: self.id }).into()
    }

    fn status(&self) -> StatusBoard {
        self.status.clone()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.bus.lock().remove(&self.id);
    }
}

struct Call {
    bus: Bus,
    id: usize,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        if let Some(inbox) = self.bus.lock().get_mut(&self.id) {
            inbox.is_woken = true;
        }
        self.bus.0.changed.notify_all();
    }
}

/// [`Publish`] in memory. It is never too slow, and publishing to nobody is no error.
pub struct Publisher {
    bus: Bus,
    endpoint: EndpointName,
}

impl Publisher {
    /// Sends frames that are no proper message, to see what becomes of them.
    pub fn publish_frames(&self, frames: &Frames) {
        for inbox in self.bus.lock().values_mut() {
            let Some((prefixes, traffic)) = inbox.endpoints.get(&self.endpoint) else { continue };
            if !matches!(frames, Frames::Message { topic, .. } if !prefixes.wants(topic)) {
                traffic.add(1, frames.size());
                inbox.queue.push_back(Incoming { endpoint: self.endpoint.clone(), frames: frames.clone() });
            }
        }
        self.bus.0.changed.notify_all();
    }
}

impl Publish for Publisher {
    fn publish(&mut self, topic: &[u8], body: &[u8]) -> Result<(), PublishError> {
        let (topic, body) = (Bytes::copy_from_slice(topic), Bytes::copy_from_slice(body));
        self.publish_frames(&Frames::Message { topic, body });
        Ok(())
    }

    fn wait_for_subscriber(&mut self, topic: &[u8], timeout: Duration) -> bool {
        let wants = |inbox: &Inbox| {
            inbox.endpoints.get(&self.endpoint).is_some_and(|(prefixes, _)| prefixes.wants(topic))
        };
        self.bus.wait(timeout, |inboxes| inboxes.values().any(wants).then_some(())).is_some()
    }

    fn close(self: Box<Self>, _timeout: Duration) -> Result<(), Unsent> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn endpoint(name: &str) -> Endpoint {
        Endpoint::new(name, ["inproc://memory".parse().unwrap()])
    }

    #[test]
    fn a_message_arrives_where_its_topic_is_wanted_and_knows_its_endpoint() {
        let bus = Bus::default();
        let mut subscriber = bus.subscriber();
        subscriber.connect(&endpoint("a"), &Prefixes::from_iter(["org."])).unwrap();
        subscriber.bind(&endpoint("b"), &Prefixes::everything()).unwrap();
        let (mut a, mut b, mut c) = (bus.publisher("a"), bus.publisher("b"), bus.publisher("c"));
        assert!(a.wait_for_subscriber(b"org.x", PATIENCE));
        assert!(!a.wait_for_subscriber(b"com.x", Duration::ZERO));
        for publisher in [&mut a, &mut b, &mut c] {
            publisher.publish(b"org.1", b"{}").unwrap();
            publisher.publish(b"com.2", b"{}").unwrap();
        }
        let mut got = Vec::new();
        subscriber.receive(&mut got, 256, PATIENCE).unwrap();
        let got: Vec<_> = got
            .iter()
            .map(|incoming| match &incoming.frames {
                Frames::Message { topic, .. } => (incoming.endpoint.as_str(), &topic[..]),
                Frames::Malformed { .. } => unreachable!(),
            })
            .collect();
        assert_eq!(got, [("a", &b"org.1"[..]), ("b", b"org.1"), ("b", b"com.2")]);
        assert_eq!(subscriber.status().endpoint("b").map(|status| status.messages), Some(2));
    }

    #[test]
    fn a_wake_up_is_not_lost_when_it_comes_before_the_wait() {
        let mut subscriber = Bus::default().subscriber();
        subscriber.waker().wake();
        let mut got = Vec::new();
        subscriber.receive(&mut got, 256, Duration::MAX).unwrap();
        assert!(got.is_empty());
    }
}
