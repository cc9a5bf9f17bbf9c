//! What is published gets out, or it is said that it did not.

use std::net::TcpListener;
use std::time::Duration;

use bus::{Address, Endpoint, Prefixes, Publish, PublishError, Subscribe};

use crate::harness::{PATIENCE, Peer, context, endpoint, free_port, meet, publisher, receive, texts};

#[test]
fn a_connected_publisher_says_when_nobody_would_get_the_message() {
    let context = context();
    let mut publisher =
        context.connect_publisher(&endpoint("in", &format!("tcp://127.0.0.1:{}", free_port()))).unwrap();
    assert!(!publisher.wait_for_subscriber(b"org", Duration::from_millis(1)));
    let error = publisher.publish(b"org", b"{}").unwrap_err();
    assert!(matches!(error, PublishError::NotConnected(_)));
    assert!(error.to_string().contains("start the relay"));
    Box::new(publisher).close(Duration::from_secs(1)).unwrap();
}

#[test]
fn a_connected_publisher_waits_for_the_relay_and_its_topics() {
    let context = context();
    let at = endpoint("in", &format!("tcp://localhost:{}", free_port()));
    let mut publisher = context.connect_publisher(&at).unwrap();
    let mut relay = context.subscriber().unwrap();
    relay.bind(&at, &Prefixes::from_iter(["org."])).unwrap();
    meet(&mut publisher, &mut relay, "org.x");
    assert!(!publisher.wait_for_subscriber(b"com.x", Duration::ZERO));
    publisher.publish(b"org.x", b"{}").unwrap();
    Box::new(publisher).close(PATIENCE).unwrap();
    assert_eq!(texts(&receive(&mut relay, 1)), [("in", "org.x", "{}")]);
}

#[test]
fn what_is_published_while_the_relay_is_away_arrives_when_it_is_back() {
    let context = context();
    let mut relay = context.subscriber().unwrap();
    let bound = relay.bind(&endpoint("in", "tcp://127.0.0.1:*"), &Prefixes::everything()).unwrap();
    let at = Endpoint::new("in", bound);
    let mut publisher = context.connect_publisher(&at).unwrap();
    meet(&mut publisher, &mut relay, "org");
    publisher.publish(b"org", b"before").unwrap();
    assert_eq!(texts(&receive(&mut relay, 1)), [("in", "org", "before")]);

    relay.disconnect(&at.name).unwrap();
    // When the publisher comes here, it has seen the end of the old connection, with which messages would be lost.
    let Address::Tcp { port: Some(port), .. } = at.addresses[0] else { unreachable!() };
    let stand_in = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let connection = stand_in.accept().unwrap();
    for number in 0..10 {
        publisher.publish(b"org", number.to_string().as_bytes()).unwrap();
    }
    drop((stand_in, connection));
    relay.bind(&at, &Prefixes::everything()).unwrap();
    let got = receive(&mut relay, 10);
    assert!(texts(&got).iter().enumerate().all(|(number, (_, _, body))| *body == number.to_string()));
    Box::new(publisher).close(PATIENCE).unwrap();
}

#[test]
fn closing_hands_over_everything_to_a_reader_that_begins_only_then() {
    const COUNT: usize = 20_000;
    let context = context();
    for _ in 0..5 {
        let peer = Peer::new(zmq::SUB);
        peer.0.set_rcvhwm(10).unwrap();
        peer.0.set_rcvbuf(4_096).unwrap();
        peer.0.set_subscribe(b"").unwrap();
        let (mut publisher, at) = publisher(&context, "x", "tcp://127.0.0.1:*");
        peer.connect(&at.addresses[0]);
        assert!(publisher.wait_for_subscriber(b"org", PATIENCE));
        for number in 0..COUNT {
            publisher.publish(format!("org.{number}").as_bytes(), b"{\"some\": \"body\"}").unwrap();
        }
        let closing = std::thread::spawn(|| Box::new(publisher).close(PATIENCE));
        for number in 0..COUNT {
            assert_eq!(peer.next(), format!("org.{number}"));
            peer.next();
        }
        closing.join().unwrap().unwrap();
    }
}

#[test]
fn closing_says_when_a_reader_did_not_take_everything_in_time() {
    let context = context();
    let peer = Peer::new(zmq::SUB);
    peer.0.set_rcvhwm(1).unwrap();
    peer.0.set_subscribe(b"").unwrap();
    let (mut publisher, at) = publisher(&context, "x", "tcp://127.0.0.1:*");
    peer.connect(&at.addresses[0]);
    assert!(publisher.wait_for_subscriber(b"org", PATIENCE));
    for _ in 0..30 {
        publisher.publish(b"org", &vec![b'x'; 1_000_000]).unwrap();
    }
    let unsent = Box::new(publisher).close(Duration::from_millis(50)).unwrap_err();
    assert!(unsent.to_string().contains("unsent after 50ms"), "{unsent}");
}

#[test]
fn closing_with_nobody_there_does_not_wait() {
    let context = context();
    let (mut bound, _) = publisher(&context, "x", "tcp://127.0.0.1:*");
    bound.publish(b"org", b"{}").unwrap();
    Box::new(bound).close(Duration::from_secs(3_600)).unwrap();
}
