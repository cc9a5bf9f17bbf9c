//! Reload: what changes takes effect, what does not is not touched, and what cannot be leaves all as it was.

mod endpoints;
mod publishing;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use e2e::process::Finished;
use e2e::{DEADLINE, Hub, HubBuilder, Process, Recorder, Scratch, Signal, TestPublisher, library, rounds};
use serde_json::json;

/// A hub that reloads when it is told to, and not when a file changes.
fn told(scratch: &Scratch) -> HubBuilder<'_> {
    Hub::builder(scratch).config("hub.watch = false")
}

/// Has the hub in this scratch folder reload, with what the builder says now.
fn reload(scratch: &Scratch, builder: &HubBuilder<'_>) -> Finished {
    Process::run(scratch, "reload", builder.command().arg("reload"), "")
}

fn count(hub: &Hub, text: &str) -> usize {
    hub.log().all().iter().filter(|line| line.contains(text)).count()
}

fn wait_for_count(hub: &Hub, text: &str, n: usize) {
    hub.log().wait_until(&format!("{n} times {text:?}"), |lines| {
        (lines.iter().filter(|line| line.contains(text)).count() >= n).then_some(())
    });
}

#[test]
fn what_changed_is_printed_and_in_force_and_the_rest_is_not_touched() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let (mut first, mut second) = (TestPublisher::default(), TestPublisher::default());
    let stays = told(&scratch).subscribed_to(&first).recorder(&recorder).plugin("misbehaving");
    let hub = stays.clone().config("misbehaving.drops.enabled = true").start();
    let next = stays.clone().config(&format!(
        "endpoints.second = \"{}\"\nmisbehaving.talks = {{ enabled = true, topics = [\"t\"] }}\nlog.level = \"debug\"",
        second.address()
    ));
    let done = reload(&scratch, &next);
    assert_eq!(
        done.stdout.lines().collect::<Vec<_>>(),
        ["added consumer talks", "removed consumer drops", "added endpoint second", "changed key log.level"]
    );
    first.wait_for_subscriber("t");
    second.wait_for_subscriber("t");
    first.publish("t", "{}");
    second.publish("t", "{}");
    recorder.wait_for(2);
    hub.log().wait_for("by log, attempt 1");
    assert_eq!((count(&hub, "connected endpoint=e "), count(&hub, "connection lost")), (1, 0));
    let done = reload(&scratch, &next);
    assert_eq!((&*done.stdout, done.status.code()), ("nothing has changed", Some(0)));
    let back = stays.config("misbehaving.drops.enabled = true");
    let done = Process::run(&scratch, "reload", back.command().args(["reload", "--json"]), "");
    let said: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&said["generation"], said["changes"].as_array().unwrap().len()), (&json!(3), 4), "{said}");
    second.wait_until_unsubscribed("t");
}

#[test]
fn a_consumer_that_hangs_as_it_leaves_is_shown_so_and_the_hub_is_not_ready() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let stays = told(&scratch).subscribed_to(&publisher).recorder(&recorder).plugin("misbehaving");
    let stays = stays.config("hub.drain_deadline = \"100ms\"");
    let _hub = stays.clone().config("misbehaving.blocks_in_stop.enabled = true").start();
    publisher.wait_for_subscriber("t");
    let refused = reload(&scratch, &stays);
    assert_eq!(refused.status.code(), Some(4), "{}", refused.stderr);
    let status = Process::run(&scratch, "status", stays.command().args(["status", "--json"]), "");
    assert_eq!(status.status.code(), Some(10), "{}", status.stderr);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let leaving = &status["consumers"][0];
    assert_eq!((&leaving["name"], &leaving["state"]), (&json!("blocks-in-stop"), &json!("leaving")));
    assert!(leaving["in_hand_seconds"].is_number(), "{leaving}");
    let problem = &status["problems"][0];
    assert_eq!((&problem["kind"], &problem["about"]), (&json!("consumer_stuck"), &leaving["name"]));
    assert_eq!(
        (&status["consumers"][1]["state"], &status["problems"][1]["kind"]),
        (&json!("running"), &json!("reload_failed"))
    );
}

