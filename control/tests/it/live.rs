//! What goes on until somebody ends it: followers and replays.

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use control::{Answer, Bound, Command, ControlError, Fault, Refusal, ReplayProgress, Reply, Span};
use journal::{DeadLetter, Gap, GapCause, Offset};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, State, ask_at, wait_until};

fn follow(last: u64) -> Command {
    let span = Span::default();
    Command::Messages { span, last: Some(last), topics: Vec::new(), follow: true }
}

fn replay() -> Command {
    let span = Span { from: Some(Bound::Offset(10)), to: Some(Bound::Offset(50)) };
    Command::Replay { consumer: "a".into(), span }
}

/// Reads an answer to its end on a thread of its own: its lines, and how it ended.
fn read(mut answer: Answer) -> Receiver<Result<Value, Option<ControlError>>> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        loop {
            let line = match answer.next_reply() {
                Ok(Some(Reply::Progress(_) | Reply::Alive {})) => continue,
                Ok(Some(reply)) => Ok(serde_json::to_value(&reply).unwrap()),
                Ok(None) => Err(None),
                Err(error) => Err(Some(error)),
            };
            let over = line.is_err();
            if sender.send(line).is_err() || over {
                return;
            }
        }
    });
    lines
}

#[test]
fn a_follower_gets_what_was_there_and_what_comes() {
    let mut state = State::new();
    state.fill(10);
    let _server = state.serve();
    let lines = read(state.client().ask(&follow(2)).unwrap());
    let next = || lines.recv_timeout(PATIENCE).unwrap().unwrap()["message"]["offset"].take();
    assert_eq!([next(), next()], [8, 9]);
    state.fill(2);
    assert_eq!([next(), next()], [10, 11]);
}

#[test]
fn who_waits_is_told_that_the_hub_is_alive() {
    let mut state = State::new();
    state.fill(1);
    state.hub.running.lock().unwrap().push("a".into());
    let _server = state.serve();
    let mut follower = state.client().ask(&follow(0)).unwrap();
    assert!(matches!(follower.next_reply().unwrap(), Some(Reply::Alive {})));
    let mut replay = state.client().ask(&replay()).unwrap();
    for _ in 0..2 {
        assert!(matches!(replay.next_reply().unwrap(), Some(Reply::Replay(_))));
    }
}

#[test]
fn who_waits_for_a_reload_is_told_that_the_hub_is_alive_and_then_what_became_of_it() {
    let state = State::new();
    let _server = state.serve();
    let mut answer = state.client().ask(&Command::Reload).unwrap();
    assert!(matches!(answer.next_reply().unwrap(), Some(Reply::Alive {})));
    let refusal = Refusal::NotReloaded { fault: Fault::Configuration, message: "played".to_owned() };
    state.hub.reload.lock().unwrap().take().unwrap().send(Err(refusal)).unwrap();
    assert!(matches!(answer.next_reply(), Err(ControlError::Refused(Refusal::NotReloaded { .. }))));
}

#[test]
fn a_follower_may_leave_at_any_time() {
    let state = State::new();
    let _server = state.serve();
    // Each has a place among those who are served, and there are fewer places than that.
    for _ in 0..100 {
        let answer = state.client().ask(&follow(0)).unwrap();
        drop(answer);
    }
    wait_until("room for another", || match ask_at(state.path(), &Command::Verify) {
        Ok(_) => true,
        Err(ControlError::Refused(Refusal::Busy { .. })) => false,
        Err(other) => panic!("{other}"),
    });
}

#[test]
fn a_follower_is_told_that_the_hub_stops() {
    let mut state = State::new();
    state.fill(1);
    let server = state.serve();
    let lines = read(state.client().ask(&follow(1)).unwrap());
    lines.recv_timeout(PATIENCE).unwrap().unwrap();
    drop(server);
    let end = lines.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(matches!(end, Some(ControlError::Refused(Refusal::Stopping))), "{end:?}");
}

#[test]
fn a_follower_ends_with_the_journal() {
    let mut state = State::new();
    state.fill(1);
    let _server = state.serve();
    let lines = read(state.client().ask(&follow(1)).unwrap());
    lines.recv_timeout(PATIENCE).unwrap().unwrap();
    state.journal.close().unwrap();
    assert!(lines.recv_timeout(PATIENCE).unwrap().unwrap_err().is_none());
}

