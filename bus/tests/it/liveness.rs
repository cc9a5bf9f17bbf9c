//! Endpoints that are down, come up, vanish or are something else cost the others nothing and can be seen.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bus::{Address, Context, DownReason, Options, Publish, State, Subscribe};

use crate::harness::{
    PATIENCE, context, endpoint, free_port, meet, publisher, receive, receive_until, subscriber, texts,
    wait_for_state,
};

#[test]
fn a_name_that_does_not_resolve_costs_the_others_nothing() {
    let context = context();
    let (mut good, at_good) = publisher(&context, "good", "tcp://127.0.0.1:*");
    let mut subscriber =
        subscriber(&context, &[&endpoint("bad", "tcp://no-such-host.invalid:9940"), &at_good]);
    meet(&mut good, &mut subscriber, "org");
    for number in 0..1_000 {
        good.publish(b"org", number.to_string().as_bytes()).unwrap();
    }
    let got = receive(&mut subscriber, 1_000);
    assert!(texts(&got).iter().enumerate().all(|(number, (_, _, body))| *body == number.to_string()));
    let is_unresolvable =
        |state: &State| matches!(state, State::Down { reason: DownReason::Unresolvable(_), .. });
    wait_for_state(&subscriber, "bad", is_unresolvable);
}

#[test]
fn a_name_is_tried_at_each_of_its_addresses() {
    // `localhost` is at least 127.0.0.1; nothing answers there first.
    let context = context();
    let port = free_port();
    let mut subscriber = subscriber(&context, &[&endpoint("x", &format!("tcp://localhost:{port}"))]);
    let is_down = |state: &State| matches!(state, State::Down { reason: DownReason::Unreachable, .. });
    receive_until(&mut subscriber, |subscriber, _| {
        subscriber.status().endpoint("x").is_some_and(|status| is_down(&status.addresses[0].state))
    });
    let (mut late, _) = publisher(&context, "x", &format!("tcp://localhost:{port}"));
    meet(&mut late, &mut subscriber, "org");
    late.publish(b"org", b"late").unwrap();
    assert_eq!(texts(&receive(&mut subscriber, 1)), [("x", "org", "late")]);
}

#[test]
fn an_endpoint_may_be_down_at_first_and_come_and_go() {
    let context = context();
    let at = endpoint("x", &format!("tcp://127.0.0.1:{}", free_port()));
    let mut subscriber = subscriber(&context, &[&at]);
    wait_for_state(&subscriber, "x", |state| {
        matches!(state, State::Down { reason: DownReason::Unreachable, .. })
    });
    for round in 1..=3 {
        let (mut publisher, _) = context.bind_publisher(&at).unwrap();
        wait_for_state(&subscriber, "x", |state| *state == State::Connected);
        meet(&mut publisher, &mut subscriber, "org");
        publisher.publish(b"org", b"here").unwrap();
        assert_eq!(texts(&receive(&mut subscriber, 1)), [("x", "org", "here")]);
        Box::new(publisher).close(PATIENCE).unwrap();
        wait_for_state(&subscriber, "x", |state| {
            matches!(state, State::Down { reason: DownReason::Lost, .. })
        });
        let status = subscriber.status().endpoint("x").unwrap();
        assert_eq!((status.addresses[0].connects, status.addresses[0].disconnects), (round, round));
    }
}

#[test]
fn what_does_not_speak_zeromq_is_told_from_what_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let context = context();
    let subscriber = subscriber(&context, &[&endpoint("web", &address)]);
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").unwrap();
    assert!(stream.read(&mut [0; 64]).is_ok());
    drop(stream);
    wait_for_state(&subscriber, "web", |state| {
        matches!(state, State::Down { reason: DownReason::Handshake, .. })
    });
}

