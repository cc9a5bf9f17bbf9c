//! Real commands, and messages that mean them no good.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use exec::{Command, Message, Output, RunError, Stop};
use tempfile::TempDir;

fn message(body: impl Into<Vec<u8>>) -> Message {
    Message {
        topic: "org.example.t".to_owned(),
        endpoint: "e".to_owned(),
        msg_id: Some("2026-1".to_owned()),
        timestamp: Some(1_795_216_482.0),
        body: body.into(),
    }
}

/// Runs it, and gives what it printed.
fn run(
    command: &Command,
    messages: &[Message],
    timeout: Option<Duration>,
) -> (Result<(), RunError>, Vec<String>) {
    let mut lines = Vec::new();
    let result = command.run(messages, timeout, None, Output::Lines(&mut |line| lines.push(line.to_owned())));
    (result, lines)
}

fn sh(script: &str) -> Command {
    Command::shell(script)
}

fn to_file(folder: &TempDir, command: &str) -> (Command, std::path::PathBuf) {
    let path = folder.path().join("out");
    (sh(&format!("{command} > {}", path.display())), path)
}

#[test]
fn hostile_messages_arrive_whole_and_run_nothing() {
    let folder = TempDir::new().unwrap();
    let trap = folder.path().join("trap");
    let evil =
        format!("'; touch {0}; ' \"; touch {0}; \" $(touch {0}) `touch {0}` | touch {0} \\", trap.display());
    let mut message = message(format!("{{\"msg\":\"{evil} \\n \\u0000 \\ud800\"}}"));
    message.topic = format!("{evil}\n\0");
    message.msg_id = Some(format!("() {{ :; }}; touch {}\n\0", trap.display()));
    message.endpoint.clone_from(&evil);
    let body = message.body.clone();
    let (command, out) = to_file(&folder, "eval : $FEDMSG_TOPIC $FEDMSG_MSG_ID $FEDMSG_ENDPOINT; cat");
    run(&command, &[message], None).0.unwrap();
    assert_eq!(fs::read(out).unwrap(), [&body[..], b"\n"].concat());
    assert!(!trap.exists());
}

#[test]
fn a_body_of_a_megabyte_and_one_that_is_not_utf8_arrive_whole() {
    let folder = TempDir::new().unwrap();
    let bodies = [vec![b'x'; 1 << 20], vec![0, 0xff, 0xfe, b'\'']];
    let (command, out) = to_file(&folder, "cat");
    run(&command, &bodies.clone().map(message), None).0.unwrap();
    assert_eq!(fs::read(out).unwrap(), bodies.map(|body| [body, b"\n".to_vec()].concat()).concat());
}

#[test]
fn each_message_is_a_line_however_its_sender_has_broken_it() {
    let (result, lines) =
        run(&Command::new("cat", [""; 0]), &[message("{\n\"a\":\r\n1}"), message("{}")], None);
    result.unwrap();
    assert_eq!(lines, ["{ \"a\":  1}", "{}"]);
}

#[test]
fn the_environment_tells_of_the_newest_message_and_how_many_there_are() {
    let script = "echo $FEDMSG_TOPIC $FEDMSG_MSG_ID $FEDMSG_TIMESTAMP $FEDMSG_ENDPOINT $FEDMSG_COUNT; \
                  echo ${NOTIFY_SOCKET-none}";
    let newest = Message { topic: "newest".to_owned(), msg_id: None, ..message("{}") };
    let (result, lines) = run(&sh(script), &[message("{}"), newest], None);
    result.unwrap();
    assert_eq!(lines, ["newest 1795216482 e 2", "none"]);
}

#[test]
fn an_argument_is_what_was_written_and_no_shell_sees_it() {
    let (result, lines) = run(&Command::new("echo", ["$HOME", "a  b", "`id`", "; id"]), &[], None);
    result.unwrap();
    assert_eq!(lines, ["$HOME a  b `id` ; id"]);
}

#[test]
fn a_command_that_never_reads_is_not_waited_for() {
    run(&Command::new("true", [""; 0]), &[message(vec![b'x'; 1 << 20])], None).0.unwrap();
}

