//! What can be bound, and what is said when it cannot.

use std::error::Error;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use bus::{Address, BusError, Endpoint, Prefixes, Subscribe};

use crate::harness::{Peer, context, endpoint};

#[test]
fn a_busy_port_is_named_with_the_systems_words_and_the_mend() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", holder.local_addr().unwrap());
    let mut subscriber = context().subscriber().unwrap();
    let error = subscriber.bind(&endpoint("relay_inbound", &address), &Prefixes::everything()).unwrap_err();
    let text = error.to_string();
    for part in [&*address, "relay_inbound", "Address already in use (os error 98)", "stop what holds it"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(error.source().is_some());
    assert!(subscriber.status().snapshot().is_empty());
}

#[test]
fn every_address_of_an_endpoint_is_bound_or_none() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy: Address = format!("tcp://{}", holder.local_addr().unwrap()).parse().unwrap();
    let free: Address = "tcp://127.0.0.1:*".parse().unwrap();
    let mut subscriber = context().subscriber().unwrap();

    let two = Endpoint::new("in", [free.clone(), free.clone()]);
    let bound = subscriber.bind(&two, &Prefixes::everything()).unwrap();
    assert_ne!(bound[0], bound[1]);
    for address in &bound {
        let peer = Peer::new(zmq::XPUB);
        peer.connect(address);
        assert_eq!(peer.next_of(&mut subscriber), "\u{1}");
    }
    let half = Endpoint::new("half", [free, busy]);
    assert!(matches!(subscriber.bind(&half, &Prefixes::everything()), Err(BusError::Bind { .. })));
    assert!(matches!(subscriber.bind(&two, &Prefixes::everything()), Err(BusError::AlreadyOpen(_))));
}

#[test]
fn what_was_left_can_be_bound_again_at_once() {
    let context = context();
    let mut subscriber = context.subscriber().unwrap();
    let first = endpoint("in", "tcp://127.0.0.1:*");
    let bound = Endpoint::new("in", subscriber.bind(&first, &Prefixes::everything()).unwrap());
    for _ in 0..20 {
        subscriber.disconnect(&bound.name).unwrap();
        subscriber.bind(&bound, &Prefixes::everything()).unwrap();
    }
}

#[test]
fn a_publisher_takes_the_first_free_address() {
    let context = context();
    let holders = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let busy = holders.map(|holder| {
        let address: Address = format!("tcp://{}", holder.local_addr().unwrap()).parse().unwrap();
        (holder, address)
    });
    let addresses: Vec<Address> = busy.iter().map(|(_, address)| address.clone()).collect();

    let error = context.bind_publisher(&Endpoint::new("out", addresses.clone())).map(drop).unwrap_err();
    let text = error.to_string();
    assert!(addresses.iter().all(|address| text.contains(&address.to_string())), "{text}");

    let [(holder, first), _] = busy;
    drop(holder);
    let (_publisher, bound) = context.bind_publisher(&Endpoint::new("out", addresses)).unwrap();
    assert_eq!(bound, first);
}

#[test]
fn an_ipc_socket_is_taken_over_from_the_dead_and_from_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let at = endpoint("out", &format!("ipc://{}", path.display()));
    let context = context();
    let refused = || context.bind_publisher(&at).map(drop).unwrap_err();

    let alive = UnixListener::bind(&path).unwrap();
    assert!(matches!(refused(), BusError::AllInUse { .. }));
    assert!(path.exists());
    drop(alive);
    drop(context.bind_publisher(&at).unwrap());

    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let at_file = endpoint("out", &format!("ipc://{}", file.display()));
    assert!(matches!(context.bind_publisher(&at_file).map(drop), Err(BusError::AllInUse { .. })));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");

    let nowhere = endpoint("out", &format!("ipc://{}/missing/socket", folder.path().display()));
    let text = context.bind_publisher(&nowhere).map(drop).unwrap_err().to_string();
    assert!(text.contains("create the folder first"), "{text}");
}

#[test]
fn places_that_cannot_be_are_refused_with_the_mend() {
    let context = context();
    let text = |result: Result<(), BusError>| result.unwrap_err().to_string();
    let mut subscriber = context.subscriber().unwrap();
    let everywhere = endpoint("x", "tcp://*:4001");
    assert!(text(subscriber.connect(&everywhere, &Prefixes::everything())).contains("only for binding"));
    assert!(text(context.connect_publisher(&everywhere).map(drop)).contains("only for binding"));
    let elsewhere = endpoint("x", "tcp://192.0.2.1:4001");
    assert!(text(context.bind_publisher(&elsewhere).map(drop)).contains("address that this machine has"));
    let nowhere = Endpoint::new("x", []);
    assert!(text(subscriber.connect(&nowhere, &Prefixes::everything())).contains("has no address"));
}
