//! Where plugins publish, and where the relay listens, changes while messages flow.

use std::time::Instant;

use bus::{Context, Endpoint, Frames, Incoming, Options, Prefixes, Subscribe, Subscriber};

use super::*;

/// A relay's inbound endpoint, with nobody behind it.
fn inbound(address: &str) -> Subscriber {
    let mut subscriber = Context::new(&Options::default()).unwrap().subscriber().unwrap();
    let endpoint = Endpoint::new("inbound", [address.parse().unwrap()]);
    subscriber.bind(&endpoint, &Prefixes::everything()).unwrap();
    subscriber
}

/// Waits for a message that a plugin publishes in answer to one of `publisher`.
fn echo(publisher: &mut TestPublisher, at: &mut Subscriber) -> String {
    publisher.publish("t", "{}");
    let deadline = Instant::now() + DEADLINE;
    let mut got: Vec<Incoming> = Vec::new();
    while got.is_empty() {
        assert!(Instant::now() < deadline, "nothing is published there");
        at.receive(&mut got, 1, DEADLINE).unwrap();
    }
    match &got[0].frames {
        Frames::Message { topic, .. } => String::from_utf8(topic.to_vec()).unwrap(),
        frames @ Frames::Malformed { .. } => panic!("{frames:?}"),
    }
}

#[test]
fn what_plugins_publish_goes_where_the_configuration_says_since_the_last_reload() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let [one, two, three] = ["one", "two", "three"].map(|name| scratch.ipc(name));
    let [mut at_one, mut at_two, mut at_three] = [&one, &two, &three].map(|address| inbound(address));
    let stays = told(&scratch)
        .subscribed_to(&publisher)
        .plugin("misbehaving")
        .config("misbehaving.publishes = { enabled = true, times = 1, topics = [\"t\"] }");
    let hub = stays.clone().config(&format!("endpoints.relay_inbound = \"{one}\"")).start();
    publisher.wait_for_subscriber("t");
    assert_eq!(echo(&mut publisher, &mut at_one), "org.fedoraproject.dev.misbehaving.echo");
    let next = stays.config(&format!("endpoints.relay_inbound = \"{two}\"\nendpoints.other = \"{three}\""));
    assert_eq!(reload(&scratch, &next).status.code(), Some(0));
    assert_eq!(echo(&mut publisher, &mut at_two), "org.fedoraproject.dev.misbehaving.echo");
    let next = next.config("publish.endpoint = \"other\"\nenvironment = \"stg\"");
    let done = reload(&scratch, &next);
    assert_eq!(done.stdout, "changed key environment\nchanged key publish.endpoint", "{}", done.stderr);
    assert_eq!(echo(&mut publisher, &mut at_three), "org.fedoraproject.stg.misbehaving.echo");
    assert_eq!((count(&hub, "connected endpoint=e "), count(&hub, "connection lost endpoint=e ")), (1, 0));
}

#[test]
fn a_relay_listens_where_the_configuration_says_since_the_last_reload() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let with = |name: &str| {
        told(&scratch).recorder(&recorder).plugin("relay").config(&format!(
            "endpoints = {{ relay_inbound = \"{}\", relay_outbound = \"{}\" }}\nfedmsg.consumers.relay.enabled = true",
            scratch.ipc(name),
            scratch.ipc("out")
        ))
    };
    let mut hub = with("one").start();
    let (mut one, mut two) =
        (TestPublisher::connect(&scratch.ipc("one")), TestPublisher::connect(&scratch.ipc("two")));
    one.wait_for_subscriber("t");
    one.publish("t", "{}");
    recorder.wait_for(1);
    let done = reload(&scratch, &with("two"));
    assert_eq!(done.stdout, "changed endpoint relay_inbound", "{}", done.stderr);
    two.wait_for_subscriber("t");
    two.publish("t", "{}");
    recorder.wait_for(2);
    // It was given up, and somebody else has it meanwhile.
    let _taken = inbound(&scratch.ipc("one"));
    let done = reload(&scratch, &with("one"));
    assert_eq!(done.status.code(), Some(5), "{}", done.stderr);
    two.wait_for_subscriber("t");
    two.publish("t", "{}");
    recorder.wait_for(3);
    assert_eq!(hub.stop().code(), Some(0));
}
