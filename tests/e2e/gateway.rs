//! The gateway: many subscribers outside, slow ones among them.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use e2e::{
    DEADLINE, Http, Hub, HubBuilder, Process, Scratch, TestPublisher, binary, free_ports, python,
    python_fedmsg, workspace,
};
use serde_json::{Value, json};

fn gateway<'s>(scratch: &'s Scratch, publisher: &TestPublisher, table: &str) -> HubBuilder<'s> {
    Hub::builder(scratch).plugin("gateway").subscribed_to(publisher).config(&format!(
        "log.level = \"info,plugin=debug\"\n[fedmsg.consumers.gateway]\nenabled = true\n{table}"
    ))
}

/// Where the `n`th address is bound.
fn address(hub: &Hub, n: usize) -> String {
    hub.log().wait_until("the gateway is bound", |lines| {
        let line = lines.iter().filter(|line| line.contains("address=tcp://")).nth(n)?;
        let (_, rest) = line.split_once("address=")?;
        Some(rest.split('"').next()?.trim().to_owned())
    })
}

fn wait_for_subscriptions(hub: &Hub, count: usize) {
    hub.log().wait_until("all have subscribed", |lines| {
        (lines.iter().filter(|line| line.contains("subscribed ")).count() >= count).then_some(())
    });
}

#[test]
fn five_hundred_subscribers_get_all_while_stalled_ones_lose_and_are_counted() {
    const READING: usize = 480;
    const STALLED: usize = 20;
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let table =
        "addresses = [\"tcp://*:*\"]\nhigh_water_mark = 1000\nmax_bytes = 1048576\nmax_per_address = 0";
    let mut hub = gateway(&scratch, &publisher, table).start();
    let port = address(&hub, 0).rsplit_once(':').unwrap().1.to_owned();
    let mut command = python();
    command.arg(workspace().join("tests/python/many_subscribers.py"));
    command.args([format!("tcp://127.0.0.1:{port}"), READING.to_string(), STALLED.to_string()]);
    let subscribers = Process::start(&scratch, "subscribers", &mut command);
    wait_for_subscriptions(&hub, READING + STALLED);
    publisher.wait_for_subscriber("");
    let large = json!({"large": "x".repeat(128 * 1024)}).to_string();
    for n in 1..=200 {
        publisher.publish("org.small", &n.to_string());
        publisher.publish("org.large", &large);
    }
    publisher.publish("org.small.end", "201");
    let got: Value = serde_json::from_str(&subscribers.stdout.wait_for("[[")).unwrap();
    let all: Vec<u32> = (1..=201).collect();
    assert_eq!(got, json!([[all, READING]]));
    let said = hub.log().wait_for("messages left out for subscribers that are too slow");
    assert!(said.contains(&format!("subscribers={STALLED}")), "{said}");
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("gateway closed");
    assert!(said.contains("published=401 most_subscribers=500"), "{said}");
    assert!(!said.contains("left_out=0"), "{said}");
    let subscribed = hub.log().all().iter().filter(|line| line.contains("subscribed ")).count();
    assert_eq!(subscribed, READING + STALLED, "somebody was cut off and came again");
}

#[test]
fn what_a_subscriber_that_is_cut_off_has_missed_is_in_the_metrics() {
    const LARGE: usize = 128 * 1024;
    const ALL: u64 = 400;
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let socket = scratch.join("http.sock");
    let table = "addresses = [\"tcp://127.0.0.1:*\"]\nhigh_water_mark = 10\nmax_bytes = 1000000\nstalled_after = \"1s\"";
    let hub = gateway(&scratch, &publisher, table)
        .arguments(&["--set", &format!("http.listen=unix:{}", socket.display())])
        .start();
    // It takes nothing until it is cut off.
    let mut subscriber = subscriber(address(&hub, 0).strip_prefix("tcp://").unwrap());
    wait_for_subscriptions(&hub, 1);
    publisher.wait_for_subscriber("");
    let large = json!({"large": "x".repeat(LARGE)}).to_string();
    for n in 0..ALL / 2 {
        publisher.publish("large", &large);
        publisher.publish("small", &n.to_string());
    }
    let deadline = Instant::now() + DEADLINE;
    let counted = loop {
        let status = Http::Unix(socket.clone()).get("/status").json();
        let gateway = status["consumers"][0].clone();
        if gateway["handled"] == ALL && gateway["counted"]["subscribers_stalled"] == 1 {
            break Http::Unix(socket.clone()).get("/metrics").body;
        }
        assert!(Instant::now() < deadline, "{status}");
    };
    let count = |name: &str| -> u64 {
        let sample = format!("fedmsg_hub_consumer_counted_total{{consumer=\"gateway\",name=\"{name}\"}} ");
        counted.lines().find_map(|line| line.strip_prefix(&sample)).expect(name).parse().unwrap()
    };
    let mut got = Vec::new();
    subscriber.read_to_end(&mut got).unwrap();
    let got = whole_messages(&got[GREETED..]);
    let (by_number, by_size) = (count("messages_over_high_water_mark"), count("messages_over_max_bytes"));
    assert!(by_number + by_size > 0, "{counted}");
    // What was published after it was cut off was not for it.
    assert!(got + by_number + by_size + count("messages_unsent") <= ALL, "{got} and {counted}");
    assert!(count("messages_unsent") > 0, "{counted}");
}

