//! The socket's file, and who comes by it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use control::{Client, Command, ControlError, Hub, Server};

use crate::harness::{State, ask_at};

#[test]
fn the_socket_is_for_its_owner_alone() {
    let state = State::new();
    let _server = state.serve();
    let mode = fs::metadata(state.path().join("control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn nothing_but_the_socket_is_left_behind_by_making_it() {
    let state = State::new();
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let server = state.serve();
    assert_eq!(names().len(), before.len() + 1);
    drop(server);
    assert_eq!(names(), before);
}

#[test]
fn the_socket_of_a_dead_hub_is_replaced() {
    let state = State::new();
    // Nobody listens any more, but the file is there.
    drop(UnixListener::bind(state.path().join("control.sock")).unwrap());
    assert!(Client::find(state.path()).unwrap().is_none());
    let _server = state.serve();
    assert_eq!(ask_at(state.path(), &Command::Verify).unwrap().len(), 1);
}

#[test]
fn a_hub_can_be_started_again_and_again() {
    let state = State::new();
    for _ in 0..20 {
        let _server = state.serve();
        assert_eq!(ask_at(state.path(), &Command::Verify).unwrap().len(), 1);
    }
    assert!(Client::find(state.path()).unwrap().is_none());
}

#[test]
fn a_path_that_no_socket_can_have_is_named() {
    let state = State::new();
    let long = state.path().join("x".repeat(100));
    let hub: Arc<dyn Hub> = state.hub.clone();
    let started = Server::start(&long, Arc::clone(&state.journal), hub);
    assert!(matches!(started.unwrap_err(), ControlError::PathTooLong { .. }));
    assert!(matches!(Client::find(&long).unwrap_err(), ControlError::PathTooLong { .. }));
}

#[test]
fn the_longest_path_that_a_socket_can_have_does() {
    let state = State::new();
    let room = 107 - "/control.sock".len() - state.path().as_os_str().len() - 1;
    let long = state.path().join("x".repeat(room));
    fs::create_dir(&long).unwrap();
    let hub: Arc<dyn Hub> = state.hub.clone();
    let _server = Server::start(&long, Arc::clone(&state.journal), hub).unwrap();
    assert!(Client::find(&long).unwrap().is_some());
}