#[test]
fn a_consumer_that_hung_in_its_start_has_no_say_in_how_its_next_start_is_shown() {
    let scratch = Scratch::new();
    let stays = told(&scratch).plugin("misbehaving").config("hub.start_deadline = \"100ms\"");
    let with = |file: &std::path::Path| {
        let config = format!(
            "misbehaving.blocks_in_start = {{ enabled = true, file = \"{}\" }}\nmisbehaving.talks.enabled = true",
            file.display()
        );
        stays.clone().config(&config)
    };
    let hub = stays.clone().config("misbehaving.talks.enabled = true").start();
    let (later, there) = (scratch.join("later"), scratch.write("there", ""));
    let refused = reload(&scratch, &with(&later));
    assert_eq!(refused.status.code(), Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("not started within hub.start_deadline"), "{}", refused.stderr);
    assert_eq!(reload(&scratch, &with(&there)).stdout, "added consumer blocks-in-start");
    let status = || -> serde_json::Value {
        let status = Process::run(&scratch, "status", stays.command().args(["status", "--json"]), "");
        serde_json::from_str(&status.stdout).unwrap()
    };
    let threads = || fs::read_dir(format!("/proc/{}/task", hub.process.id())).unwrap();
    let hung = || {
        let names = threads().map(|thread| fs::read_to_string(thread.unwrap().path().join("comm")));
        names.filter(|name| name.as_ref().is_ok_and(|name| name.starts_with("blocks-in-start"))).count()
    };
    assert_eq!((hung(), &status()["consumers"][0]["state"]), (2, &json!("running")));
    fs::write(later, "").unwrap();
    let deadline = std::time::Instant::now() + DEADLINE;
    while hung() > 1 {
        assert!(std::time::Instant::now() < deadline, "the first one does not end");
    }
    let status = status();
    assert_eq!((&status["consumers"][0]["state"], &status["problems"]), (&json!("running"), &json!([])));
}

#[test]
fn an_endpoint_that_comes_again_counts_on_and_was_not_silent_before() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let without = told(&scratch).recorder(&recorder).config("endpoints.other = \"tcp://127.0.0.1:1\"");
    let with = without.clone().subscribed_to(&publisher);
    let _hub = with.clone().start();
    publisher.wait_for_subscriber("t");
    publisher.send("t", b"no JSON");
    publisher.publish("t", "{}");
    recorder.wait_for(1);
    let status = || -> serde_json::Value {
        let status = Process::run(&scratch, "status", with.command().args(["status", "--json"]), "");
        serde_json::from_str(&status.stdout).unwrap()
    };
    assert_eq!(reload(&scratch, &without).stdout, "removed endpoint e");
    let before = status()["hub"]["uptime_seconds"].as_f64().unwrap();
    assert_eq!(reload(&scratch, &with).stdout, "added endpoint e");
    let after = status();
    let endpoint = &after["endpoints"][0];
    assert_eq!((&endpoint["messages"], &endpoint["rejected"]["body"]), (&json!(2), &json!(1)), "{endpoint}");
    let since = after["hub"]["uptime_seconds"].as_f64().unwrap() - before;
    assert!(endpoint["silent_seconds"].as_f64().unwrap() <= since, "{endpoint}");
}

