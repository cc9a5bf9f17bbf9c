//! Publishers that are found by DNS, with a real name server whose records change.

use std::process::Command;
use std::time::{Duration, Instant};

use bus::Address;
use e2e::{DEADLINE, Http, Hub, HubBuilder, NameServer, Process, Recorder, Scratch, TestPublisher, binary};
use serde_json::{Value, json};

use crate::interop;

const TOPIC: &str = "org.fedoraproject.dev.test";

fn port(publisher: &TestPublisher) -> u16 {
    match publisher.address() {
        Address::Tcp { port: Some(port), .. } => *port,
        other => panic!("{other}"),
    }
}

/// A hub that looks for the service `bus.test`.
fn hub<'s>(scratch: &'s Scratch, server: &NameServer<'_>, recorder: &Recorder) -> HubBuilder<'s> {
    let listen = format!("http.listen=unix:{}", scratch.join("http.sock").display());
    Hub::builder(scratch)
        .recorder(recorder)
        .arguments(&["--set", &listen])
        .config(&format!("srv_endpoints = [\"bus.test\"]\nzmq.dns_server = \"{}\"", server.address()))
}

/// The hub's addresses once they are as they should become, each as address, state and connections made.
fn addresses(scratch: &Scratch, is_right: impl Fn(&[(String, String, u64)]) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let status = Http::Unix(scratch.join("http.sock")).get("/status").json();
        let all = status["endpoints"][0]["addresses"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all: Vec<_> = all
            .map(|it| (text(&it["address"]), text(&it["state"]), it["connects"].as_u64().unwrap()))
            .collect();
        if is_right(&all) {
            return;
        }
        assert!(Instant::now() < deadline, "{all:?}");
    }
}

fn publish(publisher: &mut TestPublisher, name: &str, numbers: std::ops::Range<usize>) {
    for number in numbers {
        publisher.publish(TOPIC, &json!({"from": name, "number": number}).to_string());
    }
}

/// The numbers that came from a publisher.
fn numbers(records: &[Value], name: &str) -> Vec<u64> {
    let of = records.iter().filter(|record| record["msg"]["from"] == name);
    of.map(|record| record["msg"]["number"].as_u64().unwrap()).collect()
}

#[test]
fn publishers_come_and_go_with_their_records_and_those_that_stay_notice_nothing() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let (mut a, mut b, mut c) =
        (TestPublisher::default(), TestPublisher::default(), TestPublisher::default());
    let mut server = NameServer::start(&scratch, &[("a.test", port(&a)), ("b.test", port(&b))]);
    let hub = hub(&scratch, &server, &recorder).start();
    a.wait_for_subscriber(TOPIC);
    b.wait_for_subscriber(TOPIC);
    publish(&mut a, "a", 0..1000);
    publish(&mut b, "b", 0..1000);
    server.serve(&[("b.test", port(&b)), ("c.test", port(&c))]);
    publish(&mut a, "a", 1000..2000);
    let mut sent = 1000;
    while !c.has_subscriber(TOPIC) {
        publish(&mut b, "b", sent..sent + 1);
        sent += 1;
        // Not faster than the hub.
        recorder.wait_for(2000 + sent - 1);
    }
    publish(&mut c, "c", 0..1000);
    a.wait_until_unsubscribed(TOPIC);
    let records = recorder.wait_for(3000 + sent);
    for (name, count) in [("a", 2000), ("b", sent as u64), ("c", 1000)] {
        assert_eq!(numbers(&records, name), (0..count).collect::<Vec<_>>(), "{name}");
    }
    assert!(records.iter().all(|record| record["endpoint"] == "bus.test"));
    let connected = |host: &str, of: &TestPublisher| {
        (format!("tcp://{host}.test:{}", port(of)), "connected".to_owned(), 1)
    };
    let mut expected =
        vec![("srv://bus.test".to_owned(), "found".to_owned(), 0), connected("b", &b), connected("c", &c)];
    expected.sort();
    addresses(&scratch, |all| {
        let mut all = all.to_vec();
        all.sort();
        all == expected
    });
    hub.log().wait_for("left endpoint=bus.test address=tcp://a.test:");
}

#[test]
fn a_publisher_that_gets_another_name_notices_nothing() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut server = NameServer::start(&scratch, &[("a.test", port(&publisher))]);
    let hub = hub(&scratch, &server, &recorder).start();
    publisher.wait_for_subscriber(TOPIC);
    server.serve(&[("b.test", port(&publisher))]);
    let left = "left endpoint=bus.test address=tcp://a.test:";
    let mut sent = 0;
    while !hub.log().all().iter().any(|line| line.contains(left)) {
        publish(&mut publisher, "it", sent..sent + 1);
        sent += 1;
        recorder.wait_for(sent);
    }
    publish(&mut publisher, "it", sent..sent + 1000);
    assert_eq!(numbers(&recorder.wait_for(sent + 1000), "it"), (0..sent as u64 + 1000).collect::<Vec<_>>());
    let renamed = format!("tcp://b.test:{}", port(&publisher));
    // Its connection is the one that was made under the other name.
    addresses(&scratch, |all| all.contains(&(renamed.clone(), "connected".to_owned(), 0)) && all.len() == 2);
}

