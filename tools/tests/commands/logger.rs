use std::io::Write;
use std::os::unix::process::ExitStatusExt;

use message::{Envelope, json};

use crate::harness::{Bus, Finished, LOGGER, Lines, interrupt};

fn msg(body: &str) -> String {
    String::from_utf8(Envelope::parse(body.as_bytes()).unwrap().msg_raw().to_vec()).unwrap()
}

#[test]
fn a_message_reaches_the_relay_in_the_envelope_of_pythons_fedmsg() {
    let bus = Bus::new();
    let relay = bus.relay();
    let stdout = bus.run(LOGGER, &["--message", "  Hai čau\n"], b"").quietly();
    assert_eq!(stdout, "");

    let (topic, body) = relay.receive();
    assert_eq!(topic, "org.fedoraproject.dev.logger.log");
    assert_eq!(msg(&body), r#"{"log":"  Hai \u010dau\n"}"#);
    let envelope = Envelope::parse(body.as_bytes()).unwrap();
    assert_eq!(envelope.topic().as_deref(), Some(&*topic));
    assert_eq!(envelope.i(), Some(1));
    assert_eq!(envelope.username().as_deref(), Some("tester"));
    assert!(envelope.msg_id().is_some() && envelope.timestamp().is_some());
    assert_eq!(json::canonical(&body).unwrap(), body.as_bytes());
}

#[test]
fn a_json_document_is_the_message() {
    let bus = Bus::new();
    let relay = bus.relay();
    bus.run(LOGGER, &["--json-input", "--message", r#"{"b": [1.50], "a": "č"}"#], b"").quietly();
    assert_eq!(msg(&relay.receive().1), r#"{"a":"\u010d","b":[1.5]}"#);
    bus.run(LOGGER, &["--json-input"], b"{\n  \"a\":\n  NaN\n}\n").quietly();
    assert_eq!(msg(&relay.receive().1), r#"{"a":NaN}"#);
    bus.run(LOGGER, &["--json-input"], b"null").quietly();
    assert_eq!(msg(&relay.receive().1), "{}");
}

#[test]
fn each_line_of_standard_input_is_sent_as_it_comes() {
    let bus = Bus::new();
    let relay = bus.relay();
    let mut child = bus.command(LOGGER, &[]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for (i, line) in [(1, "one"), (2, "two")] {
        writeln!(stdin, " {line} ").unwrap();
        let (_, body) = relay.receive();
        assert_eq!(msg(&body), format!("{{\"log\":\"{line}\"}}"));
        assert_eq!(Envelope::parse(body.as_bytes()).unwrap().i(), Some(i));
    }
    drop(stdin);
    Finished::wait(child).quietly();
}

#[test]
fn nothing_is_lost_of_many_lines() {
    let bus = Bus::new();
    let relay = bus.relay();
    let lines: String = (0..20_000).map(|n| format!("{n}\n")).collect();
    bus.run(LOGGER, &[], lines.as_bytes()).quietly();
    for n in 0..20_000 {
        assert_eq!(msg(&relay.receive().1), format!("{{\"log\":\"{n}\"}}"));
    }
}

#[test]
fn the_topic_is_what_options_and_configuration_say() {
    let bus = Bus::new();
    let relay = bus.relay();
    let arguments =
        ["--message", "x", "--modname", "git", "--topic", "repo.update", "--set", "environment=stg"];
    bus.run(LOGGER, &arguments, b"").quietly();
    assert_eq!(relay.receive().0, "org.fedoraproject.stg.git.repo.update");
}

#[test]
fn without_input_nothing_is_sent_and_no_relay_is_waited_for() {
    Bus::new().run(LOGGER, &[], b"").quietly();
}

#[test]
fn without_a_relay_it_says_that_it_waits_and_gives_up_at_the_deadline() {
    let bus = Bus::new();
    let stderr = bus.run(LOGGER, &["--message", "x", "--timeout", "600ms"], b"").failed_with(6);
    let address = bus.address("relay_inbound");
    let expected = format!("fedmsg-logger: waiting for a relay at {address} (600ms)\n");
    assert!(stderr.starts_with(&expected), "{stderr}");
    assert!(stderr.contains(&format!("no relay at {address} took the message within 600ms")), "{stderr}");
}

#[test]
fn a_relay_that_comes_while_it_waits_gets_the_message() {
    let bus = Bus::new();
    let mut child = bus.command(LOGGER, &["--message", "x", "--timeout", "10m"]).spawn().unwrap();
    let line = Lines::of(child.stderr.take().unwrap()).next();
    assert!(line.starts_with("fedmsg-logger: waiting for a relay at "), "{line}");

    let relay = bus.relay();
    assert_eq!(msg(&relay.receive().1), r#"{"log":"x"}"#);
    Finished::wait(child).quietly();
}

#[test]
fn what_is_not_json_is_refused_before_any_relay_is_looked_for() {
    let bus = Bus::new();
    let stderr = bus.run(LOGGER, &["--json-input", "--message", "{'a': 1}"], b"").failed_with(2);
    assert!(stderr.starts_with("fedmsg-logger: --message is not JSON: "), "{stderr}");
    assert!(stderr.contains("JSON wants double quotes") && !stderr.contains("waiting"), "{stderr}");
    let stderr = bus.run(LOGGER, &["--json-input"], b"{\"a\":\n oops}").failed_with(2);
    assert!(stderr.contains("standard input is not JSON: expected a value at line 2, column 2"), "{stderr}");
    let stderr = bus.run(LOGGER, &["--json-input"], b"\n").failed_with(2);
    assert!(stderr.contains("standard input is empty"), "{stderr}");
}

#[test]
fn a_configuration_that_leads_nowhere_is_an_error_with_its_mend() {
    let bus = Bus::new();
    bus.configure("relay_outbound = \"tcp://127.0.0.1:4001\"\n");
    let stderr = bus.run(LOGGER, &["--message", "x"], b"").failed_with(3);
    assert!(stderr.contains("[endpoints] names no `relay_inbound` to publish to; add"), "{stderr}");
    bus.configure("relay_inbound = 2003\n");
    let stderr = bus.run(LOGGER, &["--message", "x"], b"").failed_with(3);
    assert!(stderr.contains("hub.toml:2"), "{stderr}");
}

#[test]
fn ctrl_c_ends_it_without_a_word() {
    let bus = Bus::new();
    let relay = bus.relay();
    let mut child = bus.command(LOGGER, &[]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "one").unwrap();
    relay.receive();
    interrupt(&child);
    let finished = Finished::wait(child);
    assert_eq!((finished.status.signal(), &*finished.stderr), (Some(2), ""), "{finished:?}");
}

#[test]
fn a_wait_that_is_no_duration_is_refused() {
    for timeout in ["soon", "10", "-1s"] {
        let argument = format!("--timeout={timeout}");
        let stderr = Bus::new().run(LOGGER, &[&argument], b"").failed_with(2);
        assert!(stderr.contains("--timeout"), "{stderr}");
    }
}
