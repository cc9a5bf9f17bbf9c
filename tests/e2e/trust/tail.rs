//! `fedmsg-tail` believes whom the configuration does, if it is asked to.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use e2e::{DEADLINE, Process, Scratch, TestPublisher, binary};
use serde_json::{Value, json};

use super::{publish_signed, signer, trust};

/// What a tail with these arguments prints and notes of five messages: valid ones are `0`, `3` and `4`.
fn tail(validate_signatures: bool, arguments: &[&str]) -> (Vec<Value>, Vec<String>) {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let config = format!("endpoints.e = \"{}\"\n{}", publisher.address(), trust());
    let config = scratch.write("hub.toml", &format!("{config}validate_signatures = {validate_signatures}"));
    let notify = UnixDatagram::bind(scratch.join("notify")).unwrap();
    notify.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = Command::new(binary("fedmsg-tail"));
    command.args(arguments).env("FEDMSG_CONFIG", config).env("NOTIFY_SOCKET", scratch.join("notify"));
    let tail = Process::start(&scratch, "tail", &mut command);
    notify.recv(&mut [0; 64]).unwrap();
    publisher.wait_for_subscriber("t");
    let good = signer("good");
    publish_signed(&mut publisher, &good, "t", 0);
    publisher.publish("t", &json!({"n": 1}).to_string());
    publish_signed(&mut publisher, &signer("revoked"), "t", 2);
    for n in [3, 4] {
        publish_signed(&mut publisher, &good, "t", n);
    }
    let printed = tail.stdout.wait_until("the last message", |lines| {
        lines.last().is_some_and(|line| line.contains(r#""msg":{"n":4}"#)).then(|| lines.to_vec())
    });
    let numbers = printed.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["msg"]["n"].clone());
    (numbers.collect(), tail.stderr.all())
}

#[test]
fn tail_validates_if_told_to_or_configured_to_and_notes_what_it_leaves_out() {
    for (configured, arguments) in
        [(false, &["--validate"][..]), (true, &[]), (false, &["--no-validate", "--validate"])]
    {
        let (printed, noted) = tail(configured, arguments);
        assert_eq!(printed, [0, 3, 4], "{arguments:?}");
        let of = |why: &str| noted.iter().filter(|line| line.contains("\"t\"") && line.contains(why)).count();
        assert_eq!((of("not signed"), of("the signer's certificate is revoked")), (1, 1), "{noted:?}");
    }
}

#[test]
fn tail_shows_everything_if_told_to_or_not_configured_otherwise() {
    for (configured, arguments) in [(false, &[][..]), (true, &["--no-validate"])] {
        let (printed, noted) = tail(configured, arguments);
        assert_eq!(printed, [0, 1, 2, 3, 4], "{arguments:?}");
        assert_eq!(noted, [""; 0]);
    }
}
