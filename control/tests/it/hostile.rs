//! Clients that do not do as they should: they get an answer at most, and hold up nobody.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use control::{Command, ControlError, Refusal, Reply};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, State, all, ask_at, wait_until};

fn connect(state: &State) -> UnixStream {
    let stream = UnixStream::connect(state.path().join("control.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The error that a request gets.
fn error(state: &State, request: &[u8]) -> Value {
    let mut stream = connect(state);
    // A refusal may come before all is written.
    drop(stream.write_all(request));
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str::<Value>(&line).unwrap()["error"].take()
}

#[test]
fn a_request_that_cannot_be_understood_is_refused() {
    let state = State::new();
    let _server = state.serve();
    for request in [
        "\n",
        "GET / HTTP/1.1\n",
        "{}\n",
        r#"{"version":1}"#,
        r#"{"version":1,"command":"explode"}"#,
        r#"{"version":1,"command":"stats","more":1}"#,
        r#"{"version":1,"command":{"forget":{"consumer":"a","now":true}}}"#,
        r#"{"version":1,"command":{"purge":{"selection":{"offsets":[],"ofsets":[1]},"pretend":false}}}"#,
        r#"{"version":1,"command":{"purge":{"selection":{"offsets":[]}}}}"#,
    ] {
        let error = error(&state, format!("{request}\n").as_bytes());
        assert_eq!(error["code"], "not_understood", "{request}: {error}");
    }
}

#[test]
fn a_request_of_another_version_is_refused_whatever_it_says() {
    let state = State::new();
    let _server = state.serve();
    let error = error(&state, b"{\"version\":2,\"command\":{\"dance\":[]},\"x\":1}\n");
    assert_eq!(error, json!({"code": "version", "speaks": 1}));
}

#[test]
fn a_request_without_end_is_refused() {
    let state = State::new();
    let _server = state.serve();
    assert_eq!(error(&state, &vec![b' '; 3 << 20])["code"], "no_request");
}

#[test]
fn a_request_that_breaks_off_is_refused() {
    let state = State::new();
    let _server = state.serve();
    let mut stream = connect(&state);
    stream.write_all(b"{\"version\":1").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("no_request"), "{answer}");
}

#[test]
fn silent_clients_hold_up_nobody_and_are_few() {
    let state = State::new();
    let _server = state.serve();
    let silent: Vec<_> = (0..14).map(|_| connect(&state)).collect();
    assert_eq!(ask_at(state.path(), &Command::Verify).unwrap().len(), 1);
    let more: Vec<_> = (0..10).map(|_| connect(&state)).collect();
    wait_until("a refusal", || {
        matches!(
            ask_at(state.path(), &Command::Verify),
            Err(ControlError::Refused(Refusal::Busy { most: 16 }))
        )
    });
    drop((silent, more));
    wait_until("room", || ask_at(state.path(), &Command::Verify).is_ok());
}

#[test]
fn a_client_that_does_not_read_holds_up_neither_the_others_nor_the_end() {
    let mut state = State::new();
    let body = format!("{{\"long\": \"{}\"}}", "x".repeat(1 << 20));
    for _ in 0..10 {
        state.append("org.example.long", &body);
    }
    let server = state.serve();
    // Much more than a socket takes.
    let mut answer = state.client().ask(&all()).unwrap();
    wait_until("the first message", || matches!(answer.next_reply().unwrap(), Some(Reply::Message(_))));
    state.append("org.example.more", "{}");
    assert_eq!(ask_at(state.path(), &Command::Verify).unwrap().len(), 1);
    drop(server);
    let end = std::iter::from_fn(|| answer.next_reply().map(|reply| reply.map(drop)).transpose());
    let end = end.filter_map(Result::err).next();
    assert!(matches!(end, Some(ControlError::Gone | ControlError::Refused(Refusal::Stopping))), "{end:?}");
}