#[test]
fn while_no_name_server_answers_the_hub_goes_by_what_it_has_found() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let (mut a, mut b) = (TestPublisher::default(), TestPublisher::default());
    let mut server = NameServer::start(&scratch, &[("a.test", port(&a))]);
    let hub = hub(&scratch, &server, &recorder).start();
    a.wait_for_subscriber(TOPIC);
    server.stop();
    hub.log().wait_for("cannot look the service up again, and go by what was found");
    assert!(a.has_subscriber(TOPIC));
    publish(&mut a, "a", 0..1);
    recorder.wait_for(1);
    addresses(&scratch, |all| all.iter().all(|(_, state, _)| state == "found" || state == "connected"));
    server.serve(&[("a.test", port(&a)), ("b.test", port(&b))]);
    b.wait_for_subscriber(TOPIC);
    publish(&mut a, "a", 1..2);
    assert_eq!(numbers(&recorder.wait_for(2), "a"), [0, 1]);
}

#[test]
fn a_service_that_dns_does_not_know_is_told_of_once_and_found_when_it_is_there() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut server = NameServer::start(&scratch, &[]);
    let hub = hub(&scratch, &server, &recorder).start();
    let said = hub.log().wait_for("the service is not found");
    assert!(said.contains("DNS has no name _fedmsg._tcp.bus.test"), "{said}");
    server.wait_for_questions(3);
    server.serve(&[("a.test", port(&publisher))]);
    publisher.wait_for_subscriber(TOPIC);
    let told = |log: &[String]| log.iter().filter(|line| line.contains("the service is not found")).count();
    assert_eq!(told(&hub.log().all()), 1);
    server.deny();
    publisher.wait_until_unsubscribed(TOPIC);
    addresses(&scratch, |all| matches!(all, [(srv, state, _)] if srv == "srv://bus.test" && state == "down"));
    let status = Http::Unix(scratch.join("http.sock")).get("/status").json();
    let reason = &status["endpoints"][0]["addresses"][0]["reason"];
    assert!(reason.as_str().unwrap().contains("is not available"), "{reason}");
    // The log is written by a thread of its own.
    hub.log().wait_until("it is told again", |log| (told(log) == 2).then_some(()));
}

#[test]
fn our_tail_finds_a_python_relay_by_dns() {
    let bus = interop::Bus::new();
    let _relay = bus.python("fedmsg-relay", &json!({}), &[]);
    let outbound: Address = bus.outbound.parse().unwrap();
    let Address::Tcp { port: Some(port), .. } = outbound else { panic!("{outbound}") };
    let server = NameServer::start(&bus.scratch, &[("a.test", port)]);
    let config = format!("srv_endpoints = [\"bus.test\"]\nzmq.dns_server = \"{}\"", server.address());
    let mut tail = Command::new(binary("fedmsg-tail"));
    tail.env("FEDMSG_CONFIG", bus.scratch.write("tail.toml", &config));
    let tail = Process::start(&bus.scratch, "tail", &mut tail);
    bus.knock(|knock| {
        let came = |all: &[String]| all.iter().find(|line| line.contains(knock)).cloned();
        tail.stdout.wait_within(Duration::from_millis(200), came).is_ok()
    });
}

#[test]
fn the_check_shows_a_service_and_asks_nobody() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let server = NameServer::start(&scratch, &[]);
    let checked = hub(&scratch, &server, &recorder).arguments(&["check"]).run();
    assert!(checked.status.success(), "{}", checked.stderr);
    let line = checked.stdout.lines().find(|line| line.contains("subscribe bus.test"));
    assert!(line.is_some_and(|line| line.ends_with("srv://bus.test")), "{}", checked.stdout);
}

#[test]
fn a_service_cannot_be_bound_or_published_to() {
    let scratch = Scratch::new();
    let relay = |inbound: &str, outbound: &str| {
        Hub::builder(&scratch).plugin("relay").config(&format!(
            r#"
            endpoints.relay_inbound = "{inbound}"
            endpoints.relay_outbound = "{outbound}"
            fedmsg.consumers.relay.enabled = true
            "#
        ))
    };
    let inbound = relay("srv://bus.test", &scratch.ipc("out")).run();
    assert_eq!(inbound.status.code(), Some(3));
    assert!(
        inbound.stderr.contains("endpoints.relay_inbound: cannot bind srv://bus.test: srv:// is only for"),
        "{}",
        inbound.stderr
    );
    let mut logger = Command::new(binary("fedmsg-logger"));
    let config = scratch.write("logger.toml", "endpoints.relay_inbound = \"srv://bus.test\"");
    let logger =
        Process::run(&scratch, "logger", logger.args(["--message", "x"]).env("FEDMSG_CONFIG", config), "");
    assert_eq!(logger.status.code(), Some(3), "{}", logger.stderr);
    assert!(logger.stderr.contains("srv:// is only for subscribing"), "{}", logger.stderr);
}
