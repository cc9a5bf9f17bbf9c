//! Rules with real commands.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::SystemTime;

use plugin_api::serde_json::{Value, json};
use plugin_api::testing::Harness;
use plugin_api::{Delivery, FailureKind};
use tempfile::TempDir;

use super::*;

const DEADLINE: Duration = Duration::from_secs(60);

const TOPIC: &str = "org.example.t";

#[allow(clippy::needless_pass_by_value, reason = "as the harness has it")]
fn start(rules: Value) -> Harness<Trigger> {
    Harness::start(json!({"rules": rules})).unwrap()
}

/// Each run is a line: the bodies that it had.
fn log_of(folder: &TempDir) -> (std::path::PathBuf, String) {
    let path = folder.path().join("log");
    let shell = format!("tr '\\n' ' ' >> {0}; echo >> {0}", path.display());
    (path, shell)
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

fn delivery(offset: u64, attempt: u32, body: &[u8]) -> Delivery<'_> {
    Delivery { offset, attempt, ..Delivery::new(TOPIC, body, "e") }
}

#[test]
fn the_sample_is_right() {
    let sample = toml::from_str(include_str!("../sample.toml")).unwrap();
    // The hub takes its own keys before the plugin sees the table.
    let mut sample: Value = sample;
    for key in ["on_retry", "workers"] {
        sample["fedmsg"]["consumers"]["trigger"].as_object_mut().unwrap().remove(key).unwrap();
    }
    let wants = Harness::<Trigger>::describe_sample(sample).unwrap();
    assert_eq!(wants.topics.len(), 4);
}

#[test]
fn a_rule_that_cannot_be_is_named_with_its_mend() {
    for (rule, says) in [
        (json!({"topics": ["*"]}), "either `command`"),
        (json!({"topics": ["*"], "shell": "x", "command": ["y"]}), "either `command`"),
        (json!({"topics": ["*"], "command": []}), "`command` is empty"),
        (json!({"topics": [], "shell": "x"}), "`topics` is empty"),
        (json!({"topics": ["*"], "shell": "x", "tiemout": "1s"}), "tiemout"),
    ] {
        let error = Harness::<Trigger>::describe(json!({"rules": {"mine": rule}})).err().unwrap();
        assert!(error.to_string().contains(says) && error.to_string().contains("mine"), "{error}");
    }
    assert!(Harness::<Trigger>::start(json!({"rules": {}})).err().unwrap().reason().contains("no rule"));
}

#[test]
fn a_message_is_finished_when_its_command_has_ended_well_and_else_it_is_retried() {
    let folder = TempDir::new().unwrap();
    let flag = folder.path().join("flag");
    let mut trigger =
        start(json!({"flag": {"topics": ["*.t"], "shell": format!("test -e {}", flag.display())}}));
    let failure = trigger.deliver(TOPIC, json!({})).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Retry);
    assert_eq!(failure.reason(), "rule `flag`: it ended with exit code 1");
    trigger.deliver("org.example.other", json!({})).unwrap();
    fs::write(flag, "").unwrap();
    trigger.deliver(TOPIC, json!({})).unwrap();
}

#[test]
fn what_a_command_prints_is_in_the_log() {
    let mut trigger = start(json!({"prints": {"topics": ["*"], "shell": "echo out; echo err >&2"}}));
    trigger.deliver(TOPIC, json!({})).unwrap();
    let logs = trigger.logs();
    let said: Vec<_> = logs.iter().map(|log| &*log.message).filter(|text| *text != "running").collect();
    assert_eq!(said, ["out", "err"]);
    assert!(logs.iter().all(|log| log.fields[0] == ("rule".to_owned(), "prints".to_owned())), "{logs:?}");
}

#[test]
fn a_rule_that_succeeded_does_not_run_again_because_another_failed() {
    let folder = TempDir::new().unwrap();
    let (log, shell) = log_of(&folder);
    let mut trigger = start(json!({
        "good": {"topics": ["*"], "shell": shell}, "bad": {"topics": ["*"], "command": ["false"]},
    }));
    for attempt in 1..4 {
        trigger.deliver_as(&delivery(7, attempt, b"{}")).unwrap_err();
    }
    assert_eq!(lines(&log), ["{}"]);
}

/// Two workers with this rule. For the first, `wait_for` is never over; for the second, it is at once.
fn workers(name: &str, shell: &str) -> [Harness<Trigger>; 2] {
    ["1h", "1ns"].map(|wait| start(json!({name: {"topics": ["*"], "shell": shell, "wait_for": wait}})))
}

fn is_wanted_later(result: Result<(), Failure>) -> bool {
    result.is_err_and(|failure| failure.kind() == FailureKind::Later)
}

