//! What is answered, with and without a hub.

use std::fs;
use std::path::Path;

use control::{Access, Bound, Command, ControlError, Message, Reply, Selection, Span};
use jiff::Timestamp;
use journal::{Attempt, Ending, Mode, Offset, Options, Outcome, Refusal, Start, WhenFull};
use message::Pattern;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{State, all, ask, ask_at, at, small};

fn offsets(replies: &[Value]) -> Vec<u64> {
    replies.iter().filter_map(|reply| reply["message"]["offset"].as_u64()).collect()
}

fn time(seconds: u64) -> Option<Bound> {
    Some(Bound::Time(Timestamp::try_from(at(seconds)).unwrap()))
}

fn messages(from: Option<Bound>, to: Option<Bound>, last: Option<u64>, topics: &[&str]) -> Command {
    let topics = topics.iter().map(|topic| Pattern::new(topic)).collect();
    Command::Messages { span: Span { from, to }, last, topics, follow: false }
}

#[test]
fn the_answers_are_the_same_whether_a_hub_runs_or_not() {
    let mut state = State::new();
    state.fill(500);
    let cursor = state.journal.register("slow", Start::Earliest).unwrap();
    cursor.commit(Offset(100));
    state.bury(7, "slow", false);
    state.bury(8, "gone", true);
    let attempt =
        Attempt { consumer: "slow".into(), attempts: 1, reason: "busy".into(), ..Attempt::default() };
    let refusal = Refusal { endpoint: "bus".into(), reason: "no JSON".into() };
    for (offset, ending) in [(Some(7), Ending::DeadLettered(attempt)), (None, Ending::Malformed(refusal))] {
        let outcome = Outcome { at: at(300), offset: offset.map(Offset), ending };
        state.journal.record(&outcome).unwrap();
    }
    let commands = [
        all(),
        messages(None, None, Some(10), &[]),
        messages(None, None, Some(10), &["*.odd"]),
        messages(Some(Bound::Offset(17)), Some(Bound::Offset(19)), None, &[]),
        messages(time(450), time(460), None, &[]),
        Command::Outcomes { span: Span::default(), consumer: None },
        Command::Outcomes { span: Span::default(), consumer: Some("slow".into()) },
        Command::Verify,
        Command::DeadLetters { selection: Selection::default(), messages: true },
    ];
    let ask_all = |directory: &Path| -> Vec<Vec<Value>> {
        commands.iter().map(|command| ask_at(directory, command).unwrap()).collect()
    };
    let server = state.serve();
    let running = ask_all(state.path());
    drop(server);
    assert!(running.iter().all(|replies| !replies.is_empty()));
    let folder = state.stop();
    assert_eq!(ask_all(folder.path()), running);
}

#[test]
fn a_span_has_its_first_message_and_not_its_last() {
    let mut state = State::new();
    state.fill(300);
    let _server = state.serve();
    let ask = |command| offsets(&ask_at(state.path(), &command).unwrap());
    let span = messages(Some(Bound::Offset(17)), Some(Bound::Offset(20)), None, &[]);
    assert_eq!(ask(span), [17, 18, 19]);
    assert_eq!(ask(messages(time(290), time(293), None, &[])), [290, 291, 292]);
    assert_eq!(ask(messages(time(298), None, None, &[])), [298, 299]);
    assert_eq!(ask(messages(Some(Bound::Offset(298)), None, None, &["*.odd"])), [299]);
    assert!(ask(messages(time(1000), None, None, &[])).is_empty());
    assert!(ask(messages(Some(Bound::Offset(20)), Some(Bound::Offset(17)), None, &[])).is_empty());
}

#[test]
fn the_last_messages_of_a_topic_are_found_however_far_back_they_are() {
    let mut state = State::new();
    state.append("org.example.rare", "{}");
    state.append("org.example.rare", "{}");
    state.fill(5000);
    let last = |count, topic: &str| messages(None, None, Some(count), &[topic]);
    let expected: [(Command, &[u64]); 4] = [
        (last(3, "*.odd"), &[4997, 4999, 5001]),
        (last(1, "*.rare"), &[1]),
        (last(5, "*.rare"), &[0, 1]),
        (last(0, "*"), &[]),
    ];
    let server = state.serve();
    for (command, expected) in &expected {
        assert_eq!(offsets(&ask_at(state.path(), command).unwrap()), *expected, "{command:?}");
    }
    drop(server);
    let folder = state.stop();
    for (command, expected) in &expected {
        assert_eq!(offsets(&ask_at(folder.path(), command).unwrap()), *expected, "{command:?}");
    }
}

