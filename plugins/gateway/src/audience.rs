//! Who is connected: for whom there is a place, who makes way, and what becomes of each.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plugin_api::tracing;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::limits::Limits;
use crate::subscriber::Subscriber;
use crate::tally::{Count, Tally};

/// How long, at the end, what waits is still sent: as `zmq.linger` by default.
const LINGER: Duration = Duration::from_secs(1);

/// All who are connected.
pub(crate) struct Audience {
    limits: Limits,
    /// The longest connected come first.
    subscribers: Mutex<Vec<Arc<Subscriber>>>,
    tally: Mutex<Tally>,
    /// One of them has left.
    gone: Notify,
}

impl Audience {
    /// Nobody yet.
    pub(crate) fn new(limits: Limits, tally: Tally) -> Self {
        Self { limits, subscribers: Mutex::default(), tally: Mutex::new(tally), gone: Notify::new() }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn subscribers(&self) -> MutexGuard<'_, Vec<Arc<Subscriber>>> {
        lock(&self.subscribers)
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// Gives a place to whoever comes from there, if there is one, or somebody makes way: where one address has as many as
    /// it may, one of these, else anybody.
    pub(crate) fn enter(&self, address: SocketAddr) -> Option<Arc<Subscriber>> {
        let Limits { messages, bytes, subscribers: most, per_address, .. } = self.limits;
        let mut subscribers = self.subscribers();
        let origin = origin(address.ip());
        let is_neighbour = |other: &Subscriber| self::origin(other.address.ip()) == origin;
        let neighbours = subscribers.iter().filter(|other| is_neighbour(other)).count();
        let (has_place, reason) = if per_address > 0 && neighbours >= per_address {
            (displace(&mut subscribers, is_neighbour), Count::OverMaxPerAddress)
        } else {
            let is_full = subscribers.len() >= most;
            (!is_full || displace(&mut subscribers, |_| true), Count::OverMaxSubscribers)
        };
        if !has_place {
            self.tally().ended(reason, address);
            return None;
        }
        let subscriber = Arc::new(Subscriber::new(address, messages, bytes));
        subscribers.push(Arc::clone(&subscriber));
        self.tally().connected(subscribers.len());
        Some(subscriber)
    }

    /// Serves a subscriber to its end.
    pub(crate) async fn attend(self: Arc<Self>, subscriber: Arc<Subscriber>, stream: TcpStream) {
        let ended = subscriber.serve(stream, self.limits.stalled_after).await;
        self.subscribers().retain(|other| !Arc::ptr_eq(other, &subscriber));
        self.gone.notify_one();
        let mut tally = self.tally();
        tally.unsent(subscriber.queue.unsent());
        if let Err(farewell) = ended {
            tracing::debug!(subscriber = %subscriber.address, reason = %farewell, "subscriber gone");
            if let Some(what) = farewell.counts_as() {
                tally.ended(what, subscriber.address);
            }
        }
    }

    /// Lets each have what waits for it, and waits for that, but not long.
    pub(crate) async fn close(&self) {
        self.subscribers().retain(|subscriber| {
            subscriber.queue.close();
            // For who is still greeting, nothing waits.
            subscriber.has_greeted()
        });
        let all_gone = async {
            while !self.subscribers().is_empty() {
                self.gone.notified().await;
            }
        };
        if timeout(LINGER, all_gone).await.is_err() {
            let subscribers = self.subscribers();
            tracing::warn!(subscribers = subscribers.len(), "hung up on subscribers that were too slow");
            self.tally().unsent(subscribers.iter().map(|subscriber| subscriber.queue.unsent()).sum());
        }
    }
}

/// Takes the place of one of these who is not at it yet: who has been greeting for longest, else who has been without a
/// subscription for longest. Says whether there was one.
fn displace(subscribers: &mut Vec<Arc<Subscriber>>, may: impl Fn(&Subscriber) -> bool) -> bool {
    let find = |is_idle: fn(&Subscriber) -> bool| {
        subscribers.iter().position(|subscriber| may(subscriber) && is_idle(subscriber))
    };
    let idle = find(|subscriber| !subscriber.has_greeted())
        .or_else(|| find(|subscriber| !subscriber.queue.is_wanted()));
    idle.map(|place| subscribers.remove(place).make_way()).is_some()
}

/// What counts as one address. A machine with IPv6 has a network of /64 to itself.
fn origin(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// Nothing under these locks is left half-done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(subscribers: usize, per_address: usize) -> Audience {
        let limits = Limits {
            messages: 1,
            bytes: 1,
            total_bytes: 1,
            subscribers,
            per_address,
            stalled_after: Duration::from_secs(60),
        };
        Audience::new(limits, Tally::new(Box::new(|_, _| {})))
    }

    /// Whether somebody from there who subscribes at once finds a place.
    fn comes(audience: &Audience, address: &str) -> bool {
        let subscriber = audience.enter(SocketAddr::new(address.parse().unwrap(), 1));
        subscriber.is_some_and(|subscriber| {
            subscriber.greeted();
            subscriber.queue.subscribe(b"")
        })
    }

    #[test]
    fn one_address_leaves_places_for_others() {
        let audience = audience(4, 2);
        for (address, expected) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.1", false),
            ("2001:db8::1", true),
            ("2001:db8::2:1", true),
            ("2001:db8:0:0:3::1", false),
            ("2001:db8:0:1::1", false),
        ] {
            assert_eq!(comes(&audience, address), expected, "{address}");
        }
        assert_eq!(audience.tally().count_of(Count::OverMaxPerAddress), 2);
        assert_eq!(audience.tally().count_of(Count::OverMaxSubscribers), 1);
    }

    #[test]
    fn without_a_limit_one_address_may_have_all_places() {
        let audience = audience(3, 0);
        assert_eq!(["192.0.2.1"; 4].map(|address| comes(&audience, address)), [true, true, true, false]);
    }

    #[test]
    fn who_greets_makes_way_before_who_wants_nothing_and_who_wants_something_never() {
        let audience = audience(3, 2);
        let enter = |address: &str| audience.enter(SocketAddr::new(address.parse().unwrap(), 1)).unwrap();
        let wanting_nothing = enter("192.0.2.1");
        wanting_nothing.greeted();
        let greeting = enter("192.0.2.1");
        assert!(comes(&audience, "192.0.2.2"));
        let is_there = |who| audience.subscribers().iter().any(|other| Arc::ptr_eq(other, who));
        // Of the same address, then of any.
        assert!(comes(&audience, "192.0.2.1") && is_there(&wanting_nothing) && !is_there(&greeting));
        assert!(comes(&audience, "192.0.2.3") && !is_there(&wanting_nothing));
        assert!(!comes(&audience, "192.0.2.3"));
    }

    #[test]
    fn nobody_waits_at_the_end_for_who_is_still_greeting() {
        let audience = audience(1, 0);
        audience.enter(SocketAddr::new([192, 0, 2, 1].into(), 1)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(audience.close());
        // Who is there still counts as too slow.
        assert!(audience.subscribers().is_empty());
    }
}
