//! The files that trust rests on are replaced while the hub runs.

use std::fs;
use std::process::Command;
use std::time::Instant;

use e2e::{DEADLINE, Hub, Process, Recorder, Scratch, TestPublisher, binary};
use serde_json::Value;

use super::{pki, publish_signed, signer};

/// As careful operators do it: at no time is there half a file.
fn replace(scratch: &Scratch, file: &str, by: &str) {
    let new = scratch.join(&format!("{file}.new"));
    fs::copy(pki().join(by), &new).unwrap();
    fs::rename(new, scratch.join(file)).unwrap();
}

#[test]
fn another_revocation_list_or_authority_counts_without_a_restart() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    replace(&scratch, "ca.crt", "ca.crt");
    replace(&scratch, "crl.pem", "empty-list.crl");
    // `answering` validates, so that signatures are checked; `recorder` tells of all messages what was found out.
    let mut hub = Hub::builder(&scratch)
        .subscribed_to(&publisher)
        .plugin("recorder")
        .config(&format!(
            "recorder = {{ enabled = true, path = \"{}\", validate_signatures = false }}",
            recorder.path()
        ))
        .config(&format!(
            "answering = {{ enabled = true, path = \"{}\" }}",
            scratch.join("trusted").display()
        ))
        .config(&format!(
            "[crypto]\nvalidate_signatures = true\nca_cert_location = \"{}\"\ncrl_location = \"{}\"",
            scratch.join("ca.crt").display(),
            scratch.join("crl.pem").display()
        ))
        .start();
    publisher.wait_for_subscriber("t");
    let (revoked, stranger) = (signer("revoked"), signer("stranger"));
    let mut sent = 0..;
    let mut verdict = |signer| {
        let n = sent.next().unwrap();
        publish_signed(&mut publisher, signer, "t", n as u64);
        let line = recorder.lines().wait_until("its verdict", |lines| lines.get(n).cloned());
        serde_json::from_str::<Value>(&line).unwrap()["verdict"].clone()
    };
    // How soon the hub looks at the files again is its own affair.
    let mut until = |signer, expected: &str| {
        let deadline = Instant::now() + DEADLINE;
        while verdict(signer) != expected {
            assert!(Instant::now() < deadline, "it does not become {expected}");
        }
    };
    until(&revoked, "Valid");
    replace(&scratch, "crl.pem", "crl");
    until(&revoked, "Invalid");
    replace(&scratch, "crl.pem", "empty-list.crl");
    until(&revoked, "Valid");
    until(&stranger, "Invalid");
    replace(&scratch, "ca.crt", "two-cas-other-first.crt");
    replace(&scratch, "crl.pem", "other.crl");
    until(&stranger, "Valid");
    until(&revoked, "Invalid");
    fs::remove_file(scratch.join("ca.crt")).unwrap();
    until(&stranger, "NotChecked");
    replace(&scratch, "ca.crt", "two-cas-other-first.crt");
    until(&stranger, "Valid");
    assert_eq!(hub.stop().code(), Some(0));
    for rule in ["revoked", "untrusted", "ca_unavailable"] {
        hub.log().wait_for(&format!("rule=\"{rule}\""));
    }
    assert!(hub.log().wait_for("until that is mended").contains("ca.crt"));
}

#[test]
fn a_hub_that_can_trust_nothing_is_not_ready_before_any_message_comes() {
    let scratch = Scratch::new();
    let (validates, state_dir) = ("crypto.validate_signatures = true", Hub::builder(&scratch).state_dir());
    let files = format!(
        "crypto.ca_cert_location = \"{}\"\ncrypto.crl_location = \"{}\"",
        scratch.join("ca.crt").display(),
        scratch.join("crl.pem").display()
    );
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let builder = Hub::builder(&scratch).subscribed_to(&publisher).recorder(&recorder).config(&files);
    // Its exit code, and what it says is wrong.
    let show = |form: &[&str]| {
        let mut command = Command::new(binary("fedmsg-hub"));
        command.arg("status").args(form).arg("--set").arg(format!("hub.state_dir={}", state_dir.display()));
        let done = Process::run(&scratch, "status", command.env("FEDMSG_CONFIG", "/dev/null"), "");
        (done.status.code(), done.stdout)
    };
    let status = || {
        let (code, json) = show(&["--json"]);
        (code, serde_json::from_str::<Value>(&json).unwrap()["problems"].to_string())
    };
    let is_well = || {
        let (code, problems) = status();
        code == Some(0) && !problems.contains("nothing_trusted")
    };
    let trusts_nothing = |why| {
        let (code, problems) = status();
        code == Some(10) && problems.contains("nothing_trusted") && problems.contains(why)
    };
    let careless = builder.clone().start();
    assert!(is_well(), "nobody validates");
    drop(careless);

    let hub = builder.config(validates).start();
    let said = |nth, what: &str| {
        let lines = hub.log();
        lines.wait_until(what, |lines| lines.iter().filter(|line| line.contains(what)).nth(nth).cloned())
    };
    let begins = "consumers that validate get nothing";
    assert!(said(0, begins).contains("ca.crt: No such file"));
    assert!(trusts_nothing("ca.crt: No such file"));
    replace(&scratch, "ca.crt", "ca.crt");
    replace(&scratch, "crl.pem", "empty-list.crl");
    said(0, "that is over");
    assert!(is_well());
    replace(&scratch, "crl.pem", "expired.crl");
    assert!(said(1, begins).contains("crl.pem: it has expired"));
    assert!(trusts_nothing("crl.pem: it has expired"));
    publisher.wait_for_subscriber("t");
    publish_signed(&mut publisher, &signer("good"), "t", 0);
    hub.log().wait_for("message not trusted");
    let (_, table) = show(&[]);
    let row = |line: &&str| line.starts_with("e ");
    let counts =
        table.lines().find(row).map(|line| line.split_whitespace().rev().take(2).collect::<Vec<_>>());
    assert!(table.contains("REJECTED  UNTRUSTED") && counts == Some(vec!["1", "0"]), "{table}");
}
