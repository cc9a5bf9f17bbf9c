//! An endpoint that is open is led to other addresses.

use bus::{BusError, Endpoint, Prefixes, State, Subscribe, Subscriber};

use crate::harness::{PATIENCE, Peer, context, endpoint, free_port, receive, subscriber, texts};

fn lead(subscriber: &mut Subscriber, peers: &[&bus::Address]) {
    subscriber.lead(&Endpoint::new("x", peers.iter().copied().cloned())).unwrap();
}

#[test]
fn what_is_new_is_connected_first_what_goes_is_left_and_what_stays_notices_nothing() {
    let context = context();
    let peers = [(); 3].map(|()| Peer::new(zmq::XPUB));
    let at = peers.each_ref().map(Peer::bind);
    let [a, b, c] = &peers;
    let mut subscriber = subscriber(&context, &[&Endpoint::new("x", at[..2].to_vec())]);
    assert_eq!([a.next(), b.next()], ["\u{1}", "\u{1}"]);
    for (old, new, to) in [(a, c, [&at[1], &at[2]]), (c, a, [&at[0], &at[1]])] {
        lead(&mut subscriber, &to);
        assert_eq!(new.next_of(&mut subscriber), "\u{1}");
        assert_eq!(old.next_of(&mut subscriber), "\u{0}");
        b.send(&[b"org", b"stays"]);
        new.send(&[b"org", b"new"]);
        let got = receive(&mut subscriber, 2);
        let mut got = texts(&got);
        got.sort_unstable();
        assert_eq!(got, [("x", "org", "new"), ("x", "org", "stays")]);
    }
    assert_eq!(b.0.poll(zmq::POLLIN, 0), Ok(0), "it was never left");
    let connects = |address: &bus::Address| {
        let endpoint = subscriber.status().endpoint("x").unwrap();
        endpoint.addresses.iter().find(|status| status.address == *address).map(|status| status.connects)
    };
    // Who comes again counts on.
    assert_eq!((connects(&at[0]), connects(&at[1]), connects(&at[2])), (Some(2), Some(1), None));
}

#[test]
fn what_goes_is_left_though_nobody_answers_at_what_is_new() {
    let context = context();
    let peer = Peer::new(zmq::XPUB);
    let at = peer.bind();
    let mut subscriber = subscriber(&context, &[&Endpoint::new("x", [at])]);
    assert_eq!(peer.next(), "\u{1}");
    let dead = format!("tcp://127.0.0.1:{}", free_port());
    let unknown = "tcp://no-such-host.invalid:1".parse().unwrap();
    lead(&mut subscriber, &[&dead.parse().unwrap(), &unknown]);
    assert_eq!(peer.next_of(&mut subscriber), "\u{0}");
    let is_down = |endpoints: &[bus::EndpointStatus]| {
        endpoints[0].addresses.len() == 2
            && endpoints[0].addresses.iter().all(|address| matches!(address.state, State::Down { .. }))
    };
    assert!(subscriber.status().wait(PATIENCE, is_down));
}

#[test]
fn who_is_led_back_at_once_is_connected() {
    let context = context();
    let (a, b) = (Peer::new(zmq::XPUB), Peer::new(zmq::XPUB));
    let (at_a, at_b) = (a.bind(), b.bind());
    let mut subscriber = subscriber(&context, &[&Endpoint::new("x", [at_a.clone()])]);
    assert_eq!(a.next(), "\u{1}");
    for _ in 0..20 {
        lead(&mut subscriber, &[&at_b]);
        lead(&mut subscriber, &[&at_a]);
    }
    let is_there = |endpoints: &[bus::EndpointStatus]| match &*endpoints[0].addresses {
        [only] => only.address == at_a && only.state == State::Connected,
        _ => false,
    };
    assert!(subscriber.status().wait(PATIENCE, is_there), "{:#?}", subscriber.status().snapshot());
    a.send(&[b"org", b"here"]);
    assert_eq!(texts(&receive(&mut subscriber, 1)), [("x", "org", "here")]);
}

#[test]
fn who_is_not_open_or_cannot_be_connected_is_not_led() {
    let context = context();
    let mut subscriber = context.subscriber().unwrap();
    let somewhere = endpoint("x", "tcp://127.0.0.1:1");
    assert!(matches!(subscriber.lead(&somewhere), Err(BusError::NotOpen(_))));
    subscriber.connect(&somewhere, &Prefixes::everything()).unwrap();
    assert!(matches!(subscriber.lead(&endpoint("x", "tcp://*:1")), Err(BusError::Wildcard { .. })));
    assert!(matches!(subscriber.lead(&Endpoint::new("x", [])), Err(BusError::NoAddress(_))));
}
