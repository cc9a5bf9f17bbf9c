//! Several instances of one consumer.

use std::fs;
use std::path::Path;

use e2e::{Hub, HubBuilder, Recorder, Scratch, TestPublisher};
use serde_json::{Value, json};

fn hub<'s>(scratch: &'s Scratch, publisher: &TestPublisher, table: &str) -> HubBuilder<'s> {
    Hub::builder(scratch).subscribed_to(publisher).plugin("recorder").config(table)
}

fn table(name: &str, recorder: &Recorder, more: &str) -> String {
    format!("[{name}]\nenabled = true\npath = \"{}\"\n{more}", recorder.path())
}

fn publish(publisher: &mut TestPublisher, numbers: std::ops::Range<u64>) {
    for n in numbers {
        publisher.publish(&format!("t.{}", n % 5), &json!({"n": n}).to_string());
    }
}

#[test]
fn workers_share_the_messages_and_keep_the_order_of_each_topic() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = hub(&scratch, &publisher, &table("recorder", &recorder, "workers = 3")).start();
    publisher.wait_for_subscriber("t");
    publish(&mut publisher, 0..1000);
    let records = recorder.wait_for(1000);
    for topic in 0..5 {
        let of_topic = records.iter().filter(|record| record["topic"] == format!("t.{topic}"));
        let numbers: Vec<u64> = of_topic.map(|record| record["msg"]["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, Vec::from_iter((topic..1000).step_by(5)));
    }
    let instances = records.iter().map(|record| record["instance"].to_string());
    assert!(std::collections::BTreeSet::from_iter(instances).len() > 1, "one worker did everything");
    assert_eq!(hub.stop().code(), Some(0));
}

#[test]
fn a_batch_is_no_larger_than_the_operator_says() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    for (name, workers) in [("transacting", 1), ("transacting", 2)] {
        let more = format!("batch = 10\nworkers = {workers}");
        let mut hub = hub(&scratch, &publisher, &table(name, &recorder, &more)).start();
        publisher.wait_for_subscriber("t");
        let before = recorder.all().len();
        publish(&mut publisher, 0..500);
        let records = recorder.wait_for(before + 500);
        let largest = records.iter().map(|record| record["batch"].as_u64().unwrap()).max();
        assert!(largest <= Some(10), "{largest:?}");
        assert_eq!(hub.stop().code(), Some(0));
        publisher.wait_until_unsubscribed("t");
    }
}

#[test]
fn slow_workers_are_stopped_between_messages_and_nothing_that_they_did_comes_again_but_the_last_few() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let until = scratch.join("until");
    let more = format!("workers = 2\ndelay = \"50ms\"\nuntil = \"{}\"", until.display());
    let slow = hub(
        &scratch,
        &publisher,
        &(table("recorder", &recorder, &more) + "\n[hub]\ndrain_deadline = \"500ms\""),
    );
    let mut first = slow.clone().start();
    publisher.wait_for_subscriber("t");
    publish(&mut publisher, 0..500);
    recorder.wait_for(100);
    assert_eq!(first.stop().code(), Some(0), "nobody had to be abandoned");
    fs::write(&until, "").unwrap();
    let mut second = slow.start();
    recorder.wait_until("the last one", |record| record["msg"]["n"] == 499);
    assert_eq!(second.stop().code(), Some(0));
    let records = recorder.all();
    let distinct = std::collections::BTreeSet::from_iter(records.iter().map(number));
    assert_eq!(distinct.len(), 500);
    // With two workers, at most what had been begun out of the order of the journal.
    assert!(records.len() < 500 + 100, "{} records", records.len());
}

fn number(record: &Value) -> u64 {
    record["msg"]["n"].as_u64().unwrap()
}

#[test]
fn when_one_worker_asks_to_be_stopped_the_others_stop_too() {
    let scratch = Scratch::new();
    let answering = Recorder::listen(&scratch, "answering");
    let mut publisher = TestPublisher::default();
    let more = "workers = 2\nordering = \"none\"\ndelay = \"20ms\"";
    let mut hub = hub(&scratch, &publisher, &table("answering", &answering, more)).start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", r#"{"n": 0, "answer": "stop"}"#);
    publish(&mut publisher, 1..900);
    hub.log().wait_for("consumer ended consumer=answering");
    assert!(answering.all().len() < 100, "{} were delivered after the stop", answering.all().len());
    assert_eq!(hub.stop().code(), Some(0));
}

#[test]
fn large_messages_with_workers_that_are_slow_cost_no_more_memory_than_a_window() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let until = scratch.join("until");
    let more = format!("workers = 2\nordering = \"none\"\ndelay = \"1h\"\nuntil = \"{}\"", until.display());
    let slow = hub(&scratch, &publisher, &table("recorder", &recorder, &more));
    let mut hub = slow.config("[journal]\nmemory_bytes = 65536").start();
    publisher.wait_for_subscriber("t");
    let body = json!({"pad": "x".repeat(1_000_000)}).to_string();
    for n in 1..=200 {
        publisher.publish("t", &body);
        // So that ZeroMQ's own queue has none of them.
        wait_for_disk(&scratch.join("hub.state/messages"), n * 1_000_000);
    }
    let peak = hub.peak_memory() / 1024;
    assert!(peak < 150, "{peak} MiB");
    fs::write(&until, "").unwrap();
    recorder.wait_for(200);
    assert_eq!(hub.stop().code(), Some(0));
}

/// Waits until there are so many bytes in a folder.
fn wait_for_disk(folder: &Path, bytes: u64) {
    let start = std::time::Instant::now();
    let there =
        || fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    while there() < bytes {
        assert!(start.elapsed() < e2e::DEADLINE, "{} bytes", there());
        std::thread::yield_now();
    }
}
