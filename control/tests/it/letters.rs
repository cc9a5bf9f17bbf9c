//! Dead letters and consumers: what an operator may change, with and without a hub.

use std::os::unix::fs::chown;

use control::{Command, ControlError, Refusal, Selection};
use journal::{Archive, Journal, Offset, Options, Start};
use rustix::process::geteuid;
use serde_json::{Value, json};

use crate::harness::{State, ask_at, these};

fn there(letters: &[journal::DeadLetter]) -> Vec<(u64, &str, bool)> {
    letters.iter().map(|letter| (letter.offset.0, letter.consumer.as_str(), letter.requeued)).collect()
}

fn refusal(error: ControlError) -> Refusal {
    match error {
        ControlError::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn purge(selection: Selection) -> Command {
    Command::Purge { selection, pretend: false }
}

/// Four dead letters, one of which is being delivered again.
fn state() -> State {
    let mut state = State::new();
    state.fill(10);
    for (offset, consumer, requeued) in [(1, "a", false), (2, "a", true), (3, "a", false), (3, "b", false)] {
        state.bury(offset, consumer, requeued);
    }
    state
}

#[test]
fn dead_letters_are_selected_by_consumer_and_by_offset() {
    let state = state();
    let _server = state.serve();
    let list = |selection| {
        let replies = ask_at(state.path(), &Command::DeadLetters { selection, messages: false }).unwrap();
        let letter = |reply: &Value| {
            let letter = &reply["dead_letter"];
            (letter["offset"].as_u64().unwrap(), letter["consumer"].as_str().unwrap().to_owned())
        };
        replies.iter().map(letter).collect::<Vec<_>>()
    };
    let (a, b) = ("a".to_owned(), "b".to_owned());
    assert_eq!(list(these(None, &[])), [(1, a.clone()), (2, a.clone()), (3, a.clone()), (3, b.clone())]);
    assert_eq!(list(these(Some("b"), &[])), [(3, b.clone())]);
    assert_eq!(list(these(None, &[3, 1])), [(1, a.clone()), (3, a.clone()), (3, b)]);
    assert_eq!(list(these(Some("a"), &[3])), [(3, a)]);
    assert!(list(these(Some("nobody"), &[])).is_empty());
}

#[test]
fn a_dead_letter_is_shown_with_what_was_said_and_with_its_message() {
    let state = state();
    let _server = state.serve();
    let command = Command::DeadLetters { selection: these(Some("b"), &[3]), messages: true };
    let expected = json!({"dead_letter": {
        "offset": 3, "consumer": "b", "attempts": 5, "error": "no luck with 3", "redelivering": false,
        "first": "2023-11-14T22:15:00Z", "last": "2023-11-14T22:16:40Z",
        "message": {
            "offset": 3, "received": "2023-11-14T22:13:23Z", "endpoint": "bus", "topic": "org.example.odd",
            "body": {"n": 3},
        },
    }});
    assert_eq!(ask_at(state.path(), &command).unwrap(), [expected]);
}

#[test]
fn requeued_letters_are_fetched_by_a_consumer_that_runs() {
    let state = state();
    state.hub.running.lock().unwrap().push("a".into());
    let _server = state.serve();
    let replies = ask_at(state.path(), &Command::Requeue { selection: Selection::default() }).unwrap();
    let requeued =
        |offset, consumer, now| json!({"requeued": {"offset": offset, "consumer": consumer, "now": now}});
    // The second letter of `a` is under way already.
    assert_eq!(replies, [requeued(1, "a", true), requeued(3, "a", true), requeued(3, "b", false)]);
    let fetched = [("a".to_owned(), Offset(1)), ("a".to_owned(), Offset(3)), ("b".to_owned(), Offset(3))];
    assert_eq!(*state.hub.redelivered.lock().unwrap(), fetched);
    assert!(state.journal.dead_letters().iter().all(|letter| letter.requeued));
}

#[test]
fn a_letter_requeued_without_a_hub_is_marked_for_its_next_start() {
    let folder = state().stop();
    let replies = ask_at(folder.path(), &Command::Requeue { selection: these(Some("b"), &[]) }).unwrap();
    assert_eq!(replies, [json!({"requeued": {"offset": 3, "consumer": "b", "now": false}})]);
    let opened = Journal::open(folder.path(), &Options::default()).unwrap();
    let letters = opened.journal.dead_letters();
    assert_eq!(there(&letters), [(1, "a", false), (2, "a", true), (3, "a", false), (3, "b", true)]);
}

#[test]
fn purged_letters_are_gone_but_not_those_under_way_unless_named() {
    let state = state();
    state.journal.register("a", Start::New).unwrap();
    let server = state.serve();
    let selection = these(Some("a"), &[]);
    let told = ask_at(state.path(), &Command::Purge { selection: selection.clone(), pretend: true }).unwrap();
    assert_eq!(state.journal.dead_letters().len(), 4);
    let purged = ask_at(state.path(), &purge(selection)).unwrap();
    assert_eq!(purged, told);
    let offsets: Vec<_> = purged.iter().map(|reply| reply["dead_letter"]["offset"].clone()).collect();
    assert_eq!(offsets, [1, 3]);
    assert_eq!(there(&state.journal.dead_letters()), [(2, "a", true), (3, "b", false)]);
    drop(server);
    let folder = state.stop();
    let named = these(None, &[2]);
    let told = ask_at(folder.path(), &Command::Purge { selection: named.clone(), pretend: true }).unwrap();
    assert_eq!(ask_at(folder.path(), &purge(named)).unwrap(), told);
    let archive = Archive::open(folder.path()).unwrap();
    let left: Vec<_> = archive.dead_letters().cloned().collect();
    assert_eq!(there(&left), [(3, "b", false)]);
}

#[test]
fn letters_that_nobody_will_ever_have_are_purged_even_if_requeued() {
    let state = state();
    let _server = state.serve();
    // `a` has no place in the journal, as after `consumer forget`.
    ask_at(state.path(), &purge(these(Some("a"), &[]))).unwrap();
    assert_eq!(there(&state.journal.dead_letters()), [(3, "b", false)]);
}

#[test]
fn nothing_is_done_if_one_of_the_named_letters_is_not_there() {
    let state = state();
    let before = state.journal.dead_letters();
    let server = state.serve();
    for offsets in [&[1, 9], &[9, 1]] {
        let selection = these(Some("a"), offsets);
        for command in [purge(selection.clone()), Command::Requeue { selection }] {
            let refusal = refusal(ask_at(state.path(), &command).unwrap_err());
            assert_eq!(refusal, Refusal::NoDeadLetter { offset: 9, consumer: Some("a".into()) });
        }
    }
    assert_eq!(state.journal.dead_letters(), before);
    drop(server);
}

#[test]
fn a_consumer_is_forgotten_unless_it_runs() {
    let state = state();
    for consumer in ["a", "b"] {
        state.journal.register(consumer, Start::Earliest).unwrap();
    }
    state.hub.running.lock().unwrap().push("a".into());
    let server = state.serve();
    let forget = |consumer: &str| Command::Forget { consumer: consumer.into() };
    let no = |consumer| refusal(ask_at(state.path(), &forget(consumer)).unwrap_err());
    assert_eq!(no("a"), Refusal::ConsumerRuns { consumer: "a".into() });
    assert_eq!(no("c"), Refusal::UnknownConsumer { consumer: "c".into() });
    assert!(ask_at(state.path(), &forget("b")).unwrap().is_empty());
    assert_eq!(no("b"), Refusal::UnknownConsumer { consumer: "b".into() });
    drop(server);
    let folder = state.stop();
    ask_at(folder.path(), &forget("a")).unwrap();
    assert!(Archive::open(folder.path()).unwrap().consumers().is_empty());
    // The dead letters stay.
    assert_eq!(Archive::open(folder.path()).unwrap().dead_letters().count(), 4);
}

#[test]
fn nobody_changes_the_files_of_a_hub_that_has_no_socket() {
    let state = state();
    let error = ask_at(state.path(), &purge(Selection::default())).unwrap_err();
    assert!(matches!(error, ControlError::NotReady { .. }), "{error:?}");
    // Looking is free.
    assert_eq!(ask_at(state.path(), &Command::Verify).unwrap().len(), 1);
}

#[test]
fn what_would_shut_the_hub_out_is_refused() {
    let folder = state().stop();
    if !geteuid().is_root() {
        // Only root can be another user, and only root can make it somebody else's here.
        return;
    }
    chown(folder.path(), Some(12345), None).unwrap();
    let error = ask_at(folder.path(), &purge(Selection::default())).unwrap_err();
    assert!(matches!(error, ControlError::NotOwner { owner: 12345, user: 0, .. }), "{error:?}");
    assert_eq!(Archive::open(folder.path()).unwrap().dead_letters().count(), 4);
}
