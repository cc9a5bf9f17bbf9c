//! Plugins that are none, don't fit, or misbehave: what keeps the hub from starting, and what must not end it.

use std::fs;
use std::path::Path;

use e2e::{Hub, Recorder, Scratch, TestPublisher, library};

/// Runs a hub with this file in its plugin folder; it must do without. What it says.
fn refused(scratch: &Scratch, file: &Path) -> String {
    let mut hub = Hub::builder(scratch)
        .library(file, "bad.so")
        .plugin("dummy")
        .config("fedmsg.consumers.dummy.enabled = true")
        .start();
    hub.log().wait_for("consumer=dummy");
    assert_eq!(hub.stop().code(), Some(0));
    let log = hub.log().all();
    let said: Vec<_> = log.iter().filter(|line| line.contains("bad.so")).collect();
    assert_eq!(said.len(), 1, "one clear line, not {log:#?}");
    assert!(said[0].contains("ERROR"), "{}", said[0]);
    said[0].clone()
}

#[test]
fn a_consumer_that_is_switched_on_in_a_library_that_is_none_keeps_the_hub_from_starting() {
    let scratch = Scratch::new();
    let text = scratch.write("text", "not a library");
    let hub = Hub::builder(&scratch).library(&text, "mine.so").config("mine.enabled = true").run();
    assert_eq!(hub.status.code(), Some(3), "{}", hub.stderr);
    assert!(hub.stderr.contains("mine.so: is no shared object"), "{}", hub.stderr);
    assert!(hub.stderr.contains("mine: no installed plugin has a consumer with this key"), "{}", hub.stderr);
}

#[test]
fn a_file_that_is_no_plugin_is_named() {
    let scratch = Scratch::new();
    let said = refused(&scratch, &scratch.write("text", "not a library"));
    assert!(said.contains("is no shared object"), "{said}");
}

#[test]
fn a_library_that_is_no_plugin_is_named() {
    let scratch = Scratch::new();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.split_whitespace().find(|word| word.ends_with("libc.so.6")).unwrap();
    let said = refused(&scratch, Path::new(libc));
    assert!(said.contains("is no plugin"), "{said}");
}

#[test]
fn half_a_plugin_is_named_and_does_not_kill_the_hub() {
    let scratch = Scratch::new();
    let whole = fs::read(library("dummy")).unwrap();
    fs::write(scratch.join("half"), &whole[..whole.len() / 2]).unwrap();
    let said = refused(&scratch, &scratch.join("half"));
    assert!(said.contains("is incomplete"), "{said}");
}

#[test]
fn a_plugin_of_another_api_version_is_named_with_both_versions() {
    let scratch = Scratch::new();
    let mut library = fs::read(library("dummy")).unwrap();
    let mark = b"fedmsg plugin API 1.";
    let places: Vec<_> =
        (0..library.len() - mark.len()).filter(|at| library[*at..].starts_with(mark)).collect();
    assert!(!places.is_empty());
    for at in places {
        library[at + mark.len() - 2] = b'9';
    }
    fs::write(scratch.join("other"), library).unwrap();
    let said = refused(&scratch, &scratch.join("other"));
    assert!(said.contains("is built for plugin API 9.2, this hub has 1.2"), "{said}");
}

#[test]
fn the_same_consumer_twice_is_named_with_both_files() {
    let scratch = Scratch::new();
    let copy = scratch.join("copy");
    fs::copy(library("dummy"), &copy).unwrap();
    let hub = Hub::builder(&scratch)
        .plugin("dummy")
        .library(&copy, "same.so")
        .config("fedmsg.consumers.dummy.enabled = true")
        .run();
    assert_eq!(hub.status.code(), Some(4));
    assert!(hub.stderr.contains("same.so: consumer `dummy` is already in"), "{}", hub.stderr);
    assert!(hub.stderr.contains("dummy.so; remove one of the two files"), "{}", hub.stderr);
}