/// A publisher, what tells of connections to it, and its address.
fn watched_peer() -> (zmq::Socket, zmq::Socket, String) {
    let zmq = zmq::Context::new();
    let (peer, monitor) = (zmq.socket(zmq::XPUB).unwrap(), zmq.socket(zmq::PAIR).unwrap());
    peer.set_sndhwm(0).unwrap();
    peer.monitor("inproc://greetings", zmq::SocketEvent::ACCEPTED.to_raw().into()).unwrap();
    monitor.set_rcvtimeo(PATIENCE.as_millis().try_into().unwrap()).unwrap();
    monitor.connect("inproc://greetings").unwrap();
    peer.bind("tcp://127.0.0.1:*").unwrap();
    let address = peer.get_last_endpoint().unwrap().unwrap();
    (peer, monitor, address)
}

/// Greets without much of a pause.
fn eager() -> Context {
    Context::new(&Options { heartbeat_ivl: Duration::from_millis(20), ..Options::default() }).unwrap()
}

/// By libzmq's own heartbeats the receiver's process would end here (docs/decisions/0013-heartbeats.md).
#[test]
fn peers_are_greeted_again_and_again_and_none_is_cut_off_while_the_receiver_is_busy() {
    const COUNT: usize = 20_000;
    let ((peer, monitor, address), context) = (watched_peer(), eager());
    let mut subscriber = subscriber(&context, &[&endpoint("x", &address)]);
    assert_eq!(peer.recv_bytes(0).unwrap(), b"\x01");
    let body = vec![b'x'; 1_000];
    for _ in 0..COUNT {
        peer.send_multipart([&b"org"[..], &body], 0).unwrap();
    }
    // Its own connection, and greetings, while far more waits than there is room for.
    for _ in 0..10 {
        monitor.recv_multipart(0).unwrap();
    }
    receive(&mut subscriber, COUNT);
    let status = subscriber.status().endpoint("x").unwrap();
    assert_eq!((status.addresses[0].connects, status.addresses[0].disconnects), (1, 0));
}

#[test]
fn a_peer_that_two_endpoints_lead_to_is_greeted_too() {
    let ((_peer, monitor, address), context) = (watched_peer(), eager());
    let subscriber = subscriber(&context, &[&endpoint("x", &address), &endpoint("y", &address)]);
    for name in ["x", "y"] {
        wait_for_state(&subscriber, name, |state| *state == State::Connected);
    }
    // Two are theirs.
    for _ in 0..5 {
        monitor.recv_multipart(0).unwrap();
    }
}

/// A publisher that speaks ZMTP 2.0, as libzmq 3.2 does: no mechanism, and nothing that libzmq would take for a handshake.
fn speak_zmtp_2(publisher: &TcpListener, body: &[u8]) -> TcpStream {
    let (mut stream, _) = publisher.accept().unwrap();
    let (signature, revision, kind, identity) = (b"\xff\0\0\0\0\0\0\0\x01\x7f", b"\x01", b"\x01", b"\0\0");
    stream.write_all(&[&signature[..], revision, kind, identity].concat()).unwrap();
    stream.write_all(&[b"\x01\x03org\0", &[body.len() as u8][..], body].concat()).unwrap();
    stream
}

#[test]
fn who_speaks_an_old_zeromq_is_connected_once_it_publishes_and_is_not_greeted() {
    let publisher = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp://{}", publisher.local_addr().unwrap());
    let context = eager();
    let mut subscriber = subscriber(&context, &[&endpoint("old", &at)]);
    for round in 1..=2 {
        let stream = speak_zmtp_2(&publisher, b"here");
        assert_eq!(texts(&receive(&mut subscriber, 1)), [("old", "org", "here")]);
        wait_for_state(&subscriber, "old", |state| *state == State::Connected);
        drop(stream);
        wait_for_state(&subscriber, "old", |state| {
            matches!(state, State::Down { reason: DownReason::Lost, .. })
        });
        let status = subscriber.status().endpoint("old").unwrap();
        assert_eq!((status.addresses[0].connects, status.addresses[0].disconnects), (round, round));
    }
}

