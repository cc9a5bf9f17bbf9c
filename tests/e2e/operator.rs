//! The operator's commands, on hubs that run and on hubs that were stopped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use clap::Parser;
use e2e::process::Finished;
use e2e::{
    Bus, DEADLINE, Hub, HubBuilder, Process, Scratch, Signal, Terminal, TestPublisher, binary, workspace,
};
use serde_json::Value;

/// `fedmsg-hub` with these arguments, on the state directory of the test's hub.
fn command(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("fedmsg-hub"));
    let state = Hub::builder(scratch).state_dir();
    command.args(arguments).arg("--set").arg(format!("hub.state_dir={}", state.display()));
    command.env("FEDMSG_CONFIG", "/dev/null").env("NO_COLOR", "1").env("TZ", "UTC");
    command
}

fn run(scratch: &Scratch, arguments: &[&str]) -> Finished {
    Process::run(scratch, "operator", &mut command(scratch, arguments), "")
}

/// Runs one that succeeds; what it wrote to standard output.
fn ok(scratch: &Scratch, arguments: &[&str]) -> String {
    let done = run(scratch, arguments);
    assert_eq!(done.status.code(), Some(0), "{arguments:?}: {}", done.stderr);
    assert_eq!(done.stderr, "", "{arguments:?}");
    done.stdout
}

/// Runs one that fails with this code; what it said.
fn fails(scratch: &Scratch, code: i32, arguments: &[&str]) -> String {
    let done = run(scratch, arguments);
    assert_eq!(
        (done.status.code(), done.stdout.as_str()),
        (Some(code), ""),
        "{arguments:?}: {}",
        done.stderr
    );
    done.stderr
}

/// The lines of JSON.
fn json(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Asks again until the answer is as it should become.
fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !ask() {
        assert!(Instant::now() < deadline, "{what} did not come about");
    }
}

const TOPIC: &str = "org.example.t";

fn publish_poison(bus: &mut Bus) {
    bus.publisher.wait_for_subscriber("org.example.poison");
    bus.publisher.publish("org.example.poison", r#"{"answer": "retry"}"#);
}

/// A hub that has the plugin, with a consumer that fails at poison, as long as this file is there.
fn answering<'b>(bus: &'b Bus, poison: &Path) -> HubBuilder<'b> {
    bus.hub().config(&format!(
        "[answering]\nenabled = true\npath = \"{}\"\npoison = \"{}\"\nmax_attempts = 2\nretry_min = \"1ms\"",
        bus.recorder.path(),
        poison.display()
    ))
}

#[test]
fn poison_is_shown_and_delivered_again_when_the_cause_is_gone() {
    let mut bus = Bus::default();
    let poison = bus.scratch.write("poison", "");
    let _hub = answering(&bus, &poison).plugin("recorder").start();
    publish_poison(&mut bus);
    bus.publish(TOPIC, 1..2);
    // It is behind the poison, and comes when that is out of the way.
    bus.recorder.wait_for(1);
    let scratch = &bus.scratch;
    let letters = json(&ok(scratch, &["dlq", "list", "--json"]));
    assert_eq!((letters.len(), &letters[0]["offset"], &letters[0]["attempts"]), (1, &0.into(), &2.into()));
    assert!(ok(scratch, &["dlq", "list"]).contains("it asks for it, at attempt 2"));
    assert!(ok(scratch, &["dlq", "show", "0"]).contains("org.example.poison"));
    assert!(ok(scratch, &["consumer", "list"]).contains("answering"));

    // The cause is not gone yet.
    assert_eq!(ok(scratch, &["dlq", "requeue", "--all"]), "requeued 1, to be delivered now");
    until("the same letter", || {
        let letters = json(&ok(scratch, &["dlq", "list", "--json"]));
        letters[0]["redelivering"] == false && letters[0]["attempts"] == 4
    });
    fs::remove_file(poison).unwrap();
    ok(scratch, &["dlq", "requeue", "0", "--consumer", "answering"]);
    let again = bus.recorder.wait_until("the poison", |record| record["topic"] == "org.example.poison");
    assert_eq!(again["offset"], 0);
    until("no letter", || ok(scratch, &["dlq", "list"]) == "no dead letters");
    let outcomes = json(&ok(scratch, &["journal", "export", "--outcomes", "--consumer", "answering"]));
    assert!(outcomes.iter().any(|outcome| outcome["ending"] == "dead_lettered" && outcome["offset"] == 0));
}