#[test]
fn messages_in_a_row_are_one_run_whichever_worker_has_them_and_each_is_finished_by_it() {
    let folder = TempDir::new().unwrap();
    let (log, shell) = log_of(&folder);
    let [mut waits, mut runs] = workers("row", &shell);
    let bodies = [&b"{\"n\":1}"[..], b"{\"n\":2}", b"{\"n\":3}"];
    for (offset, body) in (1..).zip(bodies) {
        let failure = waits.deliver_as(&delivery(offset, 1, body)).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Later);
        let wait = failure.retry_after().unwrap();
        assert!(wait <= Duration::from_millis(3_600_001) && wait > Duration::from_secs(3000), "{wait:?}");
    }
    assert!(lines(&log).is_empty());
    runs.deliver_as(&delivery(2, 1, bodies[1])).unwrap();
    for (offset, body) in (1..).zip(bodies).filter(|(offset, _)| *offset != 2) {
        waits.deliver_as(&delivery(offset, 1, body)).unwrap();
    }
    assert_eq!(lines(&log), [r#"{"n":1} {"n":2} {"n":3}"#]);
}

#[test]
fn what_has_waited_in_the_journal_or_has_failed_before_waits_for_others_all_the_same() {
    let [mut waits, _] = workers("late", "true");
    let received = SystemTime::now() - Duration::from_secs(7200);
    assert!(is_wanted_later(waits.deliver_as(&Delivery { received, ..delivery(1, 1, b"{}") })));
    assert!(is_wanted_later(waits.deliver_as(&delivery(2, 3, b"{}"))));
    assert!(is_wanted_later(waits.deliver_as(&Delivery { replayed: true, ..delivery(3, 1, b"{}") })));
}

#[test]
fn all_messages_of_a_run_that_failed_are_retried_and_one_that_was_given_up_is_in_no_later_run() {
    let folder = TempDir::new().unwrap();
    let (log, shell) = log_of(&folder);
    let shell = format!("{shell}; ! tail -1 {} | grep -q bad", log.display());
    let [mut waits, mut runs] = workers("fails", &shell);
    let bodies = [&b"{\"bad\":1}"[..], b"{\"n\":2}", b"{\"n\":3}"];
    for (offset, body) in (1..).zip(bodies) {
        assert!(is_wanted_later(waits.deliver_as(&delivery(offset, 1, body))));
    }
    for (offset, body) in (1..).zip(bodies) {
        let failure = runs.deliver_as(&delivery(offset, 1, body)).unwrap_err();
        assert_eq!(
            (failure.kind(), failure.reason()),
            (FailureKind::Retry, "rule `fails`: it ended with exit code 1")
        );
    }
    // The hub gives the first two up.
    runs.deliver_as(&delivery(3, 2, bodies[2])).unwrap();
    assert_eq!(lines(&log), [r#"{"bad":1} {"n":2} {"n":3}"#, r#"{"n":3}"#]);
}

#[test]
fn while_a_run_is_under_way_other_workers_go_on_and_what_comes_has_the_next_one() {
    let folder = TempDir::new().unwrap();
    let (log, shell) = log_of(&folder);
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let [_, mut runs] = workers("slow", &format!("read -r _ < {}; {shell}", fifo.display()));
    let run = thread::spawn(move || {
        runs.deliver_as(&delivery(1, 1, b"{\"n\":1}")).unwrap();
        runs
    });
    // It opens when the command does.
    let mut opened = OpenOptions::new().write(true).open(&fifo).unwrap();
    let [_, mut other] = workers("slow", &shell);
    let (say, said) = mpsc::channel();
    let other = thread::spawn(move || {
        // The first may be with another worker again: its wait is over, and its run is not.
        for (offset, body) in [(1, b"{\"n\":1}"), (2, b"{\"n\":2}"), (3, b"{\"n\":3}")] {
            say.send(is_wanted_later(other.deliver_as(&delivery(offset, 1, body)))).unwrap();
        }
        other
    });
    for _ in 0..3 {
        assert!(said.recv_timeout(DEADLINE).expect("it does not stand still"));
    }
    opened.write_all(b"\n").unwrap();
    drop(opened);
    let (mut runs, mut other) = (run.join().unwrap(), other.join().unwrap());
    other.deliver_as(&delivery(2, 1, b"{\"n\":2}")).unwrap();
    runs.deliver_as(&delivery(3, 1, b"{\"n\":3}")).unwrap();
    assert_eq!(lines(&log), [r#"{"n":1}"#, r#"{"n":2} {"n":3}"#]);
}

#[test]
fn while_one_rule_waits_a_failure_of_another_is_kept_and_told_later() {
    let folder = TempDir::new().unwrap();
    let (log, shell) = log_of(&folder);
    let rules = |wait: &str| {
        start(json!({
            "gathers": {"topics": ["*"], "shell": "true", "wait_for": wait},
            "fails_at_once": {"topics": ["*"], "shell": format!("{shell}; exit 7")},
        }))
    };
    let (mut waits, mut runs) = (rules("1h"), rules("1ns"));
    for _ in 0..3 {
        assert!(is_wanted_later(waits.deliver_as(&delivery(1, 1, b"{}"))));
        assert_eq!(lines(&log).len(), 1);
    }
    for attempt in 1..3 {
        let failure = runs.deliver_as(&delivery(1, attempt, b"{}")).unwrap_err();
        assert_eq!(failure.reason(), "rule `fails_at_once`: it ended with exit code 7");
        assert_eq!(lines(&log).len(), usize::try_from(attempt).unwrap());
    }
}

#[test]
fn what_a_command_prints_beyond_a_limit_is_counted_and_said() {
    let mut trigger = start(json!({"talks": {"topics": ["*"], "shell": "yes | head -1500"}}));
    trigger.deliver(TOPIC, json!({})).unwrap();
    let logs = trigger.logs();
    assert_eq!(logs.iter().filter(|log| log.message == "y").count(), 1000);
    let last = logs.last().unwrap();
    assert_eq!(last.message, "it printed more lines than are logged of one run");
    assert!(last.fields.contains(&("unlogged".to_owned(), "500".to_owned())), "{last:?}");
    assert_eq!(trigger.counts()["unlogged_lines"], 500);
}

#[test]
fn the_hub_is_told_how_long_a_message_may_take_when_all_rules_are_for_it() {
    let rules = json!({"rules": {
        "one": {"topics": ["a"], "shell": "true", "timeout": "2h"}, "two": {"topics": ["*"], "shell": "true"},
    }});
    let patience = Harness::<Trigger>::describe(rules).unwrap().patience.unwrap();
    assert_eq!(patience, Duration::from_secs(2 * 3600 + 600) + 2 * exec::GRACE);
}
