//! Where consumers begin and go on, what comes twice, and what happens when memory is full.

use std::fs;

use e2e::{Accepted, Hub, Recorder, Scratch, TestPublisher};
use journal::{Archive, Ending, OutcomeFilter};
use serde_json::{Value, json};

fn numbers(records: &[Value]) -> Vec<u64> {
    records.iter().map(|record| record["msg"]["n"].as_u64().unwrap()).collect()
}

fn publish(publisher: &mut TestPublisher, numbers: std::ops::Range<u64>) {
    for n in numbers {
        publisher.publish("t", &json!({"n": n}).to_string());
    }
}

fn endings(state_dir: &std::path::Path) -> Vec<Ending> {
    let outcomes = Archive::open(state_dir).unwrap().outcomes(OutcomeFilter::default());
    outcomes.map(|outcome| outcome.unwrap().ending).collect()
}

#[test]
fn a_consumer_begins_where_it_is_told_and_later_goes_on_where_it_was() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let answering = Recorder::listen(&scratch, "answering");
    let mut publisher = TestPublisher::default();
    let hub = Hub::builder(&scratch).subscribed_to(&publisher).plugin("recorder");
    let hub = |consumers: &str| hub.clone().config(consumers).start();
    let table = |name: &str, listener: &Recorder, start: &str| {
        format!("{name} = {{ enabled = true, path = \"{}\", start = \"{start}\" }}", listener.path())
    };

    let mut first = hub(&table("recorder", &recorder, "new"));
    publisher.wait_for_subscriber("t");
    publish(&mut publisher, 0..5);
    recorder.wait_for(5);
    assert_eq!(first.stop().code(), Some(0));
    publisher.wait_until_unsubscribed("t");

    // One that is seen for the first time, with all there is; the other is switched off.
    let mut second = hub(&table("answering", &answering, "earliest"));
    publisher.wait_for_subscriber("t");
    publish(&mut publisher, 5..8);
    assert_eq!(numbers(&answering.wait_for(8)), Vec::from_iter(0..8));
    assert_eq!(second.stop().code(), Some(0));
    publisher.wait_until_unsubscribed("t");

    // Where it begins no longer counts; both go on.
    let both = table("recorder", &recorder, "earliest") + "\n" + &table("answering", &answering, "new");
    let mut third = hub(&both);
    publisher.wait_for_subscriber("t");
    publish(&mut publisher, 8..10);
    assert_eq!(numbers(&recorder.wait_for(10)), Vec::from_iter(0..10));
    assert_eq!(numbers(&answering.wait_for(10)), Vec::from_iter(0..10));
    assert_eq!(third.stop().code(), Some(0));
    assert_eq!((recorder.all().len(), answering.all().len()), (10, 10), "nothing came twice");
}

#[test]
fn a_consumer_begins_at_a_time() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let late = Recorder::listen(&scratch, "late");
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch).subscribed_to(&publisher).recorder(&recorder).start();
    publisher.wait_for_subscriber("t");
    publish(&mut publisher, 0..3);
    recorder.wait_for(3);
    assert_eq!(hub.stop().code(), Some(0));
    publisher.wait_until_unsubscribed("t");
    let between = jiff::Timestamp::now();
    let config = format!("[answering]\nenabled = true\npath = \"{}\"\nstart = \"{between}\"", late.path());
    let mut hub =
        Hub::builder(&scratch).subscribed_to(&publisher).recorder(&recorder).config(&config).start();
    publisher.wait_for_subscriber("t");
    publish(&mut publisher, 3..6);
    assert_eq!(numbers(&late.wait_for(3)), [3, 4, 5]);
    assert_eq!(hub.stop().code(), Some(0));
}

