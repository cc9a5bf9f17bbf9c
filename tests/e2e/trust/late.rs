//! Messages that nobody had checked when they came: a consumer that validates may come to them later.

use std::fs;
use std::process::Command;
use std::time::Instant;

use e2e::{DEADLINE, Http, Hub, HubBuilder, Recorder, Scratch, TestPublisher, WallClock};
use serde_json::{Value, json};

use super::{operate, pki, publish_signed, rejected, signer, trust};

fn validating<'s>(
    scratch: &'s Scratch,
    name: &'static str,
    recorder: &Recorder,
    more: &str,
) -> HubBuilder<'s> {
    Hub::builder(scratch)
        .name(name)
        .plugin("recorder")
        .config(&format!("[answering]\nenabled = true\npath = \"{}\"\n{more}", recorder.path()))
        .config(&trust())
        .config("validate_signatures = true")
}

#[test]
fn what_is_in_the_journal_unchecked_is_checked_when_a_consumer_that_validates_comes_to_it() {
    let scratch = Scratch::new();
    let (before, after) = (Recorder::listen(&scratch, "before"), Recorder::listen(&scratch, "after"));
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch).subscribed_to(&publisher).recorder(&before).start();
    publisher.wait_for_subscriber("t");
    publish_signed(&mut publisher, &signer("good"), "t", 0);
    publisher.publish("t", &json!({"n": 1}).to_string());
    publish_signed(&mut publisher, &signer("revoked"), "t", 2);
    publish_signed(&mut publisher, &signer("other"), "t", 3);
    let unchecked = before.wait_for(4);
    assert!(unchecked.iter().all(|record| record["verdict"] == "NotChecked" && record["signer"].is_null()));
    assert_eq!(hub.stop().code(), Some(0));

    for workers in [1, 2] {
        let name = ["alone", "shared"][workers - 1];
        let state = scratch.join(&format!("{name}.state"));
        let copied = Command::new("cp").arg("-r").arg(scratch.join("hub.state")).arg(state).status();
        assert!(copied.unwrap().success());
        let seen = after.all().len();
        let more = format!("start = \"earliest\"\nworkers = {workers}");
        let builder = validating(&scratch, name, &after, &more);
        let state_dir = builder.state_dir();
        let mut hub = builder.start();
        let got: Vec<_> = after.wait_for(seen + 2).split_off(seen);
        let of = |field: &str| Vec::from_iter(got.iter().map(|record| record[field].clone()));
        assert_eq!(of("offset"), [0, 3]);
        assert_eq!(of("verdict"), ["Valid", "Valid"]);
        assert_eq!(of("signer"), ["good", "other"]);
        assert_eq!(hub.stop().code(), Some(0));
        assert_eq!(after.all().len(), seen + 2);
        let said = hub.log().wait_for("intake stopped");
        assert!(said.contains(r#"not_trusted="e:revoked=1 e:unsigned=1""#), "{said}");
        let rejected = rejected(&scratch, &state_dir);
        let rejected =
            rejected.iter().map(|outcome| (outcome["offset"].clone(), outcome["endpoint"].clone()));
        assert_eq!(Vec::from_iter(rejected), [(json!(1), json!("e")), (json!(2), json!("e"))]);
    }
}

#[test]
fn a_dead_letter_of_before_is_checked_before_it_is_delivered_again() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let retry = "max_attempts = 2\nretry_min = \"1ms\"\n";
    let mut hub = Hub::builder(&scratch)
        .subscribed_to(&publisher)
        .plugin("recorder")
        .config(&format!("[answering]\nenabled = true\npath = \"{}\"\n{retry}", recorder.path()))
        .start();
    publisher.wait_for_subscriber("t");
    let poison = r#"{"answer": "retry", "times": 2}"#;
    publisher.publish("t", poison);
    let body = publisher.compose("t", poison);
    publisher.send("t", &signer("good").sign(&body).unwrap());
    publisher.publish("t", "{}");
    recorder.wait_for(1);
    assert_eq!(hub.stop().code(), Some(0));

    let builder = validating(&scratch, "hub", &recorder, retry);
    let state_dir = builder.state_dir();
    let mut hub = builder.start();
    operate(&scratch, &["dlq", "requeue", "--all"], &state_dir);
    let got = recorder.wait_for(2);
    assert_eq!(
        (&got[1]["offset"], &got[1]["verdict"], &got[1]["signer"]),
        (&json!(1), &json!("Valid"), &json!("good"))
    );
    assert_eq!(hub.stop().code(), Some(0));
    assert_eq!(recorder.all().len(), 2);
    let said = hub.log().wait_for("intake stopped");
    assert!(said.contains(r#"not_trusted="e:unsigned=1""#), "{said}");
}

/// Another revocation list in place of the one that `trusting` names.
fn list(scratch: &Scratch, list: &str) {
    fs::copy(pki().join(list), scratch.join("crl.new")).unwrap();
    fs::rename(scratch.join("crl.new"), scratch.join("crl.pem")).unwrap();
}

/// A hub whose consumer validates by the revocation list in `scratch`, if there is one.
fn trusting<'s>(scratch: &'s Scratch, publisher: &TestPublisher, recorder: &Recorder) -> HubBuilder<'s> {
    let trust = format!(
        "[crypto]\nca_cert_location = \"{}\"\ncrl_location = \"{}\"\nvalidate_signatures = true",
        pki().join("ca.crt").display(),
        scratch.join("crl.pem").display()
    );
    Hub::builder(scratch).subscribed_to(publisher).recorder(recorder).config(&trust)
}