#[test]
fn subscribers_without_number_leave_the_hub_the_files_that_it_needs() {
    const FILES: usize = 256;
    const SIZE: usize = 2048;
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let script = format!("#!/bin/sh\nulimit -n {FILES}\nexec {} \"$@\"\n", binary("fedmsg-hub").display());
    let few_files = scratch.write("few-files", &script);
    std::fs::set_permissions(few_files, Permissions::from_mode(0o755)).unwrap();
    let table = "addresses = [\"tcp://127.0.0.1:*\"]\nmax_per_address = 0";
    let mut hub = gateway(&scratch, &publisher, table)
        .arguments(&["--set", "journal.segment_bytes=65536"])
        .program("few-files")
        .start();
    let said = hub.log().wait_for("`max_subscribers` is lowered");
    assert!(said.contains("max_subscribers=128 configured=4096") && said.contains("LimitNOFILE="), "{said}");
    let address = address(&hub, 0);
    let address = address.strip_prefix("tcp://").unwrap();
    let mut first = subscriber(address);
    wait_for_subscriptions(&hub, 1);
    let _others: Vec<_> = (0..FILES).map(|_| subscriber(address)).collect();
    wait_for_subscriptions(&hub, FILES / 2);
    publisher.wait_for_subscriber("");
    // Several segments, each of which takes a file.
    let body = json!({"large": "x".repeat(SIZE)}).to_string();
    (0..128).for_each(|_| publisher.publish("t", &body));
    first.read_exact(&mut vec![0; 128 * SIZE]).unwrap();
    assert_eq!(hub.stop().code(), Some(0));
    assert!(hub.log().wait_for("gateway closed").contains("most_subscribers=128 "));
}

#[test]
fn what_goes_round_between_two_gateways_is_caught_if_it_has_an_id() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let ports: [u16; 2] = free_ports();
    let [one, other] = ports.map(|port| format!("tcp://127.0.0.1:{port}"));
    let repeats = |hub: HubBuilder<'_>, address: &str, others: &str| {
        hub.plugin("gateway")
            .config(&format!(
                "log.level = \"info,plugin=debug\"\nendpoints.other = \"{others}\"\n\
                 fedmsg.consumers.gateway = {{ enabled = true, addresses = [\"{address}\"] }}"
            ))
            .start()
    };
    let socket = scratch.join("http.sock");
    let first = Hub::builder(&scratch)
        .subscribed_to(&publisher)
        .arguments(&["--set", &format!("http.listen=unix:{}", socket.display())]);
    let mut first = repeats(first, &one, &other);
    let mut second = repeats(Hub::builder(&scratch).name("second"), &other, &one);
    wait_for_subscriptions(&first, 1);
    wait_for_subscriptions(&second, 1);
    publisher.wait_for_subscriber("");
    publisher.publish("t", "{}");
    let deadline = Instant::now() + DEADLINE;
    loop {
        let status = Http::Unix(socket.clone()).get("/status").json();
        if status["intake"]["rejected"]["duplicate"] == 1 {
            break;
        }
        assert!(Instant::now() < deadline, "{status}");
    }
    assert_eq!((first.stop().code(), second.stop().code()), (Some(0), Some(0)));
    for hub in [first, second] {
        assert!(hub.log().wait_for("gateway closed").contains("published=1 "));
    }
}

/// What a publisher answers to a greeting by ZMTP 2.0.
const GREETED: usize = 14;

/// A subscriber to everything that is nothing but a connection. It greets by ZMTP 2.0, which is short.
fn subscriber(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"\xff\0\0\0\0\0\0\0\0\x7f\x01\x02\0\0\0\x01\x01").unwrap();
    stream
}

