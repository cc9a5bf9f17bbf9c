//! A publisher, and subscribers that are nothing but a TCP connection. libzmq's own are in the end-to-end tests.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use super::*;
use crate::tally::Count;

const LIMITS: Limits = Limits {
    messages: 10_000,
    bytes: usize::MAX,
    total_bytes: usize::MAX,
    subscribers: 2,
    per_address: 0,
    stalled_after: Duration::from_secs(60),
};

/// An old subscriber (ZMTP 2.0), whose greeting is short, and which wants everything.
const GREETING: &[u8] = b"\xff\0\0\0\0\0\0\0\0\x7f\x01\x02\0\0\0\x01\x01";
const GREETED: usize = 14;

/// What a publisher has counted.
type Counts = Arc<Mutex<Vec<(Count, u64)>>>;

fn open(limits: Limits) -> (Publisher, SocketAddr, Counts) {
    let address = Address::try_from("tcp://127.0.0.1:*".to_owned()).unwrap();
    let counts = Counts::default();
    let counted = Arc::clone(&counts);
    let counter = Box::new(move |what, n| counted.lock().unwrap().push((what, n)));
    let publisher = Publisher::open(&[address], limits, counter).unwrap();
    let bound = publisher.bound()[0];
    (publisher, bound, counts)
}

/// What it has counted of this kind.
fn sum(counts: &Counts, what: Count) -> u64 {
    counts.lock().unwrap().iter().filter(|(counted, _)| *counted == what).map(|(_, n)| n).sum()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// A subscriber whose subscription has come: it has the answer to a ping that it sent after it.
fn subscriber(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(GREETING).unwrap();
    stream.write_all(b"\x04\x0a\x04PING\0\x64abc").unwrap();
    let mut answer = [0; GREETED + 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[GREETED..], b"\x04\x08\x04PONGabc");
    stream
}

fn message(size: usize) -> Vec<Outgoing> {
    vec![Outgoing::new("t", &vec![b' '; size])]
}

/// Reads to the end, however the other end hung up.
fn drain(mut stream: TcpStream) -> usize {
    let mut all = Vec::new();
    if let Err(error) = stream.read_to_end(&mut all) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    all.len()
}

#[test]
fn what_waits_at_the_end_is_still_sent() {
    let (publisher, address, counts) = open(LIMITS);
    let stream = subscriber(address);
    for _ in 0..1000 {
        publisher.publish(message(100)).unwrap();
    }
    publisher.close();
    assert_eq!(drain(stream), 1000 * (3 + 2 + 100));
    assert!(counts.lock().unwrap().is_empty());
}

#[test]
fn who_takes_nothing_is_disconnected_and_others_get_all_meanwhile() {
    let (publisher, address, counts) = open(Limits { stalled_after: Duration::from_millis(50), ..LIMITS });
    let stalled = subscriber(address);
    let mut reading = subscriber(address);
    let large = message(1024 * 1024);
    let size = large[0].frames().len();
    let reader = thread::spawn(move || {
        for _ in 0..64 {
            reading.read_exact(&mut vec![0; size]).unwrap();
        }
        reading
    });
    for _ in 0..64 {
        publisher.publish(message(1024 * 1024)).unwrap();
    }
    let reading = reader.join().unwrap();
    // The place of the one that was disconnected is free for another.
    while stalled_place_is_taken(address) {
        thread::yield_now();
    }
    let got = drain(stalled) / size;
    assert_eq!(sum(&counts, Count::Stalled), 1);
    // What was published after it was cut off was not for it.
    assert!((1..=64 - got).contains(&(sum(&counts, Count::Unsent) as usize)), "{:?}", counts.lock().unwrap());
    publisher.close();
    drain(reading);
}

#[test]
fn all_who_are_behind_share_what_memory_there_is() {
    let (publisher, address, counts) = open(Limits { total_bytes: 4 * 1024 * 1024, ..LIMITS });
    let stalled = [subscriber(address), subscriber(address)];
    let large = || message(1024 * 1024);
    let size = large()[0].frames().len();
    for _ in 0..64 {
        publisher.publish(large()).unwrap();
    }
    publisher.close();
    let got: usize = stalled.into_iter().map(|stream| drain(stream) / size).sum();
    let left_out = sum(&counts, Count::OverMaxTotalBytes) as usize;
    assert!(left_out > 0 && sum(&counts, Count::Unsent) <= 2 * 5, "{:?}", counts.lock().unwrap());
    assert_eq!(got + left_out + sum(&counts, Count::Unsent) as usize, 2 * 64);
}

fn stalled_place_is_taken(address: SocketAddr) -> bool {
    let mut stream = connect(address);
    stream.read_exact(&mut [0; 1]).is_err()
}

#[test]
fn more_subscribers_than_allowed_are_refused() {
    let (publisher, address, counts) = open(LIMITS);
    let (first, second) = (subscriber(address), subscriber(address));
    assert_eq!(drain(connect(address)), 0);
    publisher.publish(message(1)).unwrap();
    publisher.close();
    assert_eq!((drain(first), drain(second)), (6, 6));
    assert_eq!(*counts.lock().unwrap(), [(Count::OverMaxSubscribers, 1)]);
}

#[test]
fn who_subscribes_to_nothing_is_disconnected() {
    let (publisher, address, counts) = open(Limits { stalled_after: Duration::from_millis(50), ..LIMITS });
    let mut idle = connect(address);
    let (greeting, _subscription) = GREETING.split_at(GREETING.len() - 3);
    idle.write_all(greeting).unwrap();
    assert_eq!(drain(idle), GREETED);
    // As little as who has cancelled what it wanted.
    let mut cancelled = subscriber(address);
    cancelled.write_all(b"\0\x01\0").unwrap();
    assert_eq!(drain(cancelled), 0);
    publisher.close();
    assert_eq!(*counts.lock().unwrap(), [(Count::Idle, 1); 2]);
}

#[test]
fn who_does_not_greet_makes_way_for_a_subscriber() {
    let (publisher, address, counts) = open(LIMITS);
    let silent = [(); 2].map(|()| connect(address));
    let subscribers = [(); 2].map(|()| subscriber(address));
    publisher.publish(message(1)).unwrap();
    publisher.close();
    assert_eq!(subscribers.map(drain), [6, 6]);
    // They have heard the beginning of a greeting.
    silent.into_iter().for_each(|silent| assert!(drain(silent) < GREETED));
    assert_eq!(*counts.lock().unwrap(), [(Count::Displaced, 1); 2]);
}
