//! How a hub is doing, on the terminal, for the service manager, and for what watches Python hubs.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use e2e::process::Finished;
use e2e::{Bus, DEADLINE, Hub, HubBuilder, Process, Scratch, Signal, Terminal, binary, python_fedmsg};
use serde_json::{Value, json};

/// `fedmsg-hub` with these arguments, on the state directory of the test's hub.
fn command(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("fedmsg-hub"));
    let state = Hub::builder(scratch).state_dir();
    command.args(arguments).arg("--set").arg(format!("hub.state_dir={}", state.display()));
    command.env("FEDMSG_CONFIG", "/dev/null").env("NO_COLOR", "1");
    command
}

fn run(scratch: &Scratch, arguments: &[&str]) -> Finished {
    Process::run(scratch, "status", &mut command(scratch, arguments), "")
}

/// A hub with a recorder.
fn recorded(bus: &Bus) -> HubBuilder<'_> {
    bus.hub().recorder(&bus.recorder)
}

/// With a consumer that blocks while the file `block` is there, and is stuck at once.
fn blocking(bus: &Bus) -> HubBuilder<'_> {
    let block = bus.scratch.write("block", "");
    recorded(bus).plugin("misbehaving").config("hub.stuck_after = \"100ms\"").config(&format!(
        "misbehaving.blocks_in_consume = {{ enabled = true, file = \"{}\" }}",
        block.display()
    ))
}

fn monitoring(bus: &Bus) -> String {
    format!("ipc://{}", bus.scratch.join("monitoring").display())
}

/// A hub that reports, after some messages.
fn reporting(bus: &mut Bus) -> Hub {
    let hub = recorded(bus).config(&format!("monitoring.socket = \"{}\"", monitoring(bus))).start();
    bus.publish("t", 0..3);
    bus.recorder.wait_for(3);
    hub
}

/// Our fedmsg-check.
fn check(bus: &Bus, arguments: &[&str]) -> Finished {
    let mut command = Command::new(binary("fedmsg-check"));
    command.args(arguments).args(["--timeout", "60"]).env("FEDMSG_CONFIG", "/dev/null");
    command.arg("--set").arg(format!("monitoring.socket={}", monitoring(bus)));
    Process::run(&bus.scratch, "check", &mut command, "")
}

/// Python's.
fn python_check(bus: &Bus, arguments: &[&str]) -> Finished {
    let config = json!({"moksha.monitoring.socket": monitoring(bus), "endpoints": {}, "sign_messages": false, "validate_signatures": false});
    let mut python = python_fedmsg(&bus.scratch, "fedmsg-check", &config);
    Process::run(&bus.scratch, "python-check", python.args(["--timeout", "60"]).args(arguments), "")
}