#[test]
fn a_reload_moves_the_gateway_and_changes_its_high_water_mark() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let ports: [u16; 2] = free_ports();
    let [old, new] = ports.map(|port| format!("127.0.0.1:{port}"));
    let builder = |address: &str, high_water_mark: u32| {
        let table = format!("addresses = [\"tcp://{address}\"]\nhigh_water_mark = {high_water_mark}");
        gateway(&scratch, &publisher, &table).arguments(&["--set", "hub.watch=false"])
    };
    let first = builder(&old, 10);
    let next = [builder(&new, 10), builder(&new, 20)];
    let mut hub = first.start();
    let mut before = subscriber(&old);
    wait_for_subscriptions(&hub, 1);
    for (n, next) in next.iter().enumerate() {
        let done = Process::run(&scratch, "reload", next.command().arg("reload"), "");
        assert_eq!(
            (&*done.stdout, done.status.code()),
            ("changed consumer gateway", Some(0)),
            "{}",
            done.stderr
        );
        // Who was connected is not any more, had all there was, and comes again.
        let mut got = Vec::new();
        before.read_to_end(&mut got).unwrap();
        assert_eq!(whole_messages(&got[GREETED..]), n as u64);
        before = subscriber(&new);
        wait_for_subscriptions(&hub, n + 2);
        publisher.wait_for_subscriber("");
        publisher.publish("t", &n.to_string());
    }
    assert!(TcpStream::connect(&old).is_err());
    assert_eq!(hub.stop().code(), Some(0));
    let mut got = Vec::new();
    before.read_to_end(&mut got).unwrap();
    assert_eq!(whole_messages(&got[GREETED..]), 1);
}

/// How many messages of two frames are whole in what a publisher has sent.
fn whole_messages(mut sent: &[u8]) -> u64 {
    let mut ends = 0;
    while let [flags, rest @ ..] = sent {
        let (length, body) = match (flags & 2 != 0, rest) {
            (true, long) if long.len() >= 8 => {
                (u64::from_be_bytes(long[..8].try_into().unwrap()), &long[8..])
            }
            (false, [short, body @ ..]) => ((*short).into(), body),
            _ => break,
        };
        let Some(next) = body.get(length as usize..) else { break };
        ends += u64::from(flags & 1 == 0);
        sent = next;
    }
    ends
}

#[test]
fn pythons_tail_and_subscribers_by_ipv6_get_the_message_as_it_was_sent() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let table = "addresses = [\"tcp://127.0.0.1:*\", \"tcp://[::1]:*\"]";
    let hub = gateway(&scratch, &publisher, table).start();
    let mut command = python();
    command.arg(workspace().join("tests/python/many_subscribers.py"));
    command.args([&address(&hub, 1), "3", "0"]);
    let subscribers = Process::start(&scratch, "subscribers", &mut command);
    let config = json!({
        "endpoints": {"gateway": [address(&hub, 0)]},
        "relay_inbound": "tcp://127.0.0.1:1",
        "environment": "dev",
        "high_water_mark": 0,
        "zmq_linger": 1000,
        "zmq_enabled": true,
        "zmq_strict": false,
        "post_init_sleep": 0.0,
        "sign_messages": false,
        "validate_signatures": false,
        "logging": {"version": 1, "handlers": {"console": {
            "class": "logging.StreamHandler", "level": "INFO", "stream": "ext://sys.stdout",
        }}, "loggers": {"fedmsg": {"level": "INFO", "propagate": false, "handlers": ["console"]}}},
    });
    let mut tail = python_fedmsg(&scratch, "fedmsg-tail", &config);
    let tail = Process::start(&scratch, "tail", tail.args(["--topic", "org.small"]));
    wait_for_subscriptions(&hub, 4);
    publisher.wait_for_subscriber("");
    publisher.publish("org.small.end", r#"{"text": "snöwman ☃", "n": 1e16}"#);
    let said = tail.stdout.wait_for("snöwman ☃");
    assert!(said.contains("1e+16"), "{said}");
    let got: Value = serde_json::from_str(&subscribers.stdout.wait_for("[[")).unwrap();
    assert_eq!(got, json!([[[{"text": "snöwman ☃", "n": 1e16}], 3]]));
}

#[test]
fn a_hub_that_hears_its_own_gateway_does_not_repeat_what_it_hears() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = format!("addresses = [\"tcp://{free}\"]");
    let mut hub = gateway(&scratch, &publisher, &table)
        .arguments(&["--set", &format!("endpoints.gateway=tcp://{free}")])
        .start();
    wait_for_subscriptions(&hub, 1);
    publisher.wait_for_subscriber("");
    // Without an id, so that it is no duplicate when it comes round.
    publisher.send("t", b"{}");
    hub.log().wait_for("this hub subscribes to the endpoint of its gateway");
    assert_eq!(hub.stop().code(), Some(0));
    assert!(hub.log().wait_for("gateway closed").contains("published=1 "));
}