#[test]
fn what_cannot_be_leaves_all_as_it_was_and_is_named() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let taken = TestPublisher::bind(&scratch.ipc("taken"));
    let stays = told(&scratch)
        .subscribed_to(&publisher)
        .recorder(&recorder)
        .plugin("misbehaving")
        .plugin("relay")
        .config("misbehaving.talks.enabled = true");
    let mut hub = stays.clone().start();
    let relay = format!(
        "endpoints.relay_inbound = \"{}\"\nendpoints.relay_outbound = \"{}\"\nfedmsg.consumers.relay.enabled = true",
        scratch.ipc("in"),
        taken.address(),
    );
    let cases = [
        ("x = ", "hub.toml:", 3),
        ("hub.drain_dedline = \"1s\"", "hub.drain_dedline: unknown key; did you mean `drain_deadline`?", 3),
        ("misbehaving.drops = { enabled = true, topics = 1 }", "misbehaving.drops.topics: ", 3),
        ("misbehaving.drops = { enabled = true, tims = 1 }", "misbehaving.drops.tims: unknown key", 3),
        ("elsewhere.enabled = true", "elsewhere: no installed plugin has a consumer with this key", 3),
        ("log.level = \"loud=very\"", "log.level: `loud=very` is not a filter", 3),
        (
            "zmq.io_threads = 2\njournal.mode = \"memory\"",
            "zmq.io_threads: cannot change while the hub runs",
            3,
        ),
        ("misbehaving.never_starts.enabled = true", "consumer `never-starts` did not start", 4),
        ("misbehaving.panics_in_start.enabled = true", "no start today", 4),
        (&*relay, "relay_outbound", 5),
    ];
    for (n, (config, names, code)) in cases.into_iter().enumerate() {
        // The others change along with what is wrong, and are as they were afterwards.
        let next = stays.clone().config(config).config("misbehaving.retries.enabled = true");
        let done = reload(&scratch, &next);
        assert!(done.stderr.contains(names), "{}", done.stderr);
        assert_eq!(done.status.code(), Some(code), "{config}: {}", done.stderr);
        if !done.stderr.contains("the hub goes on as before") {
            // The command could not even find out where the hub is.
            hub.process.signal(Signal::HUP);
        }
        hub.log().wait_for(names);
        wait_for_count(&hub, "the hub goes on with the configuration that it has", n + 1);
        publisher.wait_for_subscriber("t");
        publisher.publish("t", "{}");
        recorder.wait_for(n + 1);
    }
    assert_eq!((count(&hub, "connected endpoint=e "), count(&hub, "connection lost")), (1, 0));
    let list = Process::run(&scratch, "list", stays.command().args(["consumer", "list", "--json"]), "");
    assert!(
        !list.stdout.contains("never-starts"),
        "a consumer that never ran keeps a place: {}",
        list.stdout
    );
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=talks");
    assert!(said.contains("received=10 "), "{said}");
}

#[test]
fn a_consumer_that_does_not_start_anew_is_started_again_as_it_was() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let stays = told(&scratch).subscribed_to(&publisher).plugin("recorder");
    let hub = stays.clone().recorder(&recorder).start();
    let next = stays.config("recorder = { enabled = true, path = \"/nowhere/x.sock\" }");
    let done = reload(&scratch, &next);
    assert!(done.stderr.contains("consumer `recorder` did not start"), "{}", done.stderr);
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    recorder.wait_for(1);
    assert_eq!(count(&hub, "cannot be started again"), 0);
}

#[test]
fn a_consumer_that_does_not_finish_its_message_goes_on_as_it_was() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let block = scratch.write("block", "");
    let stays = told(&scratch).subscribed_to(&publisher).plugin("misbehaving");
    let with = |more: &str| {
        stays.clone().config(&format!(
            "hub.drain_deadline = \"100ms\"\nlog.level = \"info,hub=debug\"\n
             misbehaving.blocks_in_consume = {{ enabled = true, file = \"{}\"{more} }}",
            block.display()
        ))
    };
    let mut hub = with("").start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    hub.log().wait_for("in the middle of a message");
    let done = reload(&scratch, &with(", max_attempts = 3"));
    assert_eq!(done.status.code(), Some(4));
    assert!(done.stderr.contains("did not finish the message in hand"), "{}", done.stderr);
    // It is still at it, and nothing may read beside it.
    for next in [with(", max_attempts = 4"), stays.clone().config("hub.drain_deadline = \"100ms\"")] {
        assert_eq!(reload(&scratch, &next).status.code(), Some(4));
    }
    assert_eq!(reload(&scratch, &with("")).stdout, "nothing has changed");
    fs::remove_file(&block).unwrap();
    publisher.publish("t", "{}");
    wait_for_count(&hub, "has ended, and is started again as it was", 1);
    assert_eq!(hub.stop().code(), Some(0));
    let said = hub.log().wait_for("consumer stopped consumer=blocks-in-consume");
    assert!(said.contains("received=2 finished=2"), "{said}");
    assert_eq!(count(&hub, "in the middle of a message"), 1);
}

#[test]
fn a_new_version_of_a_plugin_is_what_runs() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let builder =
        || Hub::builder(&scratch).subscribed_to(&publisher).config("misbehaving.talks.enabled = true");
    let whole = fs::read(library("misbehaving")).unwrap();
    let place = scratch.write("hub.plugins/misbehaving.so", "");
    let install = |bytes: &[u8]| {
        fs::write(scratch.join("next"), bytes).unwrap();
        fs::rename(scratch.join("next"), &place).unwrap();
    };
    install(&whole);
    let hub = builder().start();
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    hub.log().wait_for("by tracing");
    // A torn one is refused, and a missing one; both are seen without being asked.
    install(&whole[..whole.len() / 2]);
    hub.log().wait_for("is incomplete");
    fs::remove_file(&place).unwrap();
    wait_for_count(&hub, "the hub goes on with the configuration that it has", 2);
    publisher.publish("t", "{}");
    wait_for_count(&hub, "by tracing", 2);
    let mut next = whole;
    let at = next.windows(10).position(|bytes| bytes == b"by tracing").unwrap();
    next[at..at + 10].copy_from_slice(b"BY TRACING");
    install(&next);
    hub.log().wait_for("changes=\"changed consumer talks\"");
    publisher.publish("t", "{}");
    hub.log().wait_for("BY TRACING");
    assert_eq!(count(&hub, "by tracing"), 2);
}

