//! Reloads that are refused, or that nobody meant: the hub goes on, and is mended by the next one.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;

use e2e::process::Finished;
use e2e::{Hub, HubBuilder, Process, Recorder, Scratch, TestPublisher, library};

/// A hub that reloads when it is told to, and not when a file changes.
fn told(scratch: &Scratch) -> HubBuilder<'_> {
    Hub::builder(scratch).config("hub.watch = false")
}

/// Has the hub in this scratch folder reload, with what the builder says now.
fn reload(scratch: &Scratch, builder: &HubBuilder<'_>) -> Finished {
    Process::run(scratch, "reload", builder.command().arg("reload"), "")
}

fn count(hub: &Process, text: &str) -> usize {
    hub.stderr.all().iter().filter(|line| line.contains(text)).count()
}

#[test]
fn a_consumer_that_cannot_be_started_again_does_not_end_the_hub() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let (folder, until) = (scratch.join("records"), scratch.join("until"));
    fs::create_dir(&folder).unwrap();
    let stays = told(&scratch).subscribed_to(&publisher).plugin("recorder");
    let with = |attempts: u32| {
        stays.clone().config(&format!(
            "hub.drain_deadline = \"100ms\"\nrecorder = {{ enabled = true, path = \"{}\", delay = \"1000h\", \
             until = \"{}\", max_attempts = {attempts} }}",
            folder.join("lines").display(),
            until.display()
        ))
    };
    let mut hub = with(1).start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    // It can be changed until it has the message.
    (2..).find(|attempts| reload(&scratch, &with(*attempts)).status.code() == Some(4)).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&until, "").unwrap();
    hub.log().wait_for("cannot be started again");
    hub.log().wait_for("consumer ended");
    fs::create_dir(&folder).unwrap();
    assert_eq!(reload(&scratch, &with(1)).stdout, "added consumer recorder");
    assert_eq!(hub.stop().code(), Some(0));
}

#[test]
fn a_file_that_goes_away_or_is_emptied_changes_nothing_until_it_is_back() {
    let scratch = Scratch::new();
    let notify = UnixDatagram::bind(scratch.join("notify")).unwrap();
    let mut command = Hub::builder(&scratch).config("hub.drain_deadline = \"7s\"").command();
    command.current_dir(scratch.path()).env_remove("FEDMSG_CONFIG");
    command.env("NOTIFY_SOCKET", scratch.join("notify"));
    let hub = Process::start(&scratch, "hub", &mut command);
    hub.stderr.wait_for(" ready");
    let (place, aside) = (scratch.join("hub.toml"), scratch.join("hub.toml.bak"));
    fs::rename(&place, &aside).unwrap();
    hub.stderr.wait_for("hub.toml: has gone");
    fs::rename(&aside, &place).unwrap();
    hub.stderr.wait_for("the files are as they were");
    let text = fs::read(&place).unwrap();
    fs::write(&place, "").unwrap();
    hub.stderr.wait_for("hub.toml: is empty now");
    fs::write(&place, text).unwrap();
    hub.stderr.wait_until("as they were again", |lines| {
        (lines.iter().filter(|line| line.contains("the files are as they were")).count() == 2).then_some(())
    });
    assert_eq!(count(&hub, " reloaded "), 0);
    drop(notify);
}

#[test]
fn a_folder_that_is_replaced_behind_links_is_seen() {
    let scratch = Scratch::new();
    let folder = scratch.join("mounted");
    scratch.write("mounted/..1/hub.toml", "hub.drain_deadline = \"1s\"");
    scratch.write("mounted/..2/hub.toml", "hub.drain_deadline = \"2s\"");
    symlink("..1", folder.join("..data")).unwrap();
    symlink("..data/hub.toml", folder.join("hub.toml")).unwrap();
    let mut command = Hub::builder(&scratch).command();
    let hub = Process::start(&scratch, "hub", command.env("FEDMSG_CONFIG", folder.join("hub.toml")));
    hub.stderr.wait_for(" ready");
    symlink("..2", folder.join("..tmp")).unwrap();
    fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
    hub.stderr.wait_for("changes=\"changed key hub.drain_deadline\"");
}

