//! Signals, draining, deadlines and exit codes.

use e2e::{Hub, Recorder, Scratch, Signal, TestPublisher};

/// A hub with a consumer that is blocked in its first message while `block` exists, and 100 messages received.
fn blocked(scratch: &Scratch, drain_deadline: &str) -> Hub {
    let recorder = Recorder::listen(scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let block = scratch.write("block", "");
    let hub = Hub::builder(scratch)
        .subscribed_to(&publisher)
        .recorder(&recorder)
        .plugin("misbehaving")
        .config(&format!(
            r#"
            misbehaving.blocks_in_consume = {{ enabled = true, file = "{}" }}
            hub.drain_deadline = "{drain_deadline}"
            "#,
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
fn past_the_drain_deadline_the_hub_ends_and_says_what_is_left() {
    let scratch = Scratch::new();
    let mut hub = blocked(&scratch, "100ms");
    assert_eq!(hub.stop().code(), Some(6));
    hub.log().wait_for("consumer did not stop in time; it is abandoned consumer=blocks-in-consume");
    let said = hub.log().wait_for("consumer stopped consumer=blocks-in-consume");
    assert!(said.contains("left=100"), "{said}");
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
fn what_plugins_publish_while_the_hub_stops_still_goes_through_its_own_relay() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let block = scratch.write("block", "");
    let mut hub = Hub::builder(&scratch)
        .plugin("relay")
        .plugin("misbehaving")
        .config(&format!(
            r#"
            endpoints.relay_inbound = "{}"
            endpoints.relay_outbound = "{}"
            endpoints.e = "{}"
            fedmsg.consumers.relay.enabled = true
            misbehaving.publishes = {{ enabled = true, topics = ["t"], times = 1, file = "{}" }}
            hub.drain_deadline = "1m"
            log.level = "info,hub=debug"
            "#,
            scratch.ipc("in"),
            scratch.ipc("out"),
            publisher.address(),
            block.display()
        ))
        .start();
    publisher.wait_for_subscriber("t");
    for _ in 0..200 {
        publisher.publish("t", "{}");
    }
    hub.log().wait_for("waiting for the file to go");
    hub.process.signal(Signal::TERM);
    hub.log().wait_for("stopping: handing out what was received");
    std::fs::remove_file(block).unwrap();
    assert_eq!(hub.process.wait().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=publishes");
    assert!(said.contains("finished=200 "), "{said}");
    let said = hub.log().wait_for("consumer stopped consumer=relay");
    assert!(said.contains("received=200 finished=200"), "{said}");
}

#[test]
fn a_stalled_subscriber_of_the_relay_does_not_keep_a_second_signal_from_being_heard() {
    let scratch = Scratch::new();
    let config = format!(
        "endpoints.relay_inbound = \"{}\"\nendpoints.relay_outbound = \"{}\"\n
         fedmsg.consumers.relay.enabled = true\nhub.drain_deadline = \"1h\"",
        scratch.ipc("in"),
        scratch.ipc("out")
    );
    let mut hub = Hub::builder(&scratch).plugin("relay").config(&config).start();
    let notify = std::os::unix::net::UnixDatagram::bind(scratch.join("tail.notify")).unwrap();
    notify.set_read_timeout(Some(e2e::DEADLINE)).unwrap();
    let mut tail = std::process::Command::new(e2e::binary("fedmsg-tail"));
    tail.env("FEDMSG_CONFIG", scratch.join("hub.toml")).env("NOTIFY_SOCKET", scratch.join("tail.notify"));
    let tail = e2e::Process::start(&scratch, "tail", &mut tail);
    notify.recv(&mut [0; 4096]).unwrap();
    tail.signal(Signal::STOP);
    let text = "x".repeat(1_000_000);
    let lines = format!("{text}\n").repeat(20);
    let mut logger = std::process::Command::new(e2e::binary("fedmsg-logger"));
    logger.env("FEDMSG_CONFIG", scratch.join("hub.toml"));
    assert!(e2e::Process::run(&scratch, "logger", &mut logger, &lines).status.success());
    hub.process.signal(Signal::TERM);
    hub.log().wait_for("stopping: handing out what was received");
    hub.process.signal(Signal::TERM);
    assert_eq!(hub.process.wait().code(), Some(6));
}

#[test]
fn a_slow_consumer_is_stopped_between_messages_and_counted_exactly() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch)
        .subscribed_to(&publisher)
        .recorder(&recorder)
        .plugin("misbehaving")
        .config(
            r#"
            misbehaving.dawdles = { enabled = true, times = 50 }
            hub.drain_deadline = "500ms"
            "#,
        )
        .start();
    publisher.wait_for_subscriber("t");
    for _ in 0..300 {
        publisher.publish("t", "{}");
    }
    recorder.wait_for(300);
    assert_eq!(hub.stop().code(), Some(0), "what is left is in the journal");
    let said = hub.log().wait_for("consumer stopped consumer=dawdles");
    let count = |key: &str| -> u64 {
        let rest = said.split_once(key).unwrap_or_else(|| panic!("no {key} in {said}")).1;
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    assert_eq!(count("finished=") + count("left="), 300, "{said}");
    let own = hub.log().wait_for("dawdled over");
    assert!(own.contains(&format!("dawdled over {} messages", count("finished="))), "{own} but {said}");
}

#[test]
fn a_log_that_nobody_reads_does_not_end_the_hub() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let recorder = Recorder::listen(&scratch, "recorder");
    let builder = Hub::builder(&scratch).plugin("recorder").config(&format!(
        "endpoints.e = \"{}\"\nrecorder = {{ enabled = true, path = \"{}\" }}",
        publisher.address(),
        recorder.path()
    ));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut hub = builder.command().stderr(full).spawn().unwrap();
    publisher.wait_for_subscriber("t");
    publisher.send("t", b"no message");
    publisher.publish("t", "{}");
    recorder.wait_for(1);
    rustix::process::kill_process(rustix::process::Pid::from_child(&hub), Signal::TERM).unwrap();
    assert_eq!(e2e::process::wait(&mut hub).expect("it should end in time").code(), Some(0));
}
