//! The gateway: many subscribers outside, slow ones among them.

use e2e::{Hub, HubBuilder, Process, Scratch, TestPublisher, python, python_fedmsg, workspace};
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
    let table = "addresses = [\"tcp://*:*\"]\nhigh_water_mark = 1000\nmax_bytes = 1048576";
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
