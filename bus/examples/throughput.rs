//! Messages a second through a [`bus::Subscriber`] beside a raw SUB socket: `cargo run -p bus --release --example
//! throughput [BYTES] [MESSAGES]`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use std::thread;
use std::time::{Duration, Instant};

use bus::{Context, Endpoint, Options, Prefixes, Subscribe};

const TOPIC: &[u8] = b"org.fedoraproject.prod.bodhi.update.comment";

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().unwrap());
    let size = arguments.next().unwrap_or(1024);
    let count = arguments.next().unwrap_or(500_000);
    println!("{count} messages of {size} bytes, messages a second");
    for round in 1..=5 {
        let raw = measure(size, count, receive_raw);
        let ours = measure(size, count, receive_ours);
        println!("round {round}: raw {raw:>8.0}  bus {ours:>8.0}  ratio {:.2}", ours / raw);
    }
}

fn measure(size: usize, count: usize, receive: fn(&str, usize) -> Duration) -> f64 {
    let publisher = zmq::Context::new().socket(zmq::XPUB).unwrap();
    publisher.set_sndhwm(0).unwrap();
    publisher.bind("tcp://127.0.0.1:*").unwrap();
    let address = publisher.get_last_endpoint().unwrap().unwrap();
    let receiver = thread::spawn(move || receive(&address, count));
    publisher.recv_msg(0).unwrap();
    let body = vec![b'x'; size];
    for _ in 0..count {
        publisher.send(TOPIC, zmq::SNDMORE).unwrap();
        publisher.send(&body[..], 0).unwrap();
    }
    count as f64 / receiver.join().unwrap().as_secs_f64()
}

fn receive_raw(address: &str, count: usize) -> Duration {
    let socket = zmq::Context::new().socket(zmq::SUB).unwrap();
    socket.set_rcvhwm(10_000).unwrap();
    socket.set_subscribe(b"").unwrap();
    socket.connect(address).unwrap();
    let (mut topic, mut body) = (zmq::Message::new(), zmq::Message::new());
    let mut start = None;
    for _ in 0..count {
        socket.recv(&mut topic, 0).unwrap();
        socket.recv(&mut body, 0).unwrap();
        start.get_or_insert_with(Instant::now);
    }
    start.unwrap().elapsed()
}

fn receive_ours(address: &str, count: usize) -> Duration {
    let context = Context::new(&Options::default()).unwrap();
    let mut subscriber = context.subscriber().unwrap();
    let endpoint = Endpoint::new("x", [address.parse().unwrap()]);
    subscriber.connect(&endpoint, &Prefixes::everything()).unwrap();
    let mut batch = Vec::with_capacity(256);
    let (mut received, mut start) = (0, None);
    while received < count {
        subscriber.receive(&mut batch, 256, Duration::from_secs(1)).unwrap();
        received += batch.drain(..).len();
        if received > 0 {
            start.get_or_insert_with(Instant::now);
        }
    }
    start.unwrap().elapsed()
}
