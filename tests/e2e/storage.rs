//! What the hub's storage may do to it: be full, be read-only, be taken. And what a stop of the process does.

use std::process::Command;
use std::time::Instant;

use e2e::{DEADLINE, Disk, Hub, HubBuilder, Process, Recorder, Scratch, Signal, TestPublisher, binary};
use serde_json::{Value, json};

/// A bus whose one consumer takes nothing until it is freed.
struct Bus {
    scratch: Scratch,
    publisher: TestPublisher,
    recorder: Recorder,
    sent: Vec<String>,
}

impl Bus {
    fn new() -> Self {
        let scratch = Scratch::new();
        let (publisher, recorder) = (TestPublisher::default(), Recorder::listen(&scratch, "recorder"));
        Self { scratch, publisher, recorder, sent: Vec::new() }
    }

    fn hub(&self) -> HubBuilder<'_> {
        Hub::builder(&self.scratch).subscribed_to(&self.publisher).config(&format!(
            r#"
            journal.segment_bytes = 65536
            journal.memory_bytes = 65536
            # Nothing is kept that is not needed.
            journal.max_bytes = 65536
            [recorder]
            enabled = true
            bodies = true
            path = "{}"
            delay = "1h"
            until = "{}"
            "#,
            self.recorder.path(),
            self.scratch.join("free").display()
        ))
    }

    fn free_the_consumer(&self) {
        self.scratch.write("free", "");
    }

    /// Publishes so many messages, of about 1 KiB each.
    fn publish(&mut self, count: usize) {
        self.publisher.wait_for_subscriber("t");
        for n in self.sent.len()..self.sent.len() + count {
            let msg_id = format!("2026-00000000-0000-4000-8000-{n:012}");
            let msg = json!({"n": n, "filling": "x".repeat(600 + n * 37 % 800)});
            let body =
                json!({"i": n, "msg": msg, "msg_id": msg_id, "timestamp": 1_795_216_482, "topic": "t"});
            let body = body.to_string();
            self.publisher.send("t", body.as_bytes());
            self.sent.push(body);
        }
    }

    /// All that was published comes, as it was, in order and once.
    fn expect_all(&self) {
        let got = self.recorder.wait_for(self.sent.len());
        for (n, (record, sent)) in got.iter().zip(&self.sent).enumerate() {
            assert_eq!(record["body"], *sent, "message {n}");
        }
    }

    /// The same, and nothing more comes until the hub has ended.
    fn expect_all_to_the_end(&self, mut hub: Hub) {
        self.expect_all();
        assert_eq!(hub.stop().code(), Some(0));
        assert_eq!(self.recorder.all().len(), self.sent.len());
    }

    fn stats(&self) -> Value {
        let mut command = Command::new(binary("fedmsg-hub"));
        let state = self.hub().state_dir();
        command.args(["journal", "stats", "--json"]).env("FEDMSG_CONFIG", "/dev/null");
        command.arg("--set").arg(format!("hub.state_dir={}", state.display()));
        let done = Process::run(&self.scratch, "stats", &mut command, "");
        assert!(done.status.success(), "{}", done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// The hub says that it cannot write, why, and takes in nothing.
    fn expect_trouble(&self, hub: &Hub, why: &str) {
        let line = hub.log().wait_for("nothing is taken in: the journal cannot be written");
        assert!(line.contains(why), "{line}");
        // The log says it at once, the others when it has lasted; and then until it is over.
        let deadline = Instant::now() + DEADLINE;
        while self.stats()["trouble"].is_null() {
            assert!(Instant::now() < deadline, "no trouble is told");
        }
        for _ in 0..10 {
            let stats = self.stats();
            assert!(stats["trouble"].as_str().is_some_and(|trouble| trouble.contains(why)), "{stats}");
        }
        let stats = self.stats();
        assert!(stats["next"].as_u64().unwrap() < self.sent.len() as u64, "{stats}");
    }

    fn expect_no_trouble(&self, hub: &Hub) {
        hub.log().wait_for("the journal can be written again");
        self.expect_stored();
        assert_eq!(self.stats()["trouble"], Value::Null);
    }

    /// All that was published comes into the journal.
    fn expect_stored(&self) {
        let deadline = Instant::now() + DEADLINE;
        while self.stats()["next"] != self.sent.len() {
            assert!(Instant::now() < deadline, "{}", self.stats());
        }
    }
}

const FULL: &str = "no room to write";

#[test]
fn a_full_disk_holds_messages_up_until_their_consumer_needs_them_no_more() {
    let mut bus = Bus::new();
    let Some(_disk) = Disk::small(&bus.hub().state_dir(), "size=2m,mode=700") else { return };
    let hub = bus.hub().plugin("recorder").start();
    bus.publish(6000);
    bus.expect_trouble(&hub, FULL);
    bus.free_the_consumer();
    bus.expect_no_trouble(&hub);
    bus.publish(100);
    bus.expect_all_to_the_end(hub);
}

#[test]
fn a_full_disk_holds_messages_up_until_it_is_larger() {
    let mut bus = Bus::new();
    let Some(disk) = Disk::small(&bus.hub().state_dir(), "size=2m,mode=700") else { return };
    let hub = bus.hub().plugin("recorder").start();
    bus.publish(6000);
    bus.expect_trouble(&hub, FULL);
    disk.remount("size=50m");
    // While the consumer is as blocked as before.
    bus.expect_no_trouble(&hub);
    bus.free_the_consumer();
    bus.publish(100);
    bus.expect_all_to_the_end(hub);
}

#[test]
fn a_hub_stopped_on_a_full_disk_goes_on_where_it_was() {
    let mut bus = Bus::new();
    let Some(disk) = Disk::small(&bus.hub().state_dir(), "size=2m,mode=700") else { return };
    let mut hub = bus.hub().config("[hub]\ndrain_deadline = \"0s\"").plugin("recorder").start();
    bus.publish(6000);
    bus.expect_trouble(&hub, FULL);
    hub.stop();
    // What was in the hub's hands and ZeroMQ's queues is gone with it.
    let accepted = usize::try_from(bus.stats()["next"].as_u64().unwrap()).unwrap();
    bus.sent.truncate(accepted);
    disk.remount("size=50m");
    bus.free_the_consumer();
    let hub = bus.hub().start();
    bus.expect_all_to_the_end(hub);
}

#[test]
fn a_disk_that_turns_read_only_holds_messages_up_until_it_is_writable() {
    let mut bus = Bus::new();
    let hub = bus.hub().plugin("recorder").start();
    bus.publish(300);
    bus.expect_stored();
    let Some(disk) = Disk::read_only(&bus.hub().state_dir().join("messages")) else { return };
    bus.publish(1000);
    bus.expect_trouble(&hub, "is read-only");
    drop(disk);
    bus.expect_no_trouble(&hub);
    bus.free_the_consumer();
    bus.publish(100);
    bus.expect_all_to_the_end(hub);
}

#[test]
fn a_hub_that_is_suspended_gets_all_when_it_goes_on() {
    let mut bus = Bus::new();
    bus.free_the_consumer();
    let hub = bus.hub().plugin("recorder").start();
    bus.publish(2000);
    hub.process.signal(Signal::STOP);
    // More than there is room for in the sockets: the publisher has to keep them.
    bus.publish(20_000);
    hub.process.signal(Signal::CONT);
    bus.publish(2000);
    bus.expect_all_to_the_end(hub);
}

#[test]
fn a_second_hub_with_the_same_journal_is_refused_and_the_first_goes_on() {
    let mut bus = Bus::new();
    bus.free_the_consumer();
    let hub = bus.hub().plugin("recorder").start();
    bus.publish(10);
    bus.expect_all();
    let second = bus.hub().run();
    assert_eq!(second.status.code(), Some(7));
    assert!(second.stderr.contains(&format!("process {}", hub.process.id())), "{}", second.stderr);
    bus.publish(10);
    bus.expect_all_to_the_end(hub);
}
