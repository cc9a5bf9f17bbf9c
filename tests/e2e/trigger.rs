//! Commands that are run for messages: inside the hub, by the plugin `trigger`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};

use e2e::{DEADLINE, Hub, HubBuilder, Process, Scratch, Signal, TestPublisher};

/// A hub with one rule, and what else its consumer's table has.
fn trigger<'s>(scratch: &'s Scratch, publisher: &TestPublisher, table: &str, rule: &str) -> HubBuilder<'s> {
    Hub::builder(scratch).plugin("trigger").subscribed_to(publisher).config(&format!(
        "[fedmsg.consumers.trigger]\nenabled = true\n{table}\n[fedmsg.consumers.trigger.rules.mine]\n{rule}"
    ))
}

#[test]
fn a_message_that_means_no_good_is_read_by_the_command_and_runs_nothing() {
    let scratch = Scratch::new();
    let trap = scratch.join("trap");
    let mut publisher = TestPublisher::default();
    let rule = "topics = [\"*\"]\nshell = \"cat; echo topic $FEDMSG_TOPIC\"";
    let mut hub = trigger(&scratch, &publisher, "", rule).start();
    publisher.wait_for_subscriber("");
    let evil = format!("'; touch {0}; ' $(touch {0}) `touch {0}`", trap.display());
    let body = serde_json::json!({"msg": {"text": format!("{evil}\n\0")}}).to_string();
    publisher.send(&format!("t.{evil}\n"), body.as_bytes());
    // The log writes quotes as it likes.
    let said = hub.log().wait_for("touch");
    assert!(said.contains("u0000"), "{said}");
    hub.log().wait_for("topic t.");
    assert_eq!(hub.stop().code(), Some(0));
    assert!(!trap.exists());
}

#[test]
fn a_command_that_fails_again_and_again_makes_a_dead_letter() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let rule = "topics = [\"t\"]\ncommand = [\"false\"]";
    let hub = trigger(&scratch, &publisher, "max_attempts = 2", rule).start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    let said = hub.log().wait_for("message given up");
    assert!(said.contains("dead_lettered") && said.contains("it ended with exit code 1"), "{said}");
}

#[test]
fn rules_are_globs_even_where_the_hub_compares_prefixes() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let rule = "topics = [\"*.end\"]\nshell = \"echo had $FEDMSG_TOPIC\"";
    let prefix = ["--set", "topic_matching=prefix"];
    let mut hub = trigger(&scratch, &publisher, "topics = [\"*\"]", rule).arguments(&prefix).start();
    publisher.wait_for_subscriber("");
    publisher.publish("a.end.not", "{}");
    publisher.publish("a.end", "{}");
    hub.log().wait_for("had a.end");
    assert_eq!(hub.stop().code(), Some(0));
    assert!(!hub.log().all().iter().any(|line| line.contains("had a.end.not")));
}

#[test]
fn messages_in_a_row_are_one_run_and_a_stop_does_not_wait_for_it() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let rule = |wait: &str| {
        format!("topics = [\"t\"]\nshell = \"echo had $FEDMSG_COUNT; cat\"\nwait_for = \"{wait}\"")
    };
    // To wait is no attempt.
    let table = "max_attempts = 1";
    let mut hub = trigger(&scratch, &publisher, table, &rule("3s")).start();
    publisher.wait_for_subscriber("t");
    for n in 0..10 {
        publisher.publish("t", &n.to_string());
    }
    hub.log().wait_for("had 10");
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=trigger");
    assert!(said.contains("received=10 finished=10 retries=0 failed=\"none\""), "{said}");

    let builder = trigger(&scratch, &publisher, table, &rule("1h")).arguments(&["--set", "log.level=debug"]);
    let mut hub = builder.clone().start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "\"kept\"");
    hub.log().wait_for("it waits for more messages");
    assert_eq!(hub.stop().code(), Some(0));
    let hub = trigger(&scratch, &publisher, table, &rule("10ms")).start();
    hub.log().wait_for("kept");
}

/// How many messages each run had that has said so by `ran COUNT`, when these are so many at least.
fn runs(hub: &Hub, messages: usize) -> Vec<usize> {
    hub.log().wait_until("all have been run for", |lines| {
        let counts = lines
            .iter()
            .filter_map(|line| line.split("plugin: ran ").nth(1)?.split(' ').next()?.parse().ok());
        let counts: Vec<usize> = counts.collect();
        (counts.iter().sum::<usize>() >= messages).then_some(counts)
    })
}

#[test]
fn a_burst_is_a_handful_of_runs_though_the_hub_sets_but_a_thousand_aside() {
    for workers in [1, 4] {
        let scratch = Scratch::new();
        let mut publisher = TestPublisher::default();
        let rule = "topics = [\"t.*\"]\nshell = \"echo ran $FEDMSG_COUNT\"\nwait_for = \"3s\"";
        let hub = trigger(&scratch, &publisher, &format!("workers = {workers}"), rule).start();
        publisher.wait_for_subscriber("t.");
        for n in 0..3000 {
            publisher.publish(&format!("t.{}", n % 7), "{}");
        }
        let runs = runs(&hub, 3000);
        // They would be three or four; the machine may be slow.
        assert!(runs.len() < 30 && runs.iter().sum::<usize>() == 3000, "{runs:?}");
    }
}