#[test]
fn poison_requeued_while_the_hub_is_stopped_is_delivered_at_its_start() {
    let mut bus = Bus::default();
    let poison = bus.scratch.write("poison", "");
    let mut hub = answering(&bus, &poison).plugin("recorder").start();
    publish_poison(&mut bus);
    bus.publish(TOPIC, 1..2);
    bus.recorder.wait_for(1);
    hub.stop();
    fs::remove_file(&poison).unwrap();
    let said = ok(&bus.scratch, &["dlq", "requeue", "--consumer", "answering"]);
    assert_eq!(said, "requeued 1, to be delivered when answering next starts");
    assert_eq!(ok(&bus.scratch, &["dlq", "requeue", "--all"]), "nothing to requeue");
    // The first hub's, in the way of the second.
    fs::remove_file(bus.scratch.join("hub.notify")).unwrap();
    let _hub = answering(&bus, &poison).start();
    bus.recorder.wait_until("the poison", |record| record["topic"] == "org.example.poison");
}

#[test]
fn a_purge_asks_on_a_terminal_and_refuses_to_where_there_is_none() {
    let mut bus = Bus::default();
    let poison = bus.scratch.write("poison", "");
    let _hub = answering(&bus, &poison).plugin("recorder").start();
    publish_poison(&mut bus);
    bus.publish(TOPIC, 1..2);
    bus.recorder.wait_for(1);
    let scratch = &bus.scratch;
    assert!(fails(scratch, 2, &["dlq", "purge", "--all"]).contains("--yes"));
    assert!(fails(scratch, 2, &["dlq", "purge"]).contains("--all"));
    assert!(fails(scratch, 1, &["dlq", "purge", "7", "--yes"]).contains("no dead letter at offset 7"));
    for (answer, code) in [("\n", 1), ("y\n", 0)] {
        assert_eq!(json(&ok(scratch, &["dlq", "list", "--json"])).len(), 1);
        let mut terminal = Terminal::start(&mut command(scratch, &["dlq", "purge", "--all"]));
        terminal.wait_for("Remove dead letters for good: 1 of answering? [y/N] ");
        terminal.type_in(answer);
        assert_eq!(terminal.wait().code(), Some(code));
    }
    assert_eq!(ok(scratch, &["dlq", "purge", "--all", "--yes"]), "purged 0");
}

#[test]
fn the_journal_is_shown_alike_while_the_hub_runs_and_after() {
    let mut bus = Bus::default();
    let mut hub = bus.hub().recorder(&bus.recorder).start();
    bus.publish(TOPIC, 0..30);
    bus.recorder.wait_for(30);
    let show = || {
        let commands: [&[&str]; 6] = [
            &["journal", "export"],
            &["journal", "export", "--from", "10", "--to", "20", "--topic", "org.*", "--json"],
            &["journal", "tail", "-n", "3"],
            &["journal", "tail", "-n", "3", "--json"],
            &["journal", "export", "--since", "1h ago", "--until", "0s"],
            &["journal", "verify"],
        ];
        commands.map(|arguments| ok(&bus.scratch, arguments))
    };
    let running = show();
    let stats = |when: &str| {
        let said = ok(&bus.scratch, &["journal", "stats", "--json"]);
        let stats: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&stats["next"], &stats["mode"]), (&30.into(), &"durable".into()), "{when}");
        (stats["running"] == true, stats["consumers"][0]["running"] == true)
    };
    assert_eq!(stats("running"), (true, true));
    assert!(ok(&bus.scratch, &["journal", "stats"]).contains("30 (offsets 0 to 29)"));
    hub.stop();
    assert_eq!(stats("stopped"), (false, false));
    assert_eq!(show(), running);

    let exported = json(&running[0]);
    assert_eq!(exported.len(), 30);
    assert_eq!((&exported[7]["offset"], &exported[7]["body"]["msg"]["n"]), (&7.into(), &7.into()));
    assert_eq!(exported[7]["endpoint"], "e");
    assert_eq!((json(&running[1]).len(), json(&running[4]).len()), (10, 30));
    assert_eq!(json(&running[3])[0], exported[27]);
    assert_eq!(running[5], "30 messages are good");
}