#[test]
fn a_command_that_leaves_a_daemon_behind_with_its_output_is_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let fifo = folder.path().join("fifo");
    // It lives until somebody opens the pipe, which nobody does before the run is over.
    let script = format!("mkfifo {0}; setsid sh -c 'cat < {0}' & sleep 1 & echo done", fifo.display());
    let (result, lines) = run(&sh(&script), &[message("{}")], None);
    result.unwrap();
    assert_eq!(lines, ["done"]);
    drop(fs::OpenOptions::new().read(true).write(true).open(fifo));
}

#[test]
fn how_it_ended_is_told() {
    assert!(matches!(run(&sh("exit 7"), &[], None).0, Err(RunError::Code(7))));
    assert!(matches!(run(&sh("kill -9 $$"), &[], None).0, Err(RunError::Signal(9))));
    let error = run(&Command::new("/no/such/program", [""; 0]), &[], None).0.unwrap_err();
    assert!(error.to_string().starts_with("`/no/such/program` cannot be started: "), "{error}");
}

/// Whether a process that wrote its number there is gone.
fn is_gone(pid: &Path) -> bool {
    let pid = fs::read_to_string(pid).unwrap();
    // A zombie that nobody waits for is as good as gone.
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    state.map_or(true, |state| state.contains(") Z "))
}

fn wait_until_gone(pid: &Path) {
    let start = Instant::now();
    while !is_gone(pid) {
        assert!(start.elapsed() < Duration::from_secs(60), "it lives");
        std::thread::yield_now();
    }
}

#[test]
fn when_its_time_is_up_the_whole_group_is_ended() {
    let folder = TempDir::new().unwrap();
    let (pid, said) = (folder.path().join("pid"), folder.path().join("said"));
    // The child keeps the output open, and outlives the shell.
    let script = format!(
        "trap 'echo asked > {}; exit 0' TERM; sleep 1000 & echo $! > {}; wait",
        said.display(),
        pid.display()
    );
    let timeout = Some(Duration::from_millis(300));
    assert!(matches!(run(&sh(&script), &[], timeout).0, Err(RunError::TimedOut(_))));
    assert_eq!(fs::read_to_string(said).unwrap(), "asked\n");
    wait_until_gone(&pid);
}

#[test]
fn a_stop_ends_it() {
    let folder = TempDir::new().unwrap();
    let pid = folder.path().join("pid");
    let stop = Stop::new().unwrap();
    let mut called = false;
    // It is called when the command has said that it runs.
    let script = format!("echo $$ > {}; echo up; exec sleep 1000", pid.display());
    let result = sh(&script).run(
        &[],
        None,
        Some(&stop.clone()),
        Output::Lines(&mut |_| {
            called = true;
            stop.call();
        }),
    );
    assert!(matches!(result, Err(RunError::Stopped)) && called, "{result:?}");
    wait_until_gone(&pid);
}

#[test]
fn a_command_that_prints_without_pause_is_ended_when_its_time_is_up_and_killed_after_its_grace() {
    for script in ["exec yes", "trap '' TERM; while :; do echo y; done"] {
        let mut lines = 0_u64;
        // A log is slower than who prints, so that there is always something to be read.
        let mut slowly = |_: &str| {
            lines += 1;
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(5) {}
        };
        let timeout = Some(Duration::from_millis(100));
        let result = sh(script).run(&[], timeout, None, Output::Lines(&mut slowly));
        assert!(matches!(result, Err(RunError::TimedOut(_))) && lines > 0, "{result:?}");
    }
}

#[test]
fn what_outlives_the_command_at_its_end_has_its_grace_too() {
    // The shell dies by the signal at once; what it has started tidies up.
    let script = "(trap 'sleep 0.3; echo cleaned; exit' TERM; echo up; while :; do sleep 0.05; done) & wait";
    let stop = Stop::new().unwrap();
    let mut lines = Vec::new();
    let mut give = |line: &str| {
        lines.push(line.to_owned());
        stop.call();
    };
    let result = sh(script).run(&[], None, Some(&stop.clone()), Output::Lines(&mut give));
    assert!(matches!(result, Err(RunError::Stopped)), "{result:?}");
    // Between them a shell may say what the signal has ended.
    assert_eq!((&*lines[0], lines.last().map(|line| &**line)), ("up", Some("cleaned")));
}

#[test]
fn a_time_limit_that_no_clock_can_tell_is_none() {
    run(&Command::new("true", [""; 0]), &[], Some(Duration::MAX)).0.unwrap();
}
