//! Messages come in whole, in order, and knowing where from.

use std::time::Duration;

use bus::{BATCH_BYTES, BusError, Frames, Options, Prefixes, Publish, State, Subscribe};

use crate::harness::{PATIENCE, Peer, context, endpoint, meet, publisher, receive, subscriber, texts};

#[test]
fn a_message_knows_the_endpoint_it_came_by() {
    let context = context();
    let (mut a, at_a) = publisher(&context, "a", "tcp://127.0.0.1:*");
    let (mut b, at_b) = publisher(&context, "b", "tcp://127.0.0.1:*");
    let mut subscriber = subscriber(&context, &[&at_a, &at_b]);
    meet(&mut a, &mut subscriber, "org.a");
    meet(&mut b, &mut subscriber, "org.b");
    a.publish(b"org.a", b"1").unwrap();
    b.publish(b"org.b", b"2").unwrap();
    let got = receive(&mut subscriber, 2);
    let mut got = texts(&got);
    got.sort_unstable();
    assert_eq!(got, [("a", "org.a", "1"), ("b", "org.b", "2")]);
}

#[test]
fn one_endpoint_may_have_several_addresses() {
    let context = context();
    let (mut a, mut both) = publisher(&context, "ab", "tcp://127.0.0.1:*");
    let (mut b, at_b) = publisher(&context, "ab", "tcp://127.0.0.1:*");
    both.addresses.extend(at_b.addresses);
    let mut subscriber = subscriber(&context, &[&both]);
    meet(&mut a, &mut subscriber, "org.a");
    meet(&mut b, &mut subscriber, "org.b");
    a.publish(b"org.a", b"1").unwrap();
    b.publish(b"org.b", b"2").unwrap();
    let got = receive(&mut subscriber, 2);
    assert!(texts(&got).iter().all(|(name, ..)| *name == "ab"));
    let status = subscriber.status().endpoint("ab").unwrap();
    assert!(status.addresses.iter().all(|address| address.state == State::Connected), "{status:#?}");
    assert_eq!((status.messages, status.bytes), (2, 12));
    assert!(status.last_message.is_some());
}

#[test]
fn every_transport_carries_messages() {
    let folder = tempfile::tempdir().unwrap();
    let ipc = format!("ipc://{}/socket", folder.path().display());
    for address in
        ["tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://localhost:*", &ipc, "inproc://every-transport"]
    {
        let context = context();
        let (mut publisher, at) = publisher(&context, "x", address);
        let mut subscriber = subscriber(&context, &[&at]);
        meet(&mut publisher, &mut subscriber, "org");
        publisher.publish(b"org", address.as_bytes()).unwrap();
        assert_eq!(texts(&receive(&mut subscriber, 1)), [("x", "org", address)]);
        let status = subscriber.status().endpoint("x").unwrap();
        assert_eq!(status.addresses[0].state, State::Connected, "{address}");
    }
}

#[test]
fn publishers_hold_back_what_no_prefix_wants() {
    let context = context();
    let peer = Peer::new(zmq::XPUB);
    let at = bus::Endpoint::new("x", [peer.bind()]);
    let mut subscriber = context.subscriber().unwrap();
    let prefixes = Prefixes::from_iter(["org.b", "org.a", "org.a.more", "org.a"]);
    subscriber.connect(&at, &prefixes).unwrap();
    assert_eq!([peer.next(), peer.next()], ["\u{1}org.a", "\u{1}org.b"]);

    subscriber.set_prefixes(&at.name, &Prefixes::from_iter(["org.b", "org.c"])).unwrap();
    assert_eq!([peer.next(), peer.next()], ["\u{1}org.c", "\u{0}org.a"]);
    for topic in ["org.a", "org.b", "org.c"] {
        peer.send(&[topic.as_bytes(), b"{}"]);
    }
    assert_eq!(texts(&receive(&mut subscriber, 2)), [("x", "org.b", "{}"), ("x", "org.c", "{}")]);

    subscriber.disconnect(&at.name).unwrap();
    let mut left = [peer.next(), peer.next()];
    left.sort();
    assert_eq!(left, ["\u{0}org.b", "\u{0}org.c"]);
    assert!(matches!(subscriber.disconnect(&at.name), Err(BusError::NotOpen(_))));
}

#[test]
fn bound_and_connected_endpoints_have_their_own_prefixes() {
    let context = context();
    let peer = Peer::new(zmq::XPUB);
    let mut subscriber = context.subscriber().unwrap();
    let bound = subscriber.bind(&endpoint("in", "tcp://127.0.0.1:*"), &Prefixes::everything()).unwrap();
    subscriber.connect(&bus::Endpoint::new("out", [peer.bind()]), &Prefixes::from_iter(["org"])).unwrap();
    assert_eq!(peer.next(), "\u{1}org");
    let inbound = Peer::new(zmq::XPUB);
    inbound.connect(&bound[0]);
    assert_eq!(inbound.next_of(&mut subscriber), "\u{1}");
    inbound.send(&[b"com", b"{}"]);
    assert_eq!(texts(&receive(&mut subscriber, 1)), [("in", "com", "{}")]);
    let status = subscriber.status().endpoint("in").unwrap();
    assert_eq!((&status.addresses[0].state, status.addresses[0].connects), (&State::Bound, 1));
}