#[test]
fn who_follows_sees_what_comes_until_the_hub_stops() {
    let mut bus = Bus::default();
    let mut hub = bus.hub().recorder(&bus.recorder).start();
    bus.publish(TOPIC, 0..2);
    bus.recorder.wait_for(2);
    let follow = ["journal", "tail", "-n", "1", "--follow", "--json"];
    let mut tail = Process::start(&bus.scratch, "tail", &mut command(&bus.scratch, &follow));
    tail.stdout.wait_for(r#""offset":1,"#);
    bus.publish(TOPIC, 2..3);
    tail.stdout.wait_for(r#""offset":2,"#);
    hub.stop();
    assert_eq!(tail.wait().code(), Some(1));
    tail.stderr.wait_for("the hub is stopping");
    assert!(fails(&bus.scratch, 8, &["journal", "tail", "-f"]).contains("no hub is running"));
}

#[test]
fn history_is_delivered_again_marked_as_such() {
    let mut bus = Bus::default();
    let mut hub = bus.hub().recorder(&bus.recorder).start();
    bus.publish(TOPIC, 0..10);
    bus.recorder.wait_for(10);
    let replay = ["replay", "--consumer", "recorder", "--from", "2", "--to", "5"];
    assert_eq!(ok(&bus.scratch, &replay), "delivered 3, dead-lettered 0");
    let got = bus.recorder.wait_for(13);
    for (record, offset) in got[10..].iter().zip(2..) {
        assert_eq!((&record["offset"], &record["replayed"]), (&offset.into(), &true.into()));
    }
    let since = ok(&bus.scratch, &["replay", "--consumer", "recorder", "--since", "-1h", "--json"]);
    let expected = r#"{"from":0,"position":10,"to":10,"delivered":10,"dead_lettered":0,"missing":0}"#;
    assert_eq!(since, expected);
    assert!(fails(&bus.scratch, 1, &["replay", "--consumer", "x", "--from", "0"]).contains("does not run"));
    assert!(fails(&bus.scratch, 2, &["replay", "--consumer", "recorder"]).contains("--since"));
    hub.stop();
    assert!(fails(&bus.scratch, 8, &replay).contains("start it"));
}

#[test]
fn a_replay_names_the_messages_that_are_no_longer_there() {
    let mut bus = Bus::default();
    let mut hub = bus.hub().recorder(&bus.recorder).start();
    bus.publish(TOPIC, 0..10);
    bus.recorder.wait_for(10);
    hub.stop();
    let segment = Hub::builder(&bus.scratch).state_dir().join("messages");
    let segment = fs::read_dir(segment).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let _hub = bus.hub().recorder(&bus.recorder).start();
    let done = run(&bus.scratch, &["replay", "--consumer", "recorder", "--from", "0"]);
    assert_eq!(done.stdout, "delivered 9, dead-lettered 0, missing 1");
    assert!(done.stderr.contains("is missing: their place on disk is damaged"), "{}", done.stderr);
    bus.recorder.wait_for(19);
}

#[test]
fn a_replay_from_before_the_oldest_message_says_so() {
    let mut bus = Bus::default();
    let memory = "journal = { mode = \"memory\", memory_bytes = 65536 }";
    let _hub = bus.hub().config(memory).recorder(&bus.recorder).start();
    bus.publish(TOPIC, 0..2000);
    bus.recorder.wait_for(2000);
    let replay = ["replay", "--consumer", "recorder", "--from", "0", "--to"];
    let done = run(&bus.scratch, &[&replay[..], &["10"]].concat());
    assert_eq!(done.stdout, "delivered 0, dead-lettered 0, missing 10");
    assert!(done.stderr.contains("messages 0 to 9 (10) are missing: memory was full"), "{}", done.stderr);
}

#[test]
fn a_replay_that_is_interrupted_says_how_to_go_on() {
    let mut bus = Bus::default();
    let fast = bus.scratch.write("fast", "");
    let config = format!(
        "recorder = {{ enabled = true, path = \"{}\", delay = \"1h\", until = \"{}\" }}",
        bus.recorder.path(),
        fast.display()
    );
    let mut hub = bus.hub().plugin("recorder").config(&config).start();
    bus.publish(TOPIC, 0..10);
    bus.recorder.wait_for(10);
    fs::remove_file(&fast).unwrap();
    let replay = ["replay", "--consumer", "recorder", "--from", "3"];
    let mut terminal = Terminal::start(&mut command(&bus.scratch, &replay));
    terminal.wait_for("replaying");
    terminal.signal(Signal::INT);
    assert_eq!(terminal.wait().code(), Some(130));
    terminal.wait_for("delivered 0, dead-lettered 0");
    terminal.wait_for("fedmsg-hub replay --consumer recorder --from 3 --to 10");
    fs::write(&fast, "").unwrap();
    assert_eq!(hub.stop().code(), Some(0));
}

#[test]
fn a_consumer_is_forgotten_when_it_does_not_run() {
    let mut bus = Bus::default();
    let mut hub = bus.hub().recorder(&bus.recorder).start();
    bus.publish(TOPIC, 0..1);
    bus.recorder.wait_for(1);
    let scratch = &bus.scratch;
    assert!(fails(scratch, 1, &["consumer", "forget", "recorder", "--yes"]).contains("switch it off"));
    assert!(fails(scratch, 1, &["consumer", "forget", "recorder"]).contains("switch it off"));
    hub.stop();
    assert!(fails(scratch, 2, &["consumer", "forget", "recorder"]).contains("--yes"));
    let mut terminal = Terminal::start(&mut command(scratch, &["consumer", "forget", "recorder"]));
    terminal.wait_for("Forget recorder for good? It has 0 messages to deal with");
    terminal.type_in("yes\n");
    assert_eq!(terminal.wait().code(), Some(0));
    assert_eq!(ok(scratch, &["consumer", "list"]), "no consumer has ever run here");
    assert!(fails(scratch, 1, &["consumer", "forget", "recorder", "--yes"]).contains("consumer list"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut bus = Bus::default();
    let mut hub = bus.hub().recorder(&bus.recorder).start();
    bus.publish(TOPIC, 0..3000);
    bus.recorder.wait_for(3000);
    let head = |when: &str| {
        let export = command(&bus.scratch, &["journal", "export"]);
        let words = std::iter::once(export.get_program()).chain(export.get_args());
        let line = words.map(|word| format!("'{}'", word.display())).collect::<Vec<_>>().join(" ");
        let mut bash = Command::new("bash");
        bash.args(["-o", "pipefail", "-c", &format!("{line} | head -n 1")]).env("FEDMSG_CONFIG", "/dev/null");
        let done = Process::run(&bus.scratch, "bash", &mut bash, "");
        assert_eq!((done.status.code(), done.stderr.as_str()), (Some(0), ""), "{when}");
        assert_eq!(json(&done.stdout).len(), 1);
    };
    head("running");
    hub.stop();
    head("stopped");
}

#[test]
fn what_cannot_be_looked_at_is_said_with_a_mend() {
    let scratch = Scratch::new();
    for arguments in [&["journal", "stats"], &["dlq", "list"], &["consumer", "list"]] {
        assert!(fails(&scratch, 7, arguments).contains("hub.state_dir"), "{arguments:?}");
    }
    assert!(!Hub::builder(&scratch).state_dir().exists());
    fs::write(Hub::builder(&scratch).state_dir(), "").unwrap();
    assert!(fails(&scratch, 7, &["journal", "stats"]).contains("hub.state_dir"));
    let bad = fails(&scratch, 3, &["journal", "stats", "--set", "journal.mode=paper"]);
    assert!(bad.contains("journal.mode"), "{bad}");
}

#[test]
fn a_hub_that_starts_is_waited_for_and_named_if_that_takes_long() {
    let scratch = Scratch::new();
    let file = scratch.join("go-on");
    let config = format!("misbehaving.blocks_in_start = {{ enabled = true, file = \"{}\" }}", file.display());
    let hub = Hub::builder(&scratch).plugin("misbehaving").config(&config);
    let hub = Process::start(&scratch, "hub", &mut hub.command());
    hub.stderr.wait_for("starting");
    for arguments in [&["dlq", "requeue", "--all"][..], &["replay", "--consumer", "x", "--from", "0"]] {
        let said = fails(&scratch, 9, arguments);
        assert!(said.contains(&format!("(process {})", hub.id())), "{said}");
    }
    assert!(ok(&scratch, &["consumer", "list"]).contains("blocks-in-start"));
    let waiting =
        Process::start(&scratch, "waiting", &mut command(&scratch, &["journal", "stats", "--json"]));
    fs::write(file, "").unwrap();
    waiting.stdout.wait_for(r#""running":true"#);
}

#[test]
fn a_hub_that_is_suspended_is_not_waited_for() {
    let bus = Bus::default();
    let hub = bus.hub().recorder(&bus.recorder).start();
    hub.process.signal(Signal::STOP);
    let said = fails(&bus.scratch, 9, &["journal", "stats"]);
    assert!(said.contains("kill -CONT"), "{said}");
    hub.process.signal(Signal::CONT);
    ok(&bus.scratch, &["journal", "stats"]);
}

#[test]
fn a_journal_in_memory_is_shown_by_the_hub_that_has_it() {
    let mut bus = Bus::default();
    let mut hub = bus.hub().config("journal.mode = \"memory\"").recorder(&bus.recorder).start();
    bus.publish(TOPIC, 0..5);
    bus.recorder.wait_for(5);
    let stats = ok(&bus.scratch, &["journal", "stats"]);
    assert!(stats.contains("memory") && stats.contains("5 (offsets 0 to 4)"), "{stats}");
    assert_eq!(json(&ok(&bus.scratch, &["journal", "export"])).len(), 5);
    hub.stop();
    assert!(fails(&bus.scratch, 7, &["journal", "stats"]).contains("journal.mode"));
}

#[test]
fn every_command_in_the_guide_and_in_the_help_is_one() {
    let guide = fs::read_to_string(workspace().join("docs/guide/journal.md")).unwrap();
    let mut helps = vec![guide];
    for arguments in [
        &["journal", "stats"][..],
        &["journal", "tail"],
        &["journal", "export"],
        &["journal", "verify"],
        &["dlq", "list"],
        &["dlq", "show"],
        &["dlq", "requeue"],
        &["dlq", "purge"],
        &["replay"],
        &["consumer", "list"],
        &["consumer", "forget"],
    ] {
        let help = Process::run(
            &Scratch::new(),
            "help",
            Command::new(binary("fedmsg-hub")).args(arguments).arg("--help"),
            "",
        );
        assert!(help.stdout.contains("Example"), "{arguments:?} has none");
        helps.push(help.stdout);
    }
    let mut seen = 0;
    for line in helps.iter().flat_map(|help| help.lines()) {
        let line = line.trim().trim_start_matches("$ ").trim_start_matches("sudo -u fedmsg ");
        if !line.starts_with("fedmsg-hub ") {
            continue;
        }
        // The shell takes the quotes away.
        let line = line.split(['|', '>']).next().unwrap();
        let words = Command::new("bash").args(["-c", &format!("printf '%s\\n' {line}")]).output().unwrap();
        let words = String::from_utf8(words.stdout).unwrap();
        if let Err(error) = hub::cli::Cli::try_parse_from(words.lines()) {
            panic!("{line}: {error}");
        }
        seen += 1;
    }
    assert!(seen > 30, "only {seen}");
}

#[test]
fn nobody_but_its_user_and_root_talks_to_a_hub() {
    let bus = Bus::default();
    let _hub = bus.hub().recorder(&bus.recorder).start();
    if !rustix::process::geteuid().is_root() {
        // Only root can try as somebody else.
        return;
    }
    // He may come to the socket, and not through it; the program is where he can reach it.
    fs::set_permissions(bus.scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = bus.scratch.join("fedmsg-hub");
    fs::copy(binary("fedmsg-hub"), &program).unwrap();
    let root = command(&bus.scratch, &["dlq", "purge", "--all", "--yes"]);
    let mut somebody = Command::new(program);
    somebody.args(root.get_args()).env("FEDMSG_CONFIG", "/dev/null").uid(65534);
    let done = Process::run(&bus.scratch, "operator", &mut somebody, "");
    assert_eq!(done.status.code(), Some(1));
    assert!(done.stderr.contains("this user may not talk to a hub"), "{}", done.stderr);
}

#[test]
fn a_message_that_is_wanted_later_lets_others_pass_and_is_neither_an_attempt_nor_a_failure() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let mut hub = Hub::builder(&scratch)
        .plugin("misbehaving")
        .config(&format!(
            "endpoints.e = \"{}\"\nmisbehaving.puts_off = {{ enabled = true, times = 3, max_attempts = 1 }}\n
             log.level = \"debug\"",
            publisher.address()
        ))
        .start();
    publisher.wait_for_subscriber("t");
    for _ in 0..2 {
        publisher.publish("t", "{}");
    }
    let said = hub.log().wait_until("both are taken", |lines| {
        let taken: Vec<_> = lines.iter().filter(|line| line.contains("taken in the end")).cloned().collect();
        (taken.len() == 2).then_some(taken)
    });
    assert!(said.iter().all(|line| line.contains("attempt=1")), "{said:#?}");
    let status: Value = serde_json::from_str(&ok(&scratch, &["status", "--json"])).unwrap();
    assert_eq!(
        (&status["consumers"][0]["failures"], &status["consumers"][0]["aside"]),
        (&0.into(), &0.into())
    );
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=puts-off");
    assert!(said.contains(r#"received=2 finished=2 retries=0 failed="none""#), "{said}");
    assert_eq!(json(&ok(&scratch, &["dlq", "list", "--json"])), [Value::Null; 0]);
}
