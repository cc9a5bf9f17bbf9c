//! A publisher that knows when the hub has subscribed.

use std::time::{Duration, Instant};

use bus::{Address, Context, Endpoint, Options, Publish, Publisher};
use message::{Draft, Topic};

use crate::DEADLINE;

/// A real publisher on a free port of this machine.
pub struct TestPublisher {
    publisher: Publisher,
    address: Address,
    sent: u64,
    /// Drawn anew for each, so that no two publishers send the same message.
    ids: String,
}

impl Default for TestPublisher {
    fn default() -> Self {
        Self::bind("tcp://127.0.0.1:*")
    }
}

impl TestPublisher {
    /// Binds an address.
    pub fn bind(address: &str) -> Self {
        let endpoint = Endpoint::new("test", [address.parse().expect("an address")]);
        let context = Context::new(&Options::default()).expect("a context");
        let (publisher, address) = context.bind_publisher(&endpoint).expect("a free address");
        Self::new(publisher, address)
    }

    /// Connects to a relay.
    pub fn connect(address: &str) -> Self {
        let address: Address = address.parse().expect("an address");
        let context = Context::new(&Options::default()).expect("a context");
        let relay = Endpoint::new("relay", [address.clone()]);
        Self::new(context.connect_publisher(&relay).expect("nobody has to be there"), address)
    }

    fn new(publisher: Publisher, address: Address) -> Self {
        Self { publisher, address, sent: 0, ids: uuid::Uuid::new_v4().to_string() }
    }

    /// Where subscribers find it.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Waits until somebody has subscribed to the topic.
    pub fn wait_for_subscriber(&mut self, topic: &str) {
        assert!(self.publisher.wait_for_subscriber(topic.as_bytes(), DEADLINE), "nobody wants {topic}");
    }

    /// Whether somebody has subscribed to the topic.
    pub fn has_subscriber(&mut self, topic: &str) -> bool {
        self.publisher.wait_for_subscriber(topic.as_bytes(), Duration::ZERO)
    }

    /// Waits until nobody is subscribed to the topic any more: the hub that was has ended, and the next one that
    /// subscribes is another.
    pub fn wait_until_unsubscribed(&mut self, topic: &str) {
        let start = Instant::now();
        while self.has_subscriber(topic) {
            assert!(start.elapsed() < DEADLINE, "somebody still wants {topic}");
            std::thread::yield_now();
        }
    }

    /// Publishes an envelope around `msg`, a JSON text.
    pub fn publish(&mut self, topic: &str, msg: &str) {
        let body = self.compose(topic, msg);
        self.send(topic, &body);
    }

    /// The next message, unsent.
    pub fn compose(&mut self, topic: &str, msg: &str) -> Vec<u8> {
        self.sent += 1;
        let topic = Topic::new(topic).expect("a topic");
        let draft = Draft {
            i: self.sent,
            msg,
            msg_id: &message::msg_id(2026, format!("{}{:012}", &self.ids[..24], self.sent)),
            timestamp: 1_795_216_482,
            topic: &topic,
            username: "test",
        };
        draft.body().expect("JSON")
    }

    /// Publishes any two frames.
    pub fn send(&mut self, topic: &str, body: &[u8]) {
        self.publisher.publish(topic.as_bytes(), body).expect("a bound publisher takes all");
    }
}
