//! What the tests share: patience, endpoints, raw ZeroMQ peers.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use bus::{
    Address, Context, Endpoint, Frames, Incoming, Options, Prefixes, Publish, Publisher, State, Subscribe,
    Subscriber,
};

/// How long what must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn context() -> Context {
    Context::new(&Options::default()).unwrap()
}

pub(crate) fn endpoint(name: &str, address: &str) -> Endpoint {
    Endpoint::new(name, [address.parse().unwrap()])
}

/// A publisher bound to the address, and an endpoint that leads to it.
pub(crate) fn publisher(context: &Context, name: &str, address: &str) -> (Publisher, Endpoint) {
    let (publisher, bound) = context.bind_publisher(&endpoint(name, address)).unwrap();
    (publisher, Endpoint::new(name, [bound]))
}

/// A subscriber to everything of these endpoints.
pub(crate) fn subscriber(context: &Context, endpoints: &[&Endpoint]) -> Subscriber {
    let mut subscriber = context.subscriber().unwrap();
    for endpoint in endpoints {
        subscriber.connect(endpoint, &Prefixes::everything()).unwrap();
    }
    subscriber
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Receives until the condition holds.
pub(crate) fn receive_until(
    subscriber: &mut Subscriber,
    mut done: impl FnMut(&Subscriber, &[Incoming]) -> bool,
) -> Vec<Incoming> {
    let deadline = Instant::now() + PATIENCE;
    let mut got = Vec::new();
    while !done(subscriber, &got) {
        assert!(Instant::now() < deadline, "gave up at {} messages, {:#?}", got.len(), subscriber.status());
        subscriber.receive(&mut got, 256, Duration::from_millis(20)).unwrap();
    }
    got
}

pub(crate) fn receive(subscriber: &mut Subscriber, count: usize) -> Vec<Incoming> {
    receive_until(subscriber, |_, got| got.len() >= count)
}

/// Endpoint, topic and body of each message.
pub(crate) fn texts(messages: &[Incoming]) -> Vec<(&str, &str, &str)> {
    messages
        .iter()
        .map(|incoming| match &incoming.frames {
            Frames::Message { topic, body } => (
                incoming.endpoint.as_str(),
                std::str::from_utf8(topic).unwrap(),
                std::str::from_utf8(body).unwrap(),
            ),
            frames @ Frames::Malformed { .. } => panic!("{frames:?}"),
        })
        .collect()
}

/// Waits, receiving nothing, until the endpoint's only address is in such a state.
pub(crate) fn wait_for_state(subscriber: &Subscriber, name: &str, wanted: impl Fn(&State) -> bool) {
    let status = subscriber.status();
    let is_there = status.wait(PATIENCE, |endpoints| {
        endpoints
            .iter()
            .any(|endpoint| endpoint.name.as_str() == name && wanted(&endpoint.addresses[0].state))
    });
    assert!(is_there, "{:#?}", status.snapshot());
}

/// Waits until the publisher knows what the subscriber wants.
///
/// A socket answers for its own part only while its thread uses it, so the subscriber must receive meanwhile.
pub(crate) fn meet(publisher: &mut Publisher, subscriber: &mut Subscriber, topic: &str) {
    receive_until(subscriber, |_, got| {
        assert!(got.is_empty());
        publisher.wait_for_subscriber(topic.as_bytes(), Duration::ZERO)
    });
}

/// A ZeroMQ socket of its own context, as another program would have it.
pub(crate) struct Peer(pub(crate) zmq::Socket);

impl Peer {
    pub(crate) fn new(kind: zmq::SocketType) -> Self {
        let socket = zmq::Context::new().socket(kind).unwrap();
        socket.set_rcvtimeo(PATIENCE.as_millis().try_into().unwrap()).unwrap();
        socket.set_linger(0).unwrap();
        Self(socket)
    }

    pub(crate) fn bind(&self) -> Address {
        self.0.bind("tcp://127.0.0.1:*").unwrap();
        self.0.get_last_endpoint().unwrap().unwrap().parse().unwrap()
    }

    pub(crate) fn connect(&self, address: &Address) {
        self.0.connect(&address.to_string()).unwrap();
    }

    /// The next frame, as text; a subscription begins with 1 and an end of one with 0.
    pub(crate) fn next(&self) -> String {
        String::from_utf8(self.0.recv_bytes(0).unwrap()).unwrap()
    }

    /// The next frame, while the subscriber receives nothing.
    pub(crate) fn next_of(&self, subscriber: &mut Subscriber) -> String {
        receive_until(subscriber, |_, got| {
            assert!(got.is_empty());
            self.0.poll(zmq::POLLIN, 0).unwrap() > 0
        });
        self.next()
    }

    pub(crate) fn send(&self, frames: &[&[u8]]) {
        self.0.send_multipart(frames.iter().map(|frame| frame.to_vec()), 0).unwrap();
    }
}
