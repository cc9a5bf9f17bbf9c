//! A million messages of the shape of a real bus, from a real publisher to a counting plugin.

use std::time::{Duration, Instant};

use e2e::{Hub, Recorder, Scratch, TestPublisher, bus_shaped_messages};

/// How long the slowest machine, on a debug build, may take.
const PATIENCE: Duration = Duration::from_secs(600);

#[test]
fn of_a_million_messages_none_is_lost_and_none_is_doubled() {
    const MESSAGES: u64 = 1_000_000;
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "counter");
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch)
        .plugin("recorder")
        .config(&format!(
            r#"
            endpoints.e = "{}"
            counter = {{ enabled = true, path = "{}", expect = {MESSAGES} }}
            # The same few thousand messages come again and again.
            journal.dedup_window = "0s"
            "#,
            publisher.address(),
            recorder.path()
        ))
        .start();
    let messages = bus_shaped_messages();
    publisher.wait_for_subscriber("org.");
    let started = Instant::now();
    for i in 0..MESSAGES {
        let (topic, head, tail) = &messages[usize::try_from(i).unwrap() % messages.len()];
        publisher.send(topic, format!("{head}{i}{tail}").as_bytes());
    }
    let summary =
        recorder.lines().wait_within(PATIENCE, |lines| lines.first().cloned()).expect("all are counted");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let peak = hub.peak_memory() / 1024;
    let rate = MESSAGES as f64 / seconds;
    println!(
        "{rate:.0} messages/s from first send to last count, {:.0} bytes each on average, hub's peak {peak} MiB",
        summary["bytes"].as_f64().unwrap() / 1e6
    );
    assert_eq!((&summary["distinct"], &summary["doubled"]), (&MESSAGES.into(), &0.into()));
    assert_eq!(hub.stop().code(), Some(0));
    let last = recorder.wait_for(2).remove(1);
    assert_eq!((&last["distinct"], &last["doubled"]), (&MESSAGES.into(), &0.into()));
}
