//! Publishers, the relay, subscribers: the way most messages come onto a bus.

use std::process::Command;

use e2e::{Hub, HubBuilder, Process, Recorder, Scratch, binary};
use serde_json::{Value, json};

/// A hub with the relay, which is subscribed to that relay as well.
fn relay<'s>(scratch: &'s Scratch, recorder: &Recorder) -> HubBuilder<'s> {
    Hub::builder(scratch).plugin("relay").plugin("recorder").config(&format!(
        r#"
        endpoints.relay_inbound = "{}"
        endpoints.relay_outbound = "{}"
        fedmsg.consumers.relay.enabled = true
        recorder = {{ enabled = true, path = "{}", bodies = true }}
        "#,
        scratch.ipc("relay_inbound"),
        scratch.ipc("relay_outbound"),
        recorder.path()
    ))
}

fn command(scratch: &Scratch, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary(name));
    command.args(arguments).env("FEDMSG_CONFIG", scratch.join("hub.toml")).env("LOGNAME", "tester");
    command
}

#[test]
fn what_the_logger_sends_comes_round_once_and_does_not_loop() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut hub = relay(&scratch, &recorder).start();
    for n in 0..3 {
        let mut logger = command(&scratch, "fedmsg-logger", &["--message", &format!("number {n}")]);
        let logger = Process::run(&scratch, "logger", &mut logger, "");
        assert!(logger.status.success(), "{}", logger.stderr);
    }
    let got = recorder.wait_for(3);
    for (n, record) in got.iter().enumerate() {
        assert_eq!(record["topic"], "org.fedoraproject.dev.logger.log");
        assert_eq!(record["endpoint"], "relay_outbound");
        assert_eq!(record["msg"], json!({"log": format!("number {n}")}));
        let body: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
        assert_eq!((&body["i"], &body["username"]), (&json!(1), &json!("tester")));
    }
    assert_eq!(hub.stop().code(), Some(0));
    assert_eq!(recorder.all().len(), 3);
    let said = hub.log().wait_for("consumer stopped consumer=relay");
    assert!(said.contains("received=3 finished=3"), "{said}");
}

#[test]
fn a_plugin_publishes_through_the_relay() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let _hub = relay(&scratch, &recorder)
        .plugin("misbehaving")
        .config("misbehaving.publishes = { enabled = true, times = 1 }")
        .start();
    let mut logger =
        command(&scratch, "fedmsg-logger", &["--modname", "git", "--topic", "receive", "--message", "x"]);
    assert!(Process::run(&scratch, "logger", &mut logger, "").status.success());
    let echo =
        recorder.wait_until("the echo", |record| record["topic"] == "org.fedoraproject.dev.misbehaving.echo");
    assert_eq!(echo["msg"], json!({"log": "x"}));
}

#[test]
fn tail_shows_what_the_logger_sends() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let _hub = relay(&scratch, &recorder).start();
    let notify = std::os::unix::net::UnixDatagram::bind(scratch.join("tail.notify")).unwrap();
    notify.set_read_timeout(Some(e2e::DEADLINE)).unwrap();
    let mut tail = command(&scratch, "fedmsg-tail", &["--topic", "org.fedoraproject.dev.git"]);
    let tail = Process::start(&scratch, "tail", tail.env("NOTIFY_SOCKET", scratch.join("tail.notify")));
    let mut ready = [0; 4096];
    let read = notify.recv(&mut ready).unwrap();
    assert!(ready[..read].starts_with(b"READY=1"));
    for modname in ["wiki", "git"] {
        let mut logger = command(&scratch, "fedmsg-logger", &["--modname", modname, "--json-input"]);
        assert!(Process::run(&scratch, "logger", &mut logger, r#"{"a": "é"}"#).status.success());
    }
    let line: Value = serde_json::from_str(&tail.stdout.wait_for_count(1)[0]).unwrap();
    assert_eq!(line["topic"], "org.fedoraproject.dev.git.log");
    assert_eq!(line["msg"], json!({"a": "é"}));
}

#[test]
fn a_second_relay_takes_the_next_free_outbound_address() {
    let scratch = Scratch::new();
    let config = |inbound: &str| {
        format!(
            r#"
            endpoints.relay_inbound = "{}"
            endpoints.relay_outbound = ["{}", "{}"]
            fedmsg.consumers.relay.enabled = true
            "#,
            scratch.ipc(inbound),
            scratch.ipc("out1"),
            scratch.ipc("out2")
        )
    };
    let first = Hub::builder(&scratch).plugin("relay").config(&config("in1")).start();
    let second = Hub::builder(&scratch).name("second").plugin("relay").config(&config("in2")).start();
    assert!(first.log().wait_for("publishing").contains("out1"));
    assert!(second.log().wait_for("publishing").contains("out2"));
    let third = Hub::builder(&scratch).name("third").plugin("relay").config(&config("in3")).run();
    assert_eq!(third.status.code(), Some(5));
    assert!(third.stderr.contains("out1") && third.stderr.contains("out2"), "{}", third.stderr);
}
