//! Rules with real commands.

use std::fs;
use std::path::Path;

use plugin_api::serde_json::{Value, json};
use plugin_api::testing::Harness;
use plugin_api::{Delivery, FailureKind};
use tempfile::TempDir;

use super::*;

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

#[test]
fn messages_in_a_row_are_one_run_and_each_is_finished_by_it() {
    let folder = TempDir::new().unwrap();
    let (log, shell) = log_of(&folder);
    let mut trigger = start(json!({"row": {"topics": ["*"], "shell": shell, "wait_for": "1h"}}));
    let bodies = [&b"{\"n\":1}"[..], b"{\"n\":2}", b"{\"n\":3}"];
    for (offset, body) in (1..).zip(bodies) {
        let failure = trigger.deliver_as(&delivery(offset, 1, body)).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Retry);
        let wait = failure.retry_after().unwrap();
        assert!(wait <= Duration::from_secs(3600) && wait > Duration::from_secs(3000), "{wait:?}");
    }
    assert!(lines(&log).is_empty());
    for (offset, body) in (1..).zip(bodies) {
        trigger.deliver_as(&delivery(offset, 2, body)).unwrap();
    }
    assert_eq!(lines(&log), [r#"{"n":1} {"n":2} {"n":3}"#]);
}

#[test]
fn all_messages_of_a_run_that_failed_are_retried_and_one_that_was_given_up_is_in_no_later_run() {
    let folder = TempDir::new().unwrap();
    let (log, shell) = log_of(&folder);
    let shell = format!("{shell}; ! tail -1 {} | grep -q bad", log.display());
    let mut trigger = start(json!({"fails": {"topics": ["*"], "shell": shell, "wait_for": "1h"}}));
    let (bad, good) = (b"{\"bad\":1}", b"{\"n\":2}");
    trigger.deliver_as(&delivery(1, 1, bad)).unwrap_err();
    trigger.deliver_as(&delivery(2, 1, good)).unwrap_err();
    for offset in [1, 2] {
        let failure =
            trigger.deliver_as(&delivery(offset, 2, if offset == 1 { bad } else { good })).unwrap_err();
        assert_eq!(failure.reason(), "rule `fails`: it ended with exit code 1");
    }
    trigger.deliver_as(&delivery(2, 3, good)).unwrap();
    assert_eq!(lines(&log), [r#"{"bad":1} {"n":2}"#, r#"{"n":2}"#]);
}

#[test]
fn workers_share_what_waits() {
    let folder = TempDir::new().unwrap();
    let (log, shell) = log_of(&folder);
    let rules = json!({"shared": {"topics": ["*"], "shell": shell, "wait_for": "1h"}});
    let (mut first, mut second) = (start(rules.clone()), start(rules));
    first.deliver_as(&delivery(1, 1, b"{\"n\":1}")).unwrap_err();
    second.deliver_as(&delivery(2, 1, b"{\"n\":2}")).unwrap_err();
    first.deliver_as(&delivery(1, 2, b"{\"n\":1}")).unwrap();
    second.deliver_as(&delivery(2, 2, b"{\"n\":2}")).unwrap();
    assert_eq!(lines(&log), [r#"{"n":1} {"n":2}"#]);
}

#[test]
fn a_message_that_has_waited_in_the_journal_waits_no_more() {
    let folder = TempDir::new().unwrap();
    let (log, shell) = log_of(&folder);
    let mut trigger = start(json!({"late": {"topics": ["*"], "shell": shell, "wait_for": "10s"}}));
    let received = SystemTime::now() - Duration::from_secs(60);
    trigger.deliver_as(&Delivery { received, ..delivery(1, 1, b"{}") }).unwrap();
    assert_eq!(lines(&log), ["{}"]);
}