#[test]
fn a_message_that_comes_by_two_endpoints_is_delivered_once() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let (mut one, mut other) = (TestPublisher::default(), TestPublisher::default());
    let config = format!("endpoints.other = \"{}\"", other.address());
    let mut hub = Hub::builder(&scratch).subscribed_to(&one).recorder(&recorder).config(&config).start();
    one.wait_for_subscriber("t");
    other.wait_for_subscriber("t");
    let body = br#"{"topic": "t", "msg_id": "2026-1", "msg": {"n": 0}}"#;
    one.send("t", body);
    recorder.wait_for(1);
    other.send("t", body);
    publish(&mut other, 1..2);
    assert_eq!(numbers(&recorder.wait_for(2)), [0, 1]);
    assert_eq!(hub.stop().code(), Some(0));
    hub.log().wait_for("duplicate=1");
    let duplicates = endings(&scratch.join("hub.state"));
    let [Ending::Duplicate { of, endpoint }] = &*duplicates else { panic!("{duplicates:?}") };
    assert_eq!((of.0, endpoint.as_str()), (0, "other"));
}

#[test]
fn a_repetition_is_known_after_a_kill() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let body = br#"{"topic": "t", "msg_id": "2026-1", "msg": {"n": 0}}"#;
    let hub = Hub::builder(&scratch).subscribed_to(&publisher).recorder(&recorder);
    let mut first = hub.clone().start();
    publisher.wait_for_subscriber("t");
    publisher.send("t", body);
    recorder.wait_for(1);
    first.process.signal(e2e::Signal::KILL);
    first.process.wait();
    publisher.wait_until_unsubscribed("t");
    let mut second = hub.start();
    publisher.wait_for_subscriber("t");
    publisher.send("t", body);
    publish(&mut publisher, 1..2);
    recorder.wait_until("the message after it", |record| record["msg"]["n"] == 1);
    assert_eq!(second.stop().code(), Some(0));
    second.log().wait_for("duplicate=1");
}

#[test]
fn a_consumer_that_asks_to_be_stopped_begins_with_that_message_when_the_hub_starts_again() {
    let scratch = Scratch::new();
    let answering = Recorder::listen(&scratch, "answering");
    let poison = scratch.write("poison", "");
    let mut publisher = TestPublisher::default();
    for workers in [1, 4] {
        let config = format!(
            "[answering]\nenabled = true\npath = \"{}\"\npoison = \"{}\"\nworkers = {workers}",
            answering.path(),
            poison.display()
        );
        let hub = Hub::builder(&scratch).subscribed_to(&publisher).plugin("recorder").config(&config);
        let before = answering.all().len();
        fs::write(&poison, "").unwrap();
        let mut first = hub.clone().start();
        publisher.wait_for_subscriber("t");
        publisher.publish("t", r#"{"n": 0, "answer": "stop"}"#);
        publish(&mut publisher, 1..4);
        first.log().wait_for("consumer ended consumer=answering");
        assert_eq!(first.stop().code(), Some(0));
        publisher.wait_until_unsubscribed("t");
        assert_eq!(answering.all().len(), before, "it got on");
        fs::remove_file(&poison).unwrap();
        let mut second = hub.start();
        let records = answering.wait_for(before + 4);
        assert_eq!(numbers(&records[before..]), [0, 1, 2, 3]);
        assert_eq!(second.stop().code(), Some(0));
        publisher.wait_until_unsubscribed("t");
    }
}

/// A hub in memory mode with room for some tens of messages and a consumer that is blocked in its first one.
fn blocked(scratch: &Scratch, publisher: &TestPublisher, recorder: &Recorder, when_full: &str) -> Hub {
    let hub = Hub::builder(scratch).subscribed_to(publisher).recorder(recorder).plugin("misbehaving");
    let config = format!(
        r#"
        journal = {{ mode = "memory", memory_bytes = 65536, when_full = "{when_full}" }}
        misbehaving.blocks_in_consume = {{ enabled = true, file = "{}" }}
        "#,
        scratch.write("block", "").display()
    );
    hub.config(&config).start()
}

/// A message of a kilobyte.
fn kilobyte(n: u64) -> String {
    json!({"n": n, "pad": "x".repeat(1000)}).to_string()
}

fn count(said: &str, key: &str) -> u64 {
    let rest = said.split_once(key).unwrap_or_else(|| panic!("no {key} in {said}")).1;
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn when_memory_is_full_intake_waits_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = blocked(&scratch, &publisher, &recorder, "block");
    publisher.wait_for_subscriber("t");
    for n in 0..1000 {
        publisher.publish("t", &kilobyte(n));
    }
    recorder.wait_for(1);
    fs::remove_file(scratch.join("block")).unwrap();
    assert_eq!(numbers(&recorder.wait_for(1000)), Vec::from_iter(0..1000));
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=blocks-in-consume");
    assert!(said.contains("received=1000 finished=1000"), "{said}");
}

#[test]
fn when_memory_is_full_the_oldest_go_and_are_counted_for_who_needed_them() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = blocked(&scratch, &publisher, &recorder, "drop_oldest");
    publisher.wait_for_subscriber("t");
    for n in 0..1000 {
        publisher.publish("t", &kilobyte(n));
        // So that the one that keeps up does.
        if n % 10 == 9 {
            recorder.wait_for(usize::try_from(n).unwrap() + 1);
        }
    }
    fs::remove_file(scratch.join("block")).unwrap();
    hub.log().wait_for("messages are no longer in the journal");
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=blocks-in-consume");
    let (finished, lost) = (count(&said, "finished="), count(&said, "lost="));
    assert_eq!(finished + lost, 1000, "{said}");
    assert!(finished >= 2 && lost >= 900, "{said}");
}