#[test]
fn only_a_running_hub_can_be_followed_or_replay() {
    let folder = State::new().stop();
    for command in [follow(1), replay()] {
        let error = ask_at(folder.path(), &command).unwrap_err();
        assert!(matches!(error, ControlError::Refused(Refusal::NotRunning)), "{error:?}");
    }
}

#[test]
fn a_replay_ends_with_what_it_has_done() {
    let mut state = State::new();
    state.fill(100);
    state.hub.running.lock().unwrap().push("a".into());
    // One from before does not count, nor one of another consumer.
    state.bury(11, "a", false);
    state.bury(12, "b", false);
    let _server = state.serve();
    let lines = read(state.client().ask(&replay()).unwrap());
    let next = || lines.recv_timeout(PATIENCE).unwrap();
    assert_eq!(next().unwrap()["replay"]["position"], 10);
    let now = std::time::SystemTime::now();
    let letter = DeadLetter {
        offset: Offset(20),
        consumer: "a".into(),
        attempts: 5,
        first: now,
        last: now,
        error: String::new(),
        requeued: false,
        in_hand: false,
    };
    state.journal.bury(letter).unwrap();
    let sender = state.hub.replay.lock().unwrap().take().unwrap();
    let gap = Some(Gap { offsets: Offset(30)..Offset(33), cause: GapCause::Damaged });
    sender.send(ReplayProgress { position: Offset(33), delivered: 20, gap }).unwrap();
    sender.send(ReplayProgress { position: Offset(50), delivered: 37, gap: None }).unwrap();
    drop(sender);
    // It may have been told of the way there, too.
    let replies: Vec<_> = lines.iter().take_while(Result::is_ok).map(Result::unwrap).collect();
    let gap = replies.iter().find(|reply| reply.get("gap").is_some()).unwrap();
    assert_eq!(gap["gap"], json!({"from": 30, "to": 33, "cause": "damaged"}));
    let expected =
        r#"{"replay":{"from":10,"position":50,"to":50,"delivered":37,"dead_lettered":1,"missing":3}}"#;
    assert_eq!(*replies.last().unwrap(), serde_json::from_str::<Value>(expected).unwrap());
}

#[test]
fn a_replay_ends_when_its_client_goes() {
    let mut state = State::new();
    state.fill(100);
    state.hub.running.lock().unwrap().push("a".into());
    let _server = state.serve();
    let mut answer = state.client().ask(&replay()).unwrap();
    answer.next_reply().unwrap().unwrap();
    let sender = state.hub.replay.lock().unwrap().take().unwrap();
    let hang_up = answer.hang_up().unwrap();
    let reader = thread::spawn(move || while let Ok(Some(_)) = answer.next_reply() {});
    hang_up.now();
    reader.join().unwrap();
    let one = ReplayProgress { position: Offset(11), delivered: 1, gap: None };
    wait_until("the end of the replay", || sender.send(one.clone()).is_err());
}

#[test]
fn a_replay_ends_when_the_hub_stops() {
    let mut state = State::new();
    state.fill(100);
    state.hub.running.lock().unwrap().push("a".into());
    let server = state.serve();
    let lines = read(state.client().ask(&replay()).unwrap());
    lines.recv_timeout(PATIENCE).unwrap().unwrap();
    let sender = state.hub.replay.lock().unwrap().take().unwrap();
    drop(server);
    let end = lines.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(matches!(end, Some(ControlError::Refused(Refusal::Stopping))), "{end:?}");
    let one = ReplayProgress { position: Offset(11), delivered: 1, gap: None };
    wait_until("the end of the replay", || sender.send(one.clone()).is_err());
}

#[test]
fn a_replay_is_refused_if_the_consumer_does_not_run() {
    let state = State::new();
    let _server = state.serve();
    let error = ask_at(state.path(), &replay()).unwrap_err();
    assert!(matches!(error, ControlError::Refused(Refusal::ConsumerDoesNotRun { .. })), "{error:?}");
}