#[test]
fn numbers_are_told_of_the_journal_and_of_each_consumer() {
    let mut state = State::new();
    state.fill(100);
    state.journal.register("fast", Start::New).unwrap();
    state.journal.register("slow", Start::Offset(Offset(40))).unwrap();
    state.bury(7, "slow", false);
    state.bury(8, "slow", true);
    state.hub.running.lock().unwrap().push("fast".into());
    *state.hub.trouble.lock().unwrap() = Some("the disk is full".into());
    state.journal.flush().unwrap();
    let server = state.serve();
    let running = ask_at(state.path(), &Command::Stats).unwrap().remove(0)["stats"].take();
    drop(server);
    let folder = state.stop();
    let stopped = ask_at(folder.path(), &Command::Stats).unwrap().remove(0)["stats"].take();

    for stats in [&running, &stopped] {
        let is = |key: &str, value: Value| assert_eq!(stats[key], value, "{key} of {stats}");
        is("mode", json!("durable"));
        is("earliest", json!(0));
        is("next", json!(100));
        is("messages", json!(100));
        is("oldest", json!("2023-11-14T22:13:20Z"));
        is("newest", json!("2023-11-14T22:14:59Z"));
        is("dead_letters", json!(1));
        is("redelivering", json!(1));
        assert!(stats["disk_bytes"].as_u64().unwrap() > 100);
        assert!(stats["disk_free_bytes"].is_u64());
        let [fast, slow] = &stats["consumers"].as_array().unwrap()[..] else { panic!("{stats}") };
        assert_eq!(
            (&fast["name"], &fast["lag"], &fast["lag_seconds"]),
            (&json!("fast"), &json!(0), &json!(0.0))
        );
        assert_eq!((&slow["name"], &slow["next"], &slow["lag"]), (&json!("slow"), &json!(40), &json!(60)));
        assert_eq!((&slow["dead_letters"], &slow["redelivering"]), (&json!(1), &json!(1)));
        assert!(slow["lag_seconds"].as_f64().unwrap() > 0.0);
        assert_eq!(slow["running"], json!(false));
    }
    assert_eq!((&running["running"], &stopped["running"]), (&json!(true), &json!(false)));
    assert_eq!(running["consumers"][0]["running"], json!(true));
    assert_eq!(running["trouble"], json!("the disk is full"));
    assert_eq!((&running["durable"], &stopped["durable"]), (&json!(100), &Value::Null));
}

#[test]
fn a_journal_in_memory_is_the_running_hubs_only() {
    let mode = Mode::Memory { max_bytes: 1 << 20, when_full: WhenFull::DropOldest };
    let mut state = State::with(&Options { mode, ..Options::default() });
    state.fill(10);
    let server = state.serve();
    let stats = ask_at(state.path(), &Command::Stats).unwrap();
    assert_eq!(stats[0]["stats"]["mode"], json!("memory"));
    assert_eq!(stats[0]["stats"]["dropped_oldest"], json!(0));
    assert_eq!(offsets(&ask_at(state.path(), &all()).unwrap()).len(), 10);
    drop(server);
    let folder = state.stop();
    let error = ask_at(folder.path(), &Command::Stats).unwrap_err();
    assert!(matches!(error, ControlError::NoJournal { .. }), "{error:?}");
}