#[test]
fn frames_in_another_number_are_counted_and_the_old_single_frame_is_split() {
    let context = context();
    let peer = Peer::new(zmq::XPUB);
    let mut subscriber = subscriber(&context, &[&bus::Endpoint::new("x", [peer.bind()])]);
    assert_eq!(peer.next(), "\u{1}");
    peer.send(&[b"alone"]);
    peer.send(&[b"one", b"two", b"three"]);
    peer.send(&[b"1", b"2", b"3", b"4"]);
    peer.send(&[b"topic\0body\0more"]);
    peer.send(&[b"", b""]);
    let got: Vec<_> = receive(&mut subscriber, 5).into_iter().map(|incoming| incoming.frames).collect();
    let message = |topic: &'static [u8], body: &'static [u8]| Frames::Message {
        topic: bytes::Bytes::from_static(topic),
        body: bytes::Bytes::from_static(body),
    };
    assert_eq!(
        got,
        [
            Frames::Malformed { count: 1, bytes: 5 },
            Frames::Malformed { count: 3, bytes: 11 },
            Frames::Malformed { count: 4, bytes: 4 },
            message(b"topic", b"body\0more"),
            message(b"", b""),
        ]
    );
}

#[test]
fn a_hundred_thousand_messages_arrive_complete_and_in_order() {
    const COUNT: usize = 100_000;
    let context = context();
    let (mut publisher, at) = publisher(&context, "x", "tcp://127.0.0.1:*");
    let mut subscriber = subscriber(&context, &[&at]);
    assert!(publisher.wait_for_subscriber(b"org", PATIENCE));
    let sender = std::thread::spawn(move || {
        for number in 0..COUNT {
            publisher.publish(b"org", number.to_string().as_bytes()).unwrap();
        }
        Box::new(publisher).close(PATIENCE)
    });
    let got = receive(&mut subscriber, COUNT);
    sender.join().unwrap().unwrap();
    for (number, (_, _, body)) in texts(&got).into_iter().enumerate() {
        assert_eq!(body, number.to_string());
    }
    assert_eq!(got.len(), COUNT);
}

#[test]
fn a_body_of_fifty_megabytes_arrives_unchanged() {
    let context = context();
    let (mut publisher, at) = publisher(&context, "x", "tcp://127.0.0.1:*");
    let mut subscriber = subscriber(&context, &[&at]);
    let body: Vec<u8> = (0..50_000_000_u32).map(|i| (i % 251) as u8).collect();
    assert!(publisher.wait_for_subscriber(b"org", PATIENCE));
    publisher.publish(b"org", &body).unwrap();
    let got = receive(&mut subscriber, 1);
    assert!(matches!(&got[0].frames, Frames::Message { body: got, .. } if *got == body));
}

#[test]
fn a_frame_beyond_the_limit_ends_its_connection_and_nothing_else() {
    let context = bus::Context::new(&Options { max_message_size: 1_000, ..Options::default() }).unwrap();
    let hostile = Peer::new(zmq::XPUB);
    let (mut good, at_good) = publisher(&context, "good", "tcp://127.0.0.1:*");
    let mut subscriber = subscriber(&context, &[&bus::Endpoint::new("bad", [hostile.bind()]), &at_good]);
    assert_eq!(hostile.next(), "\u{1}");
    meet(&mut good, &mut subscriber, "org");
    hostile.send(&[b"org", &[b'x'; 1_001]]);
    // The connection ends with the subscription, and is made anew.
    assert_eq!(hostile.next_of(&mut subscriber), "\u{0}");
    assert_eq!(hostile.next_of(&mut subscriber), "\u{1}");
    hostile.send(&[b"org", b"small"]);
    good.publish(b"org", b"good").unwrap();
    let got = receive(&mut subscriber, 2);
    let mut got = texts(&got);
    got.sort_unstable();
    assert_eq!(got, [("bad", "org", "small"), ("good", "org", "good")]);
}

#[test]
fn a_flood_on_one_endpoint_does_not_starve_another() {
    let context = context();
    let (mut loud, at_loud) = publisher(&context, "loud", "inproc://loud");
    let (mut quiet, at_quiet) = publisher(&context, "quiet", "inproc://quiet");
    let mut subscriber = subscriber(&context, &[&at_loud, &at_quiet]);
    meet(&mut loud, &mut subscriber, "org");
    meet(&mut quiet, &mut subscriber, "org");
    for number in 0..1_000 {
        loud.publish(b"org", number.to_string().as_bytes()).unwrap();
    }
    quiet.publish(b"org", b"quiet").unwrap();
    let mut got = Vec::new();
    while got.is_empty() {
        subscriber.receive(&mut got, 10, PATIENCE).unwrap();
    }
    assert_eq!(got.len(), 10);
    assert_eq!(texts(&got).iter().filter(|(name, ..)| *name == "quiet").count(), 1);
}

#[test]
fn large_messages_come_a_few_at_a_time() {
    let context = context();
    let (mut publisher, at) = publisher(&context, "large", "inproc://large");
    let mut subscriber = subscriber(&context, &[&at]);
    meet(&mut publisher, &mut subscriber, "org");
    let body = vec![b'x'; BATCH_BYTES / 2];
    for _ in 0..5 {
        publisher.publish(b"org", &body).unwrap();
    }
    let counts = [(); 3].map(|()| {
        let mut got = Vec::new();
        subscriber.receive(&mut got, 256, PATIENCE).unwrap();
        got.len()
    });
    assert_eq!(counts, [2, 2, 1]);
}

#[test]
fn a_blocked_receive_returns_when_another_thread_wakes_it() {
    let context = context();
    let (_publisher, at) = publisher(&context, "x", "tcp://127.0.0.1:*");
    let mut subscriber = subscriber(&context, &[&at]);
    let waker = subscriber.waker();
    let (done, is_done) = std::sync::mpsc::channel();
    let receiver = std::thread::spawn(move || {
        let mut got = Vec::new();
        // Without a wake-up it would never return.
        while is_done.try_recv().is_err() {
            subscriber.receive(&mut got, 256, Duration::MAX).unwrap();
        }
        got.len()
    });
    done.send(()).unwrap();
    waker.wake();
    assert_eq!(receiver.join().unwrap(), 0);
}