#[test]
fn messages_that_wait_or_are_run_for_when_the_hub_is_killed_have_few_runs_at_the_next_start() {
    let scratch = Scratch::new();
    let fifo = make_fifo(&scratch);
    let mut publisher = TestPublisher::default();
    let rule = |line: &str| format!("topics = [\"t\"]\nshell = \"{line}\"\nwait_for = \"1s\"");
    let waits = rule(&format!("echo begun; read -r _ < {}", fifo.display()));
    let mut first = trigger(&scratch, &publisher, "workers = 2\nordering = \"none\"", &waits).start();
    publisher.wait_for_subscriber("t");
    for _ in 0..20 {
        publisher.publish("t", "{}");
    }
    first.log().wait_for("begun");
    for _ in 0..20 {
        publisher.publish("t", "{}");
    }
    first.process.signal(Signal::KILL);
    first.process.wait();
    let hub = trigger(&scratch, &publisher, "", &rule("echo ran $FEDMSG_COUNT")).start();
    let runs = runs(&hub, 20);
    assert!(runs.len() < 10, "{runs:?}");
}

fn make_fifo(scratch: &Scratch) -> PathBuf {
    let path = scratch.join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Says when somebody has opened it to write, and when nobody who has is left.
fn watch(fifo: &Path) -> Receiver<()> {
    let (say, said) = mpsc::channel();
    let fifo = fifo.to_owned();
    std::thread::spawn(move || {
        let mut open = File::open(fifo).unwrap();
        say.send(()).unwrap();
        open.read_to_end(&mut Vec::new()).unwrap();
        say.send(()).unwrap();
    });
    said
}

#[test]
fn no_command_outlives_the_hub_and_what_it_was_at_comes_again_at_the_next_start() {
    for signal in [Signal::TERM, Signal::KILL] {
        let scratch = Scratch::new();
        let (fifo, second) = (make_fifo(&scratch), scratch.join("second"));
        let mut publisher = TestPublisher::default();
        // Shell and child have the pipe open, and would go on for long.
        let rule = format!(
            "topics = [\"t\"]\nshell = \"test -e {} && exec cat; exec 9> {}; sleep 1000 & wait\"",
            second.display(),
            fifo.display()
        );
        let hub = trigger(&scratch, &publisher, "", &rule).arguments(&["--set", "hub.drain_deadline=100ms"]);
        let mut first = hub.clone().start();
        publisher.wait_for_subscriber("t");
        let said = watch(&fifo);
        publisher.publish("t", "\"kept\"");
        said.recv_timeout(DEADLINE).expect("the command begins");
        first.process.signal(signal);
        let expected = (signal == Signal::TERM).then_some(6);
        assert_eq!(first.process.wait().code(), expected);
        said.recv_timeout(DEADLINE).expect("the command and its child end");
        fs::write(second, "").unwrap();
        hub.start().log().wait_for("kept");
    }
}

#[test]
fn a_rule_that_changes_while_its_command_runs_lets_it_finish_and_nothing_is_lost_or_doubled() {
    for (drain, code) in [("1m", 0), ("100ms", 4)] {
        let scratch = Scratch::new();
        let fifo = make_fifo(&scratch);
        let mut publisher = TestPublisher::default();
        let rule = |name: &str| {
            let wait = format!("test $FEDMSG_TOPIC = t.2 || read -r _ < {}", fifo.display());
            let rule = format!(
                "topics = [\"t.*\"]\nshell = \"echo {name} $FEDMSG_TOPIC; {wait}; echo done $FEDMSG_TOPIC\""
            );
            trigger(&scratch, &publisher, "", &rule)
                .arguments(&["--set", "hub.watch=false", "--set", "log.level=debug"])
                .arguments(&["--set", &format!("hub.drain_deadline={drain}")])
        };
        let (old, new) = (rule("old"), rule("new"));
        let hub = old.start();
        publisher.wait_for_subscriber("t.");
        publisher.publish("t.1", "{}");
        hub.log().wait_for("old t.1");
        let mut reload = Process::start(&scratch, "reload", new.command().arg("reload"));
        hub.log().wait_for("waits for consumers to leave");
        publisher.publish("t.2", "{}");
        if code == 0 {
            fs::write(&fifo, "\n").unwrap();
        }
        assert_eq!(reload.wait().code(), Some(code), "{:#?}", reload.stderr.all());
        if code != 0 {
            fs::write(&fifo, "\n").unwrap();
        }
        hub.log().wait_for("done t.2");
        let said = hub.log().all();
        let count = |text: &str| said.iter().filter(|line| line.contains(text)).count();
        let by_old = if code == 0 { 0 } else { 1 };
        let counts = ["old t.1", "done t.1", "new t.1", "old t.2", "new t.2", "done t.2"].map(count);
        assert_eq!(counts, [1, 1, 0, by_old, 1 - by_old, 1], "{drain}: {said:#?}");
    }
}
