//! The files that trust rests on are replaced while the hub runs.

use std::fs;
use std::time::Instant;

use e2e::{DEADLINE, Hub, Recorder, Scratch, TestPublisher};
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
    until(&stranger, "Invalid");
    replace(&scratch, "ca.crt", "two-cas-other-first.crt");
    until(&stranger, "Valid");
    assert_eq!(hub.stop().code(), Some(0));
    for rule in ["revoked", "untrusted", "ca_unavailable"] {
        hub.log().wait_for(&format!("rule=\"{rule}\""));
    }
    assert!(hub.log().wait_for("until that is mended").contains("ca.crt"));
}