#[test]
fn what_an_editor_does_to_a_file_is_one_reload() {
    let scratch = Scratch::new();
    let hub = Hub::builder(&scratch).config("hub.drain_deadline = \"1s\"").start();
    let (place, next) = (scratch.join("hub.toml"), scratch.join("hub.toml~"));
    for n in 2..40 {
        fs::write(&next, format!("hub.drain_deadline = \"{n}s\"")).unwrap();
        fs::rename(&next, &place).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600 + n % 2)).unwrap();
    }
    hub.log().wait_for("changes=\"changed key hub.drain_deadline\"");
    // What follows is another one, so that all of the first is over.
    fs::write(&place, "hub.drain_deadline = \"1h").unwrap();
    hub.log().wait_for("not reloaded");
    fs::write(&place, "hub.drain_deadline = \"1h\"").unwrap();
    hub.log().wait_for("generation=3");
    assert_eq!(count(&hub, " reloaded "), 2);
}

#[test]
fn a_hub_that_is_told_not_to_watch_waits_for_a_signal_and_tells_the_service_manager() {
    let scratch = Scratch::new();
    let builder = told(&scratch);
    let notify = UnixDatagram::bind(scratch.join("notify")).unwrap();
    notify.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = builder.command();
    let hub = Process::start(&scratch, "hub", command.env("NOTIFY_SOCKET", scratch.join("notify")));
    let wait_for = |text: &str| {
        let mut state = [0; 4096];
        loop {
            let read = notify.recv(&mut state).unwrap();
            let state = String::from_utf8_lossy(&state[..read]);
            if state.contains(text) {
                return state.into_owned();
            }
        }
    };
    wait_for("READY=1");
    scratch.write("hub.toml", "hub.watch = false\nhub.drain_deadline = \"1s\"");
    hub.signal(Signal::HUP);
    assert!(wait_for("RELOADING=1").contains("MONOTONIC_USEC="));
    wait_for("READY=1");
    hub.stderr.wait_for("changes=\"changed key hub.drain_deadline\"");
    scratch.write("hub.toml", "nonsense");
    hub.signal(Signal::HUP);
    wait_for("RELOADING=1");
    wait_for("READY=1");
    wait_for("STATUS=not reloaded");
}

#[test]
fn a_storm_of_signals_is_survived() {
    let scratch = Scratch::new();
    let recorder = Recorder::listen(&scratch, "recorder");
    let mut publisher = TestPublisher::default();
    let mut hub = told(&scratch).subscribed_to(&publisher).recorder(&recorder).start();
    publisher.wait_for_subscriber("t");
    for _ in 0..200 {
        hub.process.signal(Signal::HUP);
        publisher.publish("t", "{}");
    }
    recorder.wait_for(200);
    assert_eq!(hub.stop().code(), Some(0));
    assert!((1..=200).contains(&count(&hub, "reloaded generation=1 changes=\"nothing\"")));
}