#[test]
fn when_memory_is_full_what_comes_in_is_dropped_and_counted() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = blocked(&scratch, &publisher, &recorder, "drop_newest");
    publisher.wait_for_subscriber("t");
    for n in 0..1000 {
        publisher.publish("t", &kilobyte(n));
    }
    recorder.wait_for(1);
    fs::remove_file(scratch.join("block")).unwrap();
    assert_eq!(hub.stop().code(), Some(0));
    let intake = hub.log().wait_for("intake stopped");
    let (received, dropped) = (count(&intake, "received="), count(&intake, "memory_full="));
    let said = hub.log().wait_for("consumer stopped consumer=blocks-in-consume");
    assert_eq!((received, count(&said, "finished=")), (1000, 1000 - dropped), "{intake} {said}");
    assert!(dropped > 0, "{intake}");
}

#[test]
fn what_memory_held_when_the_hub_had_to_stop_is_lost_and_the_exit_code_says_so() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = blocked(&scratch, &publisher, &recorder, "block");
    publisher.wait_for_subscriber("t");
    publish(&mut publisher, 0..20);
    recorder.wait_for(20);
    hub.process.signal(e2e::Signal::TERM);
    hub.log().wait_for("stopping: handing out what was received");
    hub.process.signal(e2e::Signal::TERM);
    assert_eq!(hub.process.wait().code(), Some(6));
}

#[test]
fn what_nobody_wants_is_kept_and_a_consumer_that_comes_later_can_have_it() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let answering = Recorder::listen(&scratch, "answering");
    let mut publisher = TestPublisher::default();
    let hub = Hub::builder(&scratch).subscribed_to(&publisher).plugin("recorder");
    let some =
        format!("[recorder]\nenabled = true\npath = \"{}\"\ntopics = [\"t.*.wanted\"]", recorder.path());
    let mut first = hub.clone().config(&some).start();
    publisher.wait_for_subscriber("t.");
    publisher.publish("t.a.unwanted", r#"{"n": 0}"#);
    publisher.publish("t.a.wanted", r#"{"n": 1}"#);
    assert_eq!(numbers(&recorder.wait_for(1)), [1]);
    assert_eq!(first.stop().code(), Some(0));
    first.log().wait_for("unmatched=1");
    let state = scratch.join("hub.state");
    assert_eq!(endings(&state), [Ending::Unmatched]);
    assert_eq!(Accepted::read(&state).len(), 2);
    let all = format!("[answering]\nenabled = true\npath = \"{}\"\nstart = \"earliest\"", answering.path());
    let mut second = hub.config(&all).start();
    assert_eq!(numbers(&answering.wait_for(2)), [0, 1]);
    assert_eq!(second.stop().code(), Some(0));
}
