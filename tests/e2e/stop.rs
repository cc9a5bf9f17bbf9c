//! Signals, draining, deadlines and exit codes.

use e2e::{Hub, Recorder, Scratch, Signal, TestPublisher};

/// A hub with a consumer that is blocked in its first message while `block` exists, and 100 messages received.
fn blocked(scratch: &Scratch, drain_deadline: &str) -> Hub {
    let recorder = Recorder::listen(scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let block = scratch.write("block", "");
    let hub = Hub::builder(scratch)
        .plugin("recorder")
        .plugin("misbehaving")
        .config(&format!(
            r#"
            endpoints.e = "{}"
            recorder = {{ enabled = true, path = "{}" }}
            misbehaving.blocks_in_consume = {{ enabled = true, file = "{}" }}
            hub.drain_deadline = "{drain_deadline}"
            "#,
            publisher.address(),
            recorder.path(),
            block.display()
        ))
        .start();
    publisher.wait_for_subscriber("t");
    for _ in 0..100 {
        publisher.publish("t", "{}");
    }
    recorder.wait_for(100);
    hub
}

#[test]
fn sigterm_hands_out_what_was_received_before_the_hub_ends() {
    let scratch = Scratch::new();
    let mut hub = blocked(&scratch, "1m");
    hub.process.signal(Signal::TERM);
    hub.log().wait_for("told to stop");
    std::fs::remove_file(scratch.join("block")).unwrap();
    assert_eq!(hub.process.wait().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=blocks-in-consume");
    assert!(said.contains("received=100 finished=100"), "{said}");
}

#[test]
fn past_the_drain_deadline_the_hub_ends_and_says_what_is_undelivered() {
    let scratch = Scratch::new();
    let mut hub = blocked(&scratch, "100ms");
    assert_eq!(hub.stop().code(), Some(6));
    hub.log().wait_for("consumer did not stop in time; it is abandoned consumer=blocks-in-consume");
    let said = hub.log().wait_for("consumer stopped consumer=blocks-in-consume");
    assert!(said.contains("undelivered=100"), "{said}");
}

#[test]
fn a_second_signal_stops_at_once() {
    let scratch = Scratch::new();
    let mut hub = blocked(&scratch, "1h");
    hub.process.signal(Signal::INT);
    hub.log().wait_for("stopping: handing out what was received");
    hub.process.signal(Signal::INT);
    assert_eq!(hub.process.wait().code(), Some(6));
}

#[test]
fn a_consumer_that_blocks_in_stop_is_abandoned_at_the_deadline() {
    let scratch = Scratch::new();
    let mut hub = Hub::builder(&scratch)
        .plugin("misbehaving")
        .config("endpoints.e = \"tcp://127.0.0.1:1\"\nmisbehaving.blocks_in_stop.enabled = true")
        .config("hub.drain_deadline = \"100ms\"")
        .start();
    assert_eq!(hub.stop().code(), Some(6));
    hub.log().wait_for("consumer=blocks-in-stop");
}

#[test]
fn sighup_does_not_end_the_hub() {
    let scratch = Scratch::new();
    let mut hub = Hub::builder(&scratch).config("").start();
    hub.process.signal(Signal::HUP);
    hub.log().wait_for("SIGHUP ignored");
    assert_eq!(hub.stop().code(), Some(0));
}
