//! Messages by which a plugin ends the whole hub, at each start again.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Instant;

use e2e::{DEADLINE, Hub, Process, Recorder, Scratch, Signal, TestPublisher, binary};
use serde_json::Value;

/// A bus with a consumer that aborts the hub at some messages as long as a file is there.
struct Bus {
    scratch: Scratch,
    publisher: TestPublisher,
    recorder: Recorder,
    config: String,
}

impl Bus {
    fn new(options: &str) -> Self {
        let (scratch, publisher) = (Scratch::new(), TestPublisher::default());
        let recorder = Recorder::listen(&scratch, "recorder");
        let (path, poison) = (recorder.path(), scratch.write("poison", ""));
        let config = format!(
            "[answering]\nenabled = true\nmax_attempts = 2\nretry_min = \"1ms\"\npath = \"{path}\"\npoison = \"{}\"\n{options}",
            poison.display()
        );
        Self { scratch, publisher, recorder, config }
    }

    fn start(&self) -> Hub {
        let hub = Hub::builder(&self.scratch).subscribed_to(&self.publisher).plugin("recorder");
        hub.config(&self.config).start()
    }

    /// Starts one that is ended by what it has in its journal, before or after it is ready.
    fn crash(&self) {
        let hub = Hub::builder(&self.scratch).subscribed_to(&self.publisher).config(&self.config);
        was_aborted(Process::start(&self.scratch, "hub", &mut hub.command()));
    }

    fn operate(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(binary("fedmsg-hub"));
        let state = Hub::builder(&self.scratch).state_dir();
        command.args(arguments).arg("--set").arg(format!("hub.state_dir={}", state.display()));
        let done = Process::run(&self.scratch, "operator", command.env("FEDMSG_CONFIG", "/dev/null"), "");
        // It may be ended by what it was asked for.
        assert!(done.status.success() || done.stderr.contains("has it stopped?"), "{}", done.stderr);
        done.stdout
    }

    fn letter(&self) -> Value {
        serde_json::from_str(&self.operate(&["dlq", "list", "--json"])).unwrap()
    }
}

fn was_aborted(mut hub: Process) {
    assert_eq!(hub.wait().signal(), Some(Signal::ABORT.as_raw()));
}

#[test]
fn a_message_that_ends_the_hub_at_each_start_becomes_a_dead_letter() {
    for options in ["", "batch = 100", "on_retry = \"continue\"", "workers = 2"] {
        let mut bus = Bus::new(options);
        let hub = bus.start();
        bus.publisher.wait_for_subscriber("t");
        for msg in ["{}", "{}", r#"{"answer": "abort"}"#, "{}", "{}"] {
            bus.publisher.publish("t", msg);
        }
        was_aborted(hub.process);
        // The first of its ends left no note, these do.
        bus.crash();
        bus.crash();
        let mut hub = bus.start();
        bus.recorder.wait_until("what is behind it", |record| record["offset"] == 4);
        let letter = bus.letter();
        assert_eq!((&letter["offset"], &letter["attempts"]), (&2.into(), &2.into()), "{options}");
        assert!(letter["error"].as_str().unwrap().contains("process ended"), "{letter}");
        // What is before it may come again after each crash.
        let all = bus.recorder.all();
        let offsets: Vec<_> = all.iter().map(|record| record["offset"].as_u64().unwrap()).collect();
        assert_eq!(BTreeSet::from_iter(&offsets), BTreeSet::from([&0, &1, &3, &4]), "{options}");
        assert_eq!(offsets[offsets.len() - 2..], [3, 4], "{options}");

        // Requeued in vain, it costs as many attempts again.
        bus.operate(&["dlq", "requeue", "--all"]);
        was_aborted(hub.process);
        bus.crash();
        hub = bus.start();
        let is_dead = |letter: &Value| letter["attempts"] == 4 && letter["redelivering"] == false;
        let deadline = Instant::now() + DEADLINE;
        while !is_dead(&bus.letter()) {
            assert!(Instant::now() < deadline, "{options}: it is no dead letter");
        }
        fs::remove_file(bus.scratch.join("poison")).unwrap();
        bus.operate(&["dlq", "requeue", "--all"]);
        let cured = bus.recorder.wait_until("the poison", |record| record["offset"] == 2);
        assert_eq!(cured["attempt"], 5);
        assert_eq!(hub.stop().code(), Some(0));
        assert_eq!(bus.operate(&["dlq", "list"]), "no dead letters");
    }
}