#[test]
fn a_plugin_that_is_replaced_behind_links_is_seen() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let whole = fs::read(library("misbehaving")).unwrap();
    let at = whole.windows(10).position(|bytes| bytes == b"by tracing").unwrap();
    let install = |word: &[u8; 10]| {
        let mut bytes = whole.clone();
        bytes[at..at + 10].copy_from_slice(word);
        let next = scratch.join("opt/next");
        fs::write(&next, bytes).unwrap();
        fs::rename(next, scratch.join("opt/misbehaving.so.1")).unwrap();
    };
    scratch.write("opt/misbehaving.so.1", "");
    scratch.write("hub.plugins/README", "");
    install(b"by tracing");
    symlink("misbehaving.so.1", scratch.join("opt/misbehaving.so")).unwrap();
    symlink("../opt/misbehaving.so", scratch.join("hub.plugins/misbehaving.so")).unwrap();
    let hub =
        Hub::builder(&scratch).subscribed_to(&publisher).config("misbehaving.talks.enabled = true").start();
    publisher.wait_for_subscriber("t");
    for (generation, word) in [(2, b"BY TRACING"), (3, b"by TRACING")] {
        install(word);
        hub.log().wait_for(&format!("reloaded generation={generation} changes=\"changed consumer talks\""));
        publisher.publish("t", "{}");
        hub.log().wait_for(str::from_utf8(word).unwrap());
    }
}

#[test]
fn certificates_that_are_not_there_are_not_adopted() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let with = |crypto: &str| told(&scratch).recorder(&recorder).config(crypto);
    let _hub = with("crypto.validate_signatures = false").start();
    let done = reload(
        &scratch,
        &with("crypto.validate_signatures = true\ncrypto.ca_cert_location = \"/no/such/ca.crt\""),
    );
    assert_eq!(done.status.code(), Some(3));
    assert!(done.stderr.contains("/no/such/ca.crt"), "{}", done.stderr);
}

#[test]
fn a_publisher_is_left_only_when_its_successor_is_there() {
    let scratch = Scratch::new();
    let taken = TestPublisher::bind(&scratch.ipc("taken"));
    let with = |outbound: &[String]| {
        told(&scratch).plugin("relay").config(&format!(
            "endpoints.relay_inbound = \"{}\"\nendpoints.relay_outbound = {outbound:?}\n\
             fedmsg.consumers.relay.enabled = true",
            scratch.ipc("in")
        ))
    };
    let hub = with(&[scratch.ipc("out")]).start();
    assert_eq!(reload(&scratch, &with(&[taken.address().to_string()])).status.code(), Some(5));
    hub.log().wait_for("the hub goes on with the configuration that it has");
    assert_eq!(count(&hub.process, "publishes there no more"), 0);
    assert_eq!(count(&hub.process, " publishing "), 1);
    // Where it is in the way, it is left before.
    let moved = reload(&scratch, &with(&[scratch.ipc("out"), scratch.ipc("more")]));
    assert_eq!(moved.status.code(), Some(0), "{}", moved.stderr);
    assert_eq!(reload(&scratch, &with(&[scratch.ipc("other")])).status.code(), Some(0));
    hub.log().wait_for("reloaded generation=3");
    assert_eq!(count(&hub.process, "publishes there no more"), 2);
}

#[test]
fn a_consumer_that_fills_the_memory_can_be_removed() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let stays = told(&scratch).subscribed_to(&publisher).plugin("misbehaving").config(
        "journal = { mode = \"memory\", memory_bytes = 1_048_576 }\nhub.start_deadline = \"5s\"\n\
         misbehaving.drops.enabled = true",
    );
    let hub = stays.clone().config("misbehaving.dawdles = { enabled = true, times = 1000 }").start();
    publisher.wait_for_subscriber("t");
    let body = format!("{{ \"text\": \"{}\" }}", "x".repeat(10_000));
    for _ in 0..300 {
        publisher.publish("t", &body);
    }
    hub.log().wait_for("the hub cannot go on as it should");
    let done = reload(&scratch, &stays);
    assert_eq!((&*done.stdout, done.status.code()), ("removed consumer dawdles", Some(0)), "{}", done.stderr);
    hub.log().wait_for("its place in memory is given up");
    hub.log().wait_for("the hub goes on");
}