#[test]
fn nothing_is_made_where_there_is_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let requeue = Command::Requeue { selection: Selection::default() };
    for command in [Command::Stats, requeue] {
        let error = ask_at(folder.path(), &command).unwrap_err();
        assert!(matches!(error, ControlError::NoJournal { .. }), "{error:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn damage_is_told_where_it_is() {
    let mut state = State::new();
    state.fill(300);
    let folder = state.stop();
    let first = folder.path().join("messages/00000000000000000000.seg");
    let mut bytes = fs::read(&first).unwrap();
    let place = bytes.windows(8).position(|window| window == b"{\"n\": 3}").unwrap();
    bytes[place] ^= 1;
    fs::write(&first, bytes).unwrap();

    let replies = ask_at(folder.path(), &all()).unwrap();
    let gap = json!({"gap": {"from": 3, "to": 4, "cause": "damaged"}});
    assert_eq!(replies[3], gap);
    assert_eq!(offsets(&replies).len(), 299);
    let verified = json!({"verified": {"messages": 299, "missing": 1}});
    assert_eq!(ask_at(folder.path(), &Command::Verify).unwrap(), [gap, verified]);
}

#[test]
fn what_retention_has_removed_is_told_as_a_gap_when_asked_for() {
    let mut state = State::new();
    state.fill(300);
    let keep = journal::Retention { max_bytes: Some(4096), ..journal::Retention::default() };
    assert!(state.journal.retain(&keep, at(1000)).trouble.is_none());
    let earliest = state.journal.earliest().0;
    assert!(earliest > 0);
    let _server = state.serve();
    let replies = ask_at(state.path(), &messages(Some(Bound::Offset(5)), None, None, &[])).unwrap();
    assert_eq!(replies[0], json!({"gap": {"from": 5, "to": earliest, "cause": "retired"}}));
    assert_eq!(offsets(&replies[1..]), (earliest..300).collect::<Vec<_>>());
    assert_eq!(offsets(&ask_at(state.path(), &all()).unwrap()).len() as u64, 300 - earliest);
}

/// The line of JSON that stands for a message with this body, and whether the body is in it as it is.
fn line_of(body: &str) -> (String, bool) {
    let mut state = State::with(&small());
    state.append("org.example.t", body);
    let server = state.serve();
    let mut line = String::new();
    let mut take = |reply: Reply<'_>| {
        if let Reply::Message(message) = reply {
            assert_eq!(message.body(), body);
            line = serde_json::to_string(&message)?;
        }
        Ok(())
    };
    Access::find(state.path()).unwrap().ask(&all(), &mut take).unwrap();
    drop(server);
    let message: Message<'_> = serde_json::from_str(&line).unwrap();
    assert_eq!(message.body(), body);
    let verbatim = line.contains(&format!("\"body\":{body}}}"));
    (line, verbatim)
}

#[test]
fn a_body_is_exported_byte_for_byte() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "{}",
        r#"{"b": 1.10, "a": 1e400, "a" : 100000000000000000000000000000000000000000}"#,
        r#"{"lone": "\ud800", "escaped\u002f": "\/é"}"#,
        &deep,
    ] {
        assert!(line_of(body).1, "{body:.100}");
    }
}

#[test]
fn a_body_that_only_python_reads_is_exported_as_a_string() {
    for body in [r#"{"a": NaN}"#, r#"{"a": [-Infinity]}"#, "{\"a\":\n1}", " {}", "{} ", ""] {
        let (line, verbatim) = line_of(body);
        assert!(!verbatim && !line.contains('\n'));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["body"], &value["body_text"]), (&Value::Null, &json!(body)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_a_body_is_it_comes_through_on_one_line(body in r#"\PC{0,20}|[{}\[\]":,0-9a-zN \n\r\t\\\x00-\x1f]{0,20}|\{"a": ?(NaN|1|"[^"\\]{0,5}"|\[1,\n2\])\}"#) {
        let (line, _) = line_of(&body);
        prop_assert!(!line.contains(['\n', '\r']));
        prop_assert!(serde_json::from_str::<Value>(&line).is_ok());
    }
}

#[test]
fn an_answer_ends_when_nobody_takes_it() {
    let mut state = State::new();
    state.fill(300);
    let _server = state.serve();
    let access = Access::find(state.path()).unwrap();
    let mut seen = 0;
    let error = access.ask(&all(), &mut |_| {
        seen += 1;
        if seen < 3 { Ok(()) } else { Err(std::io::ErrorKind::BrokenPipe.into()) }
    });
    assert!(matches!(error.unwrap_err(), ControlError::Output(_)));
    assert_eq!(seen, 3);
    assert_eq!(ask(&access, &Command::Verify).unwrap().len(), 1);
}