#[test]
fn a_panic_in_start_keeps_the_hub_from_starting_and_is_no_panic_of_the_hub() {
    let scratch = Scratch::new();
    let hub = Hub::builder(&scratch)
        .plugin("misbehaving")
        .config("misbehaving.panics_in_start.enabled = true")
        .run();
    assert_eq!(hub.status.code(), Some(4));
    assert!(hub.stderr.contains("consumer `panics-in-start` did not start"), "{}", hub.stderr);
    assert!(hub.stderr.contains("no start today"), "{}", hub.stderr);
    assert!(hub.stderr.contains("faults.rs:"), "{}", hub.stderr);
}

#[test]
fn a_fatal_start_error_keeps_the_hub_from_starting_unless_the_operator_ignores_it() {
    let scratch = Scratch::new();
    let hub =
        Hub::builder(&scratch).plugin("misbehaving").config("misbehaving.never_starts.enabled = true").run();
    assert_eq!(hub.status.code(), Some(4));
    assert!(hub.stderr.contains("its day is over"), "{}", hub.stderr);

    let mut hub = Hub::builder(&scratch)
        .name("patient")
        .plugin("misbehaving")
        .config("misbehaving.never_starts = { enabled = true, on_start_error = \"ignore\" }")
        .start();
    hub.log().wait_for("the hub runs without it");
    assert_eq!(hub.stop().code(), Some(0));
}

#[test]
fn a_start_that_may_succeed_later_is_retried_if_the_operator_wants_it() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let file = scratch.join("now");
    let mut hub = Hub::builder(&scratch)
        .plugin("misbehaving")
        .config(&format!(
            "endpoints.e = \"{}\"\n
             misbehaving.starts_late = {{ enabled = true, on_start_error = \"retry\", file = \"{}\" }}",
            publisher.address(),
            file.display()
        ))
        .start();
    hub.log().wait_for("the file is not there yet");
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    fs::write(file, "").unwrap();
    hub.log().wait_for("consumer started");
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=starts-late");
    assert!(said.contains("received=1 finished=1"), "{said}");
}

#[test]
fn a_start_that_is_still_retried_does_not_hold_up_a_stop() {
    let scratch = Scratch::new();
    let mut hub = Hub::builder(&scratch)
        .plugin("misbehaving")
        .config(
            r#"
            misbehaving.starts_late = { enabled = true, on_start_error = "retry", file = "/no/such/file" }
            hub.drain_deadline = "1h"
            "#,
        )
        .start();
    hub.log().wait_for("the file is not there yet");
    assert_eq!(hub.stop().code(), Some(0));
}

#[test]
fn a_panic_is_an_error_of_its_message_alone() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch)
        .subscribed_to(&publisher)
        .recorder(&recorder)
        .plugin("misbehaving")
        .config(
            r#"
            misbehaving.panics_in_consume = { enabled = true, key = "bomb", max_attempts = 2 }
            misbehaving.panics_in_stop.enabled = true
            "#,
        )
        .start();
    publisher.wait_for_subscriber("t");
    for msg in ["{}", r#"{"bomb": 1}"#, "{}"] {
        publisher.publish("t", msg);
    }
    recorder.wait_for(3);
    let said = hub.log().wait_for("message given up");
    assert!(said.contains(r#"reason="dead_lettered""#) && said.contains("cannot stand t"), "{said}");
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=panics-in-consume");
    assert!(said.contains(r#"received=3 finished=2 retries=1 failed="dead_lettered=1""#), "{said}");
    hub.log().wait_for("no end");
}

#[test]
fn a_consumer_that_ends_itself_ends_alone_and_what_it_misses_is_kept() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch)
        .subscribed_to(&publisher)
        .recorder(&recorder)
        .plugin("misbehaving")
        .config("misbehaving.stops_itself.enabled = true")
        .start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    hub.log().wait_for("consumer ended consumer=stops-itself");
    publisher.publish("t", "{}");
    recorder.wait_for(2);
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=stops-itself");
    assert!(said.contains(r#"received=1 finished=0 retries=0 failed="none" aside=0 left=2"#), "{said}");
}