#[test]
fn who_takes_a_connection_and_says_nothing_is_not_connected() {
    let publisher = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp://{}", publisher.local_addr().unwrap());
    let (context, (_peer, monitor, other)) = (eager(), watched_peer());
    let subscriber = subscriber(&context, &[&endpoint("mute", &at), &endpoint("x", &other)]);
    let _stream = publisher.accept().unwrap();
    // Its own connection, and greetings, among which those of the mute one would be.
    for _ in 0..10 {
        monitor.recv_multipart(0).unwrap();
    }
    let status = subscriber.status().endpoint("mute").unwrap();
    assert_eq!((&status.addresses[0].state, status.addresses[0].connects), (&State::Connecting, 0));
}

/// The timer of a connection in `/proc/net/tcp`: its kind and the hundredths of a second until it fires.
fn tcp_timer(local: Option<u16>, remote: Option<u16>) -> Option<(String, u64)> {
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let has_port =
        |field: &str, port: Option<u16>| port.is_none_or(|port| field.ends_with(&format!(":{port:04X}")));
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_established = fields[3] == "01";
        let (kind, when) = fields[5].split_once(':')?;
        (is_established && has_port(fields[1], local) && has_port(fields[2], remote))
            .then(|| (kind.to_owned(), u64::from_str_radix(when, 16).unwrap()))
    })
}

/// The bundled libzmq is built without keepalive unless told otherwise (see .cargo/config.toml), and says nothing.
#[test]
fn tcp_connections_really_have_the_keepalive_that_was_asked_for() {
    let idle = Duration::from_secs(1_000);
    let context = Context::new(&Options { tcp_keepalive_idle: idle, ..Options::default() }).unwrap();
    let (mut publisher, at) = publisher(&context, "x", "tcp://127.0.0.1:*");
    let mut subscriber = subscriber(&context, &[&at]);
    meet(&mut publisher, &mut subscriber, "org");
    publisher.publish(b"org", b"1").unwrap();
    receive(&mut subscriber, 1);
    let Address::Tcp { port, .. } = at.addresses[0] else { unreachable!() };
    for (local, remote) in [(port, None), (None, port)] {
        // While data is on its way, another timer is shown.
        let deadline = std::time::Instant::now() + PATIENCE;
        let when = loop {
            match tcp_timer(local, remote) {
                Some((kind, when)) if kind == "02" && when > 1_000 => break when,
                timer => assert!(std::time::Instant::now() < deadline, "no keepalive timer: {timer:?}"),
            }
            thread::yield_now();
        };
        // The system's own idle time is 7200 seconds.
        assert!((50_000..=100_100).contains(&when), "{when}");
    }
}

/// Leads one connection to a publisher, and refuses others, as one that is out of open files or a full gateway.
fn narrow_gateway(to: &str) -> String {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, to) = (format!("tcp://{}", door.local_addr().unwrap()), to.replace("tcp://", ""));
    thread::spawn(move || {
        let (outside, _) = door.accept().unwrap();
        drop(door);
        let inside = TcpStream::connect(to).unwrap();
        let (mut there, mut back) = (outside.try_clone().unwrap(), inside.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut there, &mut back));
        std::io::copy(&mut &inside, &mut &outside)
    });
    address
}

#[test]
fn who_takes_no_further_connection_is_responsive_as_long_as_it_publishes() {
    let (peer, _monitor, address) = watched_peer();
    let patient = Options { heartbeat_ivl: Duration::from_millis(200), ..Options::default() };
    let context = Context::new(&patient).unwrap();
    let mut subscriber = subscriber(&context, &[&endpoint("x", &narrow_gateway(&address))]);
    assert_eq!(peer.recv_bytes(0).unwrap(), b"\x01");
    let is_unresponsive = |state: &State| matches!(state, State::Unresponsive { .. });
    wait_for_state(&subscriber, "x", is_unresponsive);
    receive_until(&mut subscriber, |subscriber, _| {
        peer.send_multipart([&b"org"[..], b"here"], 0).unwrap();
        subscriber.status().endpoint("x").is_some_and(|it| it.addresses[0].state == State::Connected)
    });
    wait_for_state(&subscriber, "x", is_unresponsive);
    let status = subscriber.status().endpoint("x").unwrap();
    assert_eq!((status.addresses[0].connects, status.addresses[0].disconnects), (1, 0));
}