#[test]
fn a_stop_or_a_kill_in_the_middle_of_a_reload_loses_nothing() {
    for kill in [false, true] {
        let scratch = Scratch::new();
        let recorder = Recorder::listen(&scratch, "recorder");
        let mut publisher = TestPublisher::default();
        let block = scratch.write("block", "");
        let stays = told(&scratch).subscribed_to(&publisher).recorder(&recorder).plugin("misbehaving");
        let with = |more: &str| {
            stays.clone().config(&format!(
                "hub.drain_deadline = \"1m\"\nlog.level = \"info,hub=debug\"\n
                 misbehaving.blocks_in_consume = {{ enabled = true, file = \"{}\"{more} }}",
                block.display()
            ))
        };
        let mut hub = with("").start();
        publisher.wait_for_subscriber("t");
        for _ in 0..100 {
            publisher.publish("t", "{}");
        }
        recorder.wait_for(100);
        let mut command = with(", max_attempts = 3").command();
        let mut asking = Process::start(&scratch, "reload", command.arg("reload"));
        hub.log().wait_for("waits for consumers to leave");
        if kill {
            hub.process.signal(Signal::KILL);
        } else {
            hub.process.signal(Signal::TERM);
            hub.log().wait_for("stopping: handing out what was received");
        }
        fs::remove_file(&block).unwrap();
        assert_eq!(hub.process.wait().code(), (!kill).then_some(0));
        assert_ne!(asking.wait().code(), Some(0));
        let mut again = with("").name("hub").start();
        assert_eq!(again.stop().code(), Some(0));
        let all = |hub: &Hub| -> u64 {
            let lines = hub.log().all();
            let said =
                lines.iter().filter(|line| line.contains("consumer stopped consumer=blocks-in-consume"));
            let finished = said
                .filter_map(|line| line.split_once("finished=")?.1.split(' ').next()?.parse::<u64>().ok());
            finished.sum()
        };
        let finished = all(&hub) + all(&again);
        assert!(if kill { finished >= 1 } else { finished == 100 }, "{finished}");
        let said = again.log().wait_for("consumer stopped consumer=blocks-in-consume");
        assert!(said.contains("left=0"), "{said}");
    }
}

/// Publishes numbered messages until told to end.
fn load(mut publisher: TestPublisher) -> (mpsc::Sender<()>, thread::JoinHandle<u64>) {
    let (end, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut n = 0;
        while ended.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
            for _ in 0..5 {
                publisher.publish(&format!("t.{}", n % 7), &json!({ "n": n }).to_string());
                n += 1;
            }
        }
        n
    });
    (end, thread)
}

#[test]
fn no_message_is_lost_or_doubled_over_many_reloads_under_load() {
    let scratch = Scratch::new();
    let (steady, changing) = (Recorder::pipe(&scratch, "steady"), Recorder::pipe(&scratch, "changing"));
    let mut publisher = TestPublisher::default();
    let others: Vec<_> = (0..3).map(|_| TestPublisher::default()).collect();
    let address = publisher.address().clone();
    let with = |round: usize| {
        let mut hub = told(&scratch).plugin("recorder").plugin("misbehaving").config(&format!(
            "endpoints.e = \"{address}\"\nrecorder = {{ enabled = true, path = \"{}\" }}",
            steady.path()
        ));
        for (n, other) in others.iter().enumerate().filter(|(n, _)| round >> n & 1 == 1) {
            hub = hub.config(&format!("endpoints.other{n} = \"{}\"", other.address()));
        }
        // The same messages come once more, and are told by their ids.
        if round % 4 == 1 {
            hub = hub.config(&format!("endpoints.again = \"{address}\""));
        }
        if round % 5 != 4 {
            let workers = 1 + round % 3;
            hub = hub.config(&format!(
                "answering = {{ enabled = true, path = \"{}\", workers = {workers}, topics = [\"t.*\", \"x{round}\"] }}",
                changing.path()
            ));
        }
        if round.is_multiple_of(2) {
            hub = hub.config("misbehaving.talks = { enabled = true, topics = [\"no\"] }");
        }
        if round % 10 == 9 {
            hub = hub.config("misbehaving.never_starts.enabled = true");
        }
        hub
    };
    let mut hub = with(0).start();
    publisher.wait_for_subscriber("t.");
    let (end, sent) = load(publisher);
    let rounds = rounds(100, 1000) as usize;
    for round in 1..=rounds {
        let done = reload(&scratch, &with(round));
        let expected = if round % 10 == 9 { 4 } else { 0 };
        assert_eq!(done.status.code(), Some(expected), "{round}: {}", done.stderr);
    }
    assert_eq!(reload(&scratch, &with(0)).status.code(), Some(0));
    assert_eq!(count(&hub, "connected endpoint=e "), 1, "it was never left");
    assert_eq!(count(&hub, "connection lost"), 0);
    drop(end);
    let sent = sent.join().unwrap();
    assert_eq!(hub.stop().code(), Some(0));
    for recorder in [steady, changing] {
        let mut numbers: Vec<_> =
            recorder.take().iter().map(|record| record["msg"]["n"].as_u64().unwrap()).collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..sent), "of {sent}, {} came: {numbers:?}", numbers.len());
    }
}