#[test]
fn what_was_found_valid_before_is_not_delivered_once_its_signer_is_revoked() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    list(&scratch, "empty-list.crl");
    let builder = trusting(&scratch, &publisher, &recorder);
    let state_dir = builder.state_dir();
    let mut hub = builder.clone().start();
    publisher.wait_for_subscriber("t");
    publish_signed(&mut publisher, &signer("revoked"), "t", 0);
    publish_signed(&mut publisher, &signer("good"), "t", 1);
    recorder.wait_for(2);
    assert_eq!(hub.stop().code(), Some(0));

    list(&scratch, "crl");
    let mut hub = builder.start();
    operate(&scratch, &["replay", "--consumer", "recorder", "--from", "0"], &state_dir);
    let got = recorder.wait_for(3);
    assert_eq!((&got[2]["signer"], &got[2]["verdict"]), (&json!("good"), &json!("Valid")));
    assert_eq!(hub.stop().code(), Some(0));
    assert_eq!(recorder.all().len(), 3);
    let rejected = rejected(&scratch, &state_dir);
    assert_eq!(Vec::from_iter(rejected.iter().map(|outcome| &outcome["offset"])), [0]);
}

#[test]
fn what_came_while_the_revocation_list_was_missing_is_refused_and_delivered_by_a_replay_when_it_is_there() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let builder = trusting(&scratch, &publisher, &recorder);
    let state_dir = builder.state_dir();
    let mut hub = builder.start();
    publisher.wait_for_subscriber("t");
    publish_signed(&mut publisher, &signer("good"), "t", 0);
    hub.log().wait_for("rule=\"crl_unavailable\"");
    list(&scratch, "crl");
    hub.log().wait_for("read what signatures are trusted by");
    operate(&scratch, &["replay", "--consumer", "recorder", "--from", "0"], &state_dir);
    assert_eq!(recorder.wait_for(1)[0]["signer"], "good");
    assert_eq!(hub.stop().code(), Some(0));
    assert_eq!(rejected(&scratch, &state_dir).len(), 1);
}

#[test]
fn what_waits_is_not_delivered_once_its_signer_is_revoked_whatever_the_clock_says() {
    let scratch = Scratch::new();
    let clock = WallClock::new(&scratch);
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let (free, socket) = (scratch.join("free"), scratch.join("http.sock"));
    list(&scratch, "empty-list.crl");
    clock.set(1);
    let mut hub = clock
        .of(trusting(&scratch, &publisher, &recorder))
        .arguments(&["--set", "recorder.delay=1h"])
        .arguments(&["--set", &format!("recorder.until={}", free.display())])
        .arguments(&["--set", &format!("http.listen=unix:{}", socket.display())])
        .start();
    let status = |is_right: &dyn Fn(&Value) -> bool| {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let status = Http::Unix(socket.clone()).get("/status").json();
            if is_right(&status) {
                return;
            }
            assert!(Instant::now() < deadline, "{status}");
        }
    };
    publisher.wait_for_subscriber("t");
    publish_signed(&mut publisher, &signer("good"), "t", 0);
    status(&|status| !status["consumers"][0]["in_hand_seconds"].is_null());
    publish_signed(&mut publisher, &signer("revoked"), "t", 1);
    status(&|status| status["intake"]["messages"] == 2);
    clock.set(0);
    status(&|status| status["hub"]["clock_jumps"] == 1);
    list(&scratch, "crl");
    let read = "read what signatures are trusted by";
    hub.log().wait_until("the new list is read", |lines| {
        lines.iter().filter(|line| line.contains(read)).nth(1).map(drop)
    });
    // Intake goes by the new list from here on.
    publish_signed(&mut publisher, &signer("revoked"), "t", 2);
    hub.log().wait_for("rule=\"revoked\"");
    // As late as it was when the first of them came, and later.
    clock.set(2);
    status(&|status| status["hub"]["clock_jumps"] == 2);
    fs::write(free, "").unwrap();
    publish_signed(&mut publisher, &signer("good"), "t", 3);
    let got = recorder.wait_for(2);
    assert_eq!([&got[0]["offset"], &got[1]["offset"]], [0, 3]);
    assert_eq!(hub.stop().code(), Some(0));
    assert_eq!(recorder.all().len(), 2);
}
