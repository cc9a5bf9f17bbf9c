use std::fs::File;
use std::io::Write;
use std::process::Child;
use std::time::Instant;

use bus::{Publish, Publisher};

use crate::harness::{Bus, Finished, Lines, PATIENCE, TRIGGER, interrupt, publish};

fn body(msg: &str) -> String {
    format!(r#"{{"i": 1, "msg": {msg}, "msg_id": "2026-1", "timestamp": 1795216482, "topic": "t"}}"#)
}

/// The command, and a publisher whose messages reach it.
fn start(bus: &Bus, arguments: &[&str]) -> (Child, Publisher) {
    let mut publisher = bus.outbound();
    let child = bus.start(TRIGGER, arguments);
    assert!(publisher.wait_for_subscriber(b"", PATIENCE));
    (child, publisher)
}

#[test]
fn a_command_is_run_for_each_message_with_the_message_as_its_input() {
    let bus = Bus::new();
    let script = "cat; echo $FEDMSG_TOPIC $FEDMSG_MSG_ID $FEDMSG_ENDPOINT $FEDMSG_COUNT";
    let (child, mut publisher) = start(&bus, &["-n", "2", "--include", "^t", "--shell", script]);
    for topic in ["t.1", "x_heartbeat", "other", "t.2"] {
        publish(&mut publisher, topic, &body("1"));
    }
    let (body, says) = (body("1"), "2026-1 relay_outbound 1");
    let expected = format!("{body}\nt.1 {says}\n{body}\nt.2 {says}\n");
    assert_eq!(Finished::wait(child).quietly(), expected);
}

#[test]
fn arguments_behind_the_dashes_are_the_commands_and_no_shell_sees_them() {
    let bus = Bus::new();
    let (child, mut publisher) = start(&bus, &["-n", "1", "--", "echo", "$HOME", "; id", "--help"]);
    publish(&mut publisher, "t", &body("1"));
    assert_eq!(Finished::wait(child).quietly(), "$HOME ; id --help\n");
}

#[test]
fn a_message_that_means_no_good_runs_nothing() {
    let bus = Bus::new();
    let trap = bus.path().join("trap");
    let (child, mut publisher) = start(&bus, &["-n", "1", "--command", "cat"]);
    // What is no message is noted and runs nothing either.
    publisher.publish(b"t", b"\"\xff\"").unwrap();
    publisher.publish(b"\xff", b"{}").unwrap();
    let evil = body(&format!(r#""'; touch {0}; ' $(touch {0}) \n\u0000""#, trap.display()));
    publish(&mut publisher, &format!("'; touch {}; '\n\0", trap.display()), &evil);
    let finished = Finished::wait(child);
    assert_eq!((finished.status.code(), finished.stdout), (Some(0), format!("{evil}\n")));
    assert_eq!(finished.stderr.matches("nothing is run for it").count(), 2, "{}", finished.stderr);
    assert!(!trap.exists());
}

#[test]
fn messages_in_a_row_are_one_run() {
    let bus = Bus::new();
    let arguments = ["-n", "3", "--wait-for", "3600", "--shell", "echo $FEDMSG_COUNT; cat"];
    let (child, mut publisher) = start(&bus, &arguments);
    for n in 1..=3 {
        publish(&mut publisher, "t", &body(&n.to_string()));
    }
    let lines: String = (1..=3).map(|n| body(&n.to_string()) + "\n").collect();
    assert_eq!(Finished::wait(child).quietly(), format!("3\n{lines}"));
}

#[test]
fn what_fails_is_said_and_is_in_the_exit_code() {
    let bus = Bus::new();
    let (child, mut publisher) = start(&bus, &["-n", "2", "--shell", "test $FEDMSG_TOPIC = good"]);
    publish(&mut publisher, "good", &body("1"));
    publish(&mut publisher, "bad", &body("1"));
    let stderr = Finished::wait(child).failed_with(11);
    assert!(stderr.contains("topic \"bad\": /bin/sh: it ended with exit code 1"), "{stderr}");
    assert!(stderr.contains("1 of 2 runs failed"), "{stderr}");
    let bus = Bus::new();
    let (child, mut publisher) = start(&bus, &["-n", "1", "--timeout", "100ms", "--", "sleep", "1000"]);
    publish(&mut publisher, "t", &body("1"));
    let stderr = Finished::wait(child).failed_with(11);
    assert!(stderr.contains("it had not ended after 100ms"), "{stderr}");
}

#[test]
fn several_commands_run_at_once() {
    let bus = Bus::new();
    let fifo = bus.path().join("fifo");
    // Each of two waits for the other: one opens the pipe to read, the other to write.
    let script = format!(
        "mkfifo {0} 2>/dev/null; if [ $FEDMSG_TOPIC = reads ]; then cat {0}; else echo met > {0}; fi",
        fifo.display()
    );
    let (child, mut publisher) = start(&bus, &["-n", "2", "--jobs", "2", "--shell", &script]);
    publish(&mut publisher, "reads", &body("1"));
    publish(&mut publisher, "writes", &body("1"));
    assert_eq!(Finished::wait(child).quietly(), "met\n");
}

#[test]
fn a_signal_ends_it_when_the_command_has_ended_and_a_second_one_ends_that() {
    let bus = Bus::new();
    let release = bus.path().join("release");
    let script = format!("mkfifo {0}; echo up; cat {0}", release.display());
    let (mut child, mut publisher) = start(&bus, &["--verbose", "--shell", &script]);
    publish(&mut publisher, "t", &body("1"));
    let stdout = Lines::of(child.stdout.take().unwrap());
    assert_eq!(stdout.next(), "up");
    interrupt(&child);
    // Opened for both, a pipe does not wait for the other side.
    let mut pipe = File::options().read(true).write(true).open(&release).unwrap();
    writeln!(pipe, "ended well").unwrap();
    assert_eq!(stdout.next(), "ended well");
    drop(pipe);
    assert_eq!(Finished::wait(child).status.code(), Some(0));

    let bus = Bus::new();
    let running = bus.path().join("running");
    let script = format!("trap 'echo > {}; exit' TERM; echo up; sleep 1000 & wait", running.display());
    let (mut child, mut publisher) = start(&bus, &["--shell", &script]);
    publish(&mut publisher, "t", &body("1"));
    assert_eq!(Lines::of(child.stdout.take().unwrap()).next(), "up");
    interrupt(&child);
    let deadline = Instant::now() + PATIENCE;
    // Signals of one kind that come together are one.
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it did not end in time");
        interrupt(&child);
        std::thread::yield_now();
    }
    assert_eq!(Finished::wait(child).status.code(), Some(130));
    assert!(running.exists(), "the command was not asked to end");
}

#[test]
fn what_waits_when_a_signal_comes_is_said_and_is_in_the_exit_code() {
    let bus = Bus::new();
    let (mut child, mut publisher) = start(&bus, &["--verbose", "--wait-for", "1h", "--command", "cat"]);
    publish(&mut publisher, "t.waits", &body("1"));
    let stderr = Lines::of(child.stderr.take().unwrap());
    while !stderr.next().contains("t.waits") {}
    interrupt(&child);
    assert_eq!(stderr.next(), "fedmsg-trigger: no command was run for 1 message that waited");
    assert_eq!(Finished::wait(child).status.code(), Some(6));
}

#[test]
fn it_must_be_said_once_what_to_run() {
    for arguments in [&[][..], &["--command", "x", "--shell", "y"], &["--shell", "y", "--", "z"], &["--"]] {
        Bus::new().run(TRIGGER, arguments, b"").failed_with(2);
    }
}