/// The report that a check has printed behind a line of words.
fn report(check: &Finished) -> Value {
    assert!(check.status.success(), "{}", check.stderr);
    let (_, json) = check.stdout.split_once('\n').expect("a line of words");
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_table_of_a_hub_has_all_of_it_and_its_exit_code_says_whether_it_is_ready() {
    let mut bus = Bus::default();
    let none = run(&bus.scratch, &["status"]);
    assert_eq!(none.status.code(), Some(8), "{}", none.stderr);
    let counts = "misbehaving.counts_anything.enabled = true";
    let hub = blocking(&bus).config(counts).config("endpoints.down = \"tcp://127.0.0.1:1\"").start();
    let well = run(&bus.scratch, &["status"]);
    assert_eq!((well.status.code(), well.stderr.as_str()), (Some(0), ""));
    assert!(well.stdout.starts_with("hub            running for "), "{}", well.stdout);
    bus.publisher.wait_for_subscriber("t");
    bus.publisher.publish("t", r#"{"lines_left_out": 1200, "none": 0}"#);
    hub.log().wait_for("consumer blocks-in-consume has not come back");
    let stuck = run(&bus.scratch, &["status"]);
    assert_eq!((stuck.status.code(), stuck.stderr.as_str()), (Some(10), "fedmsg-hub: the hub is not ready"));
    assert!(stuck.stdout.starts_with("hub            running, NOT READY for "), "{}", stuck.stdout);
    for row in [
        &["blocks-in-consume", "running", "0", "0", "1"][..],
        &["recorder", "running", "1", "0", "0", "-", "-", "0"],
        &["CONSUMER", "COUNTED"],
        &["counts-anything", "lines_left_out", "1,200"],
        &["down", "DOWN,"],
        &["e", "connected"],
        &["NOT", "READY", "consumer", "blocks-in-consume"],
        &["warning", "endpoint", "down", "is", "not", "connected"],
    ] {
        let has = |line: &str| line.split_whitespace().take(row.len()).eq(row.iter().copied());
        assert!(stuck.stdout.lines().any(has), "{row:?} is not in {}", stuck.stdout);
    }
    let json = run(&bus.scratch, &["status", "--json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["problems"][0]["kind"], "consumer_stuck");
    std::fs::remove_file(bus.scratch.join("block")).unwrap();
}

#[test]
fn the_level_of_the_log_is_set_by_the_control_socket() {
    let bus = Bus::default();
    let mut hub = recorded(&bus).start();
    assert_eq!(run(&bus.scratch, &["log-level"]).stdout, "info");
    assert_eq!(run(&bus.scratch, &["log-level", "info,hub=debug"]).stdout, "info,hub=debug");
    // An empty one, or a word that is no level, would silence the log.
    for level in ["hub=loud", "", "nonsense"] {
        let refused = run(&bus.scratch, &["log-level", level]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(refused.stderr.contains(&format!("`{level}` is not a filter")), "{}", refused.stderr);
    }
    assert_eq!(run(&bus.scratch, &["log-level"]).stdout, "info,hub=debug");
    hub.stop();
    hub.log().wait_for("reads no further");
}

#[test]
fn a_running_hub_is_reached_though_its_configuration_is_broken_by_now() {
    let bus = Bus::default();
    let broken = bus.scratch.write("broken.toml", "broken = [");
    let ask = |arguments: &[&str]| {
        Process::run(
            &bus.scratch,
            "status",
            command(&bus.scratch, arguments).env("FEDMSG_CONFIG", &broken),
            "",
        )
    };
    assert_eq!(ask(&["status"]).status.code(), Some(3));
    let _hub = recorded(&bus).start();
    let status = ask(&["status"]);
    assert_eq!(status.status.code(), Some(0), "{}", status.stderr);
    assert!(
        status.stderr.contains("broken.toml:1: ") && status.stderr.contains("goes on"),
        "{}",
        status.stderr
    );
    assert_eq!(ask(&["reload"]).stdout, "nothing has changed");
}

#[test]
fn the_live_view_of_a_hub_that_does_not_answer_says_so_and_leaves_out_what_does_not_fit() {
    let bus = Bus::default();
    let down = (0..7).map(|n| format!("endpoints.down{n} = \"tcp://127.0.0.1:1\"\n")).collect::<String>();
    let hub = recorded(&bus).config(&down).start();
    let mut terminal = Terminal::start(&mut command(&bus.scratch, &["top"]));
    terminal.wait_for("and 3 more: fedmsg-hub status");
    hub.process.signal(Signal::STOP);
    terminal.wait_for("the hub has not answered for");
    terminal.type_in("q");
    assert_eq!(terminal.wait().code(), Some(0));
    hub.process.signal(Signal::CONT);
}

#[test]
fn pythons_fedmsg_check_reads_the_hub_and_takes_nothing_away() {
    let mut bus = Bus::default();
    let _hub = reporting(&mut bus);
    let mode = std::fs::metadata(bus.scratch.join("monitoring")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // Several in turn see the same counts.
    for _ in 0..2 {
        let checked = python_check(&bus, &["-c", "recorder", "-p", "MonitoringProducer"]);
        assert!(checked.stdout.starts_with("All consumers and producers are active!"), "{}", checked.stderr);
        let report = report(&checked);
        let consumer = &report["consumers"][0];
        assert_eq!((&consumer["headcount_in"], &consumer["headcount_out"]), (&json!(3), &json!(3)));
        assert_eq!((&consumer["backlog"], &consumer["exceptions"]), (&json!(0), &json!(0)));
        assert_eq!((&consumer["topic"], &consumer["initialized"]), (&json!(["*"]), &json!(true)));
    }
    let missing = python_check(&bus, &["-c", "nobody"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr.contains("\"nobody\" is not active!"), "{}", missing.stderr);
}

#[test]
fn our_fedmsg_check_says_what_pythons_says() {
    let mut bus = Bus::default();
    let _hub = reporting(&mut bus);
    for arguments in [&["-c", "recorder"][..], &[], &["--consumer", "nobody", "--producer", "recorder"]] {
        let (ours, pythons) = (check(&bus, arguments), python_check(&bus, arguments));
        assert_eq!(ours.status.code(), pythons.status.code(), "{arguments:?}: {}", ours.stderr);
        if ours.status.success() {
            assert_eq!(ours.stdout.lines().next(), pythons.stdout.lines().next());
            let keys = |report: Value| -> Vec<String> {
                report["consumers"][0].as_object().unwrap().keys().cloned().collect()
            };
            assert_eq!(keys(report(&ours)), keys(report(&pythons)));
        } else {
            let words = |said: &str| said.replace("fedmsg-check: ", "").replace("Error: ", "");
            assert_eq!(words(&ours.stderr), words(&pythons.stderr));
        }
    }
}

#[test]
fn our_fedmsg_check_speaks_to_nagios() {
    let mut bus = Bus::default();
    let hub = reporting(&mut bus);
    let well = check(&bus, &["--nagios", "--warning", "10"]);
    assert_eq!(well.status.code(), Some(0), "{}", well.stdout);
    let line = "FEDMSG OK - 1 consumers are active | 'recorder_backlog'=0;10;;0 'recorder_in'=3c 'recorder_out'=3c \
                'recorder_exceptions'=0c";
    assert_eq!(well.stdout, line);
    let missing = check(&bus, &["--nagios", "-c", "nobody"]);
    assert_eq!(
        (missing.status.code(), missing.stdout.as_str()),
        (Some(2), "FEDMSG CRITICAL - nobody is not active")
    );
    drop(hub);
    let mut gone = Command::new(binary("fedmsg-check"));
    gone.args(["--nagios", "--timeout", "1"]).env("FEDMSG_CONFIG", "/dev/null");
    gone.arg("--set").arg(format!("monitoring.socket={}", monitoring(&bus)));
    let gone = Process::run(&bus.scratch, "check", &mut gone, "");
    assert_eq!(gone.status.code(), Some(2));
    assert!(gone.stdout.starts_with("FEDMSG CRITICAL - no hub has reported at ipc://"), "{}", gone.stdout);
    let unset = Process::run(
        &bus.scratch,
        "check",
        Command::new(binary("fedmsg-check")).arg("--nagios").env("FEDMSG_CONFIG", "/dev/null"),
        "",
    );
    assert_eq!(unset.status.code(), Some(3));
    assert!(unset.stdout.starts_with("FEDMSG UNKNOWN - monitoring.socket is not set"), "{}", unset.stdout);
}

/// What a service manager hears.
struct Manager(UnixDatagram);

impl Manager {
    fn hear(&self) -> io::Result<String> {
        let mut said = [0; 4096];
        let read = self.0.recv(&mut said)?;
        Ok(String::from_utf8_lossy(&said[..read]).into_owned())
    }

    /// Hears on until something is said; how often WATCHDOG=1 came before.
    fn pings_until(&self, is_said: impl Fn(&str) -> bool) -> usize {
        let mut pings = 0;
        loop {
            let said = self.hear().expect("it is said in time");
            if said.lines().any(&is_said) {
                return pings;
            }
            pings += said.lines().filter(|line| *line == "WATCHDOG=1").count();
        }
    }
}

#[test]
fn the_watchdog_is_fed_unless_a_consumer_hangs_and_the_service_manager_is_told_why() {
    let mut bus = Bus::default();
    let manager = Manager(UnixDatagram::bind(bus.scratch.join("notify")).unwrap());
    manager.0.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = blocking(&bus).command();
    command.env("NOTIFY_SOCKET", bus.scratch.join("notify")).env("WATCHDOG_USEC", "400000");
    let _hub = Process::start(&bus.scratch, "hub", &mut command);
    manager.pings_until(|line| line == "READY=1");
    let well = |line: &str| {
        line.starts_with("STATUS=2 consumers, at most 0 messages behind; 1 of 1 endpoints connected")
    };
    manager.pings_until(well);
    manager.pings_until(|line| line == "WATCHDOG=1");
    bus.publish("t", 0..1);
    let stuck =
        |line: &str| line.starts_with("STATUS=NOT READY: consumer blocks-in-consume has not come back");
    manager.pings_until(stuck);
    // Five seconds on it is said again. Between, there would be room for fifty; one may have been on its way.
    assert!(manager.pings_until(stuck) <= 1);
    std::fs::remove_file(bus.scratch.join("block")).unwrap();
    manager.pings_until(|line| line == "WATCHDOG=1");
    manager.pings_until(well);
}

#[test]
fn the_watchdog_is_fed_while_a_consumer_takes_as_long_as_it_said_it_may() {
    let mut bus = Bus::default();
    let manager = Manager(UnixDatagram::bind(bus.scratch.join("notify")).unwrap());
    manager.0.set_read_timeout(Some(DEADLINE)).unwrap();
    let block = bus.scratch.write("block", "");
    let mut command = recorded(&bus)
        .plugin("misbehaving")
        .config("hub.stuck_after = \"10ms\"")
        .config(&format!(
            "misbehaving.blocks_in_consume = {{ enabled = true, file = \"{}\", patience = 3600 }}",
            block.display()
        ))
        .command();
    command.env("NOTIFY_SOCKET", bus.scratch.join("notify")).env("WATCHDOG_USEC", "400000");
    let hub = Process::start(&bus.scratch, "hub", &mut command);
    manager.pings_until(|line| line == "READY=1");
    bus.publish("t", 0..1);
    hub.stderr.wait_for("in the middle of a message");
    let busy = |line: &str| {
        assert!(!line.starts_with("STATUS=NOT READY: consumer"), "{line}");
        line.starts_with("STATUS=2 consumers, at most 1 messages behind")
    };
    manager.pings_until(busy);
    assert!(manager.pings_until(busy) > 1);
}

#[test]
fn the_live_view_shows_the_hub_on_a_small_terminal_and_q_ends_it() {
    let mut bus = Bus::default();
    let hub = recorded(&bus).config("endpoints.down = \"tcp://127.0.0.1:1\"").start();
    // Before, because of a number that changes only the digits that differ are drawn.
    bus.publish("t", 0..12_345);
    bus.recorder.wait_for(12_345);
    let mut terminal = Terminal::start(&mut command(&bus.scratch, &["top"]));
    for text in ["ready", "CONSUMER", "recorder", "ENDPOINT", "down", "quits", "12,345"] {
        terminal.wait_for(text);
    }
    // It goes on without the hub.
    drop(hub);
    terminal.wait_for("GONE");
    terminal.type_in("q");
    assert_eq!(terminal.wait().code(), Some(0));
    let plain = run(&bus.scratch, &["top"]);
    assert_eq!((plain.status.code(), plain.stdout.as_str()), (Some(2), ""));
    assert!(plain.stderr.contains("`top` draws on a terminal"), "{}", plain.stderr);
}
