//! Health and metrics by HTTP: what is told when all is well, and when something goes wrong.

mod trouble;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use e2e::{
    Answered, Bus, DEADLINE, Disk, Frames, Http, Hub, HubBuilder, Process, Scratch, Signal, TestPublisher,
    free_ports, workspace,
};
use serde_json::{Value, json};

fn http(bus: &Bus) -> Http {
    Http::Unix(bus.scratch.join("http.sock"))
}

/// A hub that is asked at a socket in the scratch folder.
fn asked(bus: &Bus) -> HubBuilder<'_> {
    let listen = format!("http.listen=unix:{}", bus.scratch.join("http.sock").display());
    bus.hub().arguments(&["--set", &listen])
}

/// Asks until the answer is as it should become.
fn until(bus: &Bus, path: &str, is_right: impl Fn(&Answered) -> bool) -> Answered {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let answer = http(bus).get(path);
        if is_right(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path} does not become right: {answer:?}");
    }
}

/// Waits until the hub is not ready for this reason alone.
fn until_unready(bus: &Bus, kind: &str) -> Value {
    let answer = until(bus, "/ready", |answer| answer.code == 503);
    let problem = answer.json()["problems"][0].take();
    assert_eq!((&problem["kind"], &problem["severity"]), (&kind.into(), &"unready".into()), "{answer:?}");
    problem
}

#[test]
fn a_hub_that_is_well_says_so_and_tells_its_numbers() {
    let mut bus = Bus::default();
    let mut hub = asked(&bus).recorder(&bus.recorder).start();
    bus.publish("t", 0..100);
    bus.publisher.send("t", b"no JSON");
    bus.recorder.wait_for(100);
    assert_eq!(http(&bus).get("/live").json()["live"], true);
    let ready = until(&bus, "/ready", |answer| answer.code == 200).json();
    assert_eq!((&ready["ready"], &ready["problems"]), (&true.into(), &Value::Array(vec![])));
    let has_all = |status: &Value| {
        status["intake"]["messages"] == 101
            && status["consumers"][0]["lag"] == 0
            && status["consumers"][0]["handled"] == 100
    };
    let status = until(&bus, "/status", |answer| has_all(&answer.json())).json();
    assert_eq!(status["intake"]["rejected"]["body"], 1);
    let consumer = &status["consumers"][0];
    assert_eq!((&consumer["name"], &consumer["state"]), (&"recorder".into(), &"running".into()));
    assert_eq!((&consumer["received"], &consumer["handling"]["count"]), (&100.into(), &100.into()));
    let endpoint = &status["endpoints"][0];
    assert_eq!((&endpoint["name"], &endpoint["connected"]), (&"e".into(), &true.into()));
    assert_eq!((&endpoint["messages"], &endpoint["rejected"]["body"]), (&101.into(), &1.into()));
    assert_eq!(endpoint["bytes"], status["intake"]["bytes"]);
    assert_eq!(status["hub"]["pid"], hub.process.id());
    assert!(http(&bus).get("/").body.contains("/metrics"));
    assert_eq!(http(&bus).get("/nothing").code, 404);
    assert_eq!(hub.stop().code(), Some(0));
}

#[test]
fn metrics_pass_prometheus_own_check_and_are_those_of_the_reference() {
    let mut bus = Bus::default();
    let _hub = asked(&bus).recorder(&bus.recorder).config("endpoints.down = \"tcp://127.0.0.1:1\"").start();
    bus.publish("t", 0..100);
    bus.publisher.send("t", b"no JSON");
    bus.recorder.wait_for(100);
    let handled = "fedmsg_hub_consumer_handled_messages_total{consumer=\"recorder\"} 100\n";
    let text = until(&bus, "/metrics", |answer| answer.body.contains(handled));
    assert!(text.head.contains("text/plain; version=0.0.4"), "{}", text.head);
    for line in [
        "fedmsg_hub_received_messages_total 101\n",
        "fedmsg_hub_rejected_messages_total{reason=\"body\"} 1\n",
        "fedmsg_hub_endpoint_rejected_messages_total{endpoint=\"e\",reason=\"body\"} 1\n",
        "fedmsg_hub_endpoint_connected{endpoint=\"down\"} 0.0\n",
        "fedmsg_hub_problem{severity=\"warning\",kind=\"endpoint_down\",about=\"down\"} 1.0\n",
        "fedmsg_hub_consumer_handling_seconds_bucket{le=\"+Inf\",consumer=\"recorder\"} 100\n",
    ] {
        assert!(text.body.contains(line), "{line} is not in {}", text.body);
    }
    assert_eq!(promtool(&text.body), "");

    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1\r\n";
    let open = http(&bus).ask("GET", "/metrics", accept, "");
    assert!(open.head.contains("application/openmetrics-text"), "{}", open.head);
    assert!(open.body.ends_with("# EOF\n") && open.body.contains(handled));

    // Only with journal.mode = "memory", where a consumer validates or counts, and after a reload.
    let elsewhere = [
        "fedmsg_hub_consumer_counted_total",
        "fedmsg_hub_last_reload_timestamp_seconds",
        "fedmsg_hub_journal_dropped_messages_total",
        "fedmsg_hub_untrusted_messages_total",
        "fedmsg_hub_endpoint_untrusted_messages_total",
    ];
    let mut said = BTreeMap::new();
    let reference = std::fs::read_to_string(workspace().join("docs/reference/metrics.md")).unwrap();
    for row in reference.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (name, rest) = row.split_once("` | ").unwrap();
        let (kind, rest) = rest.split_once(" | ").unwrap();
        let (labels, help) = rest.split_once(" | ").unwrap();
        said.insert(name, (kind, labels.to_owned(), help.trim_end_matches(" |")));
    }
    let mut served = BTreeMap::new();
    for help in text.body.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = help.split_once(' ').unwrap();
        let kind = format!("# TYPE {name} ");
        let kind = text.body.lines().find_map(|line| line.strip_prefix(&kind)).unwrap();
        served.insert(name, (kind, labels(&text.body, name), help));
    }
    for name in elsewhere {
        assert!(said.remove(name).is_some(), "{name} is not in the reference");
    }
    assert_eq!(said, served);
}

/// The labels of a metric's first sample, as the reference writes them.
fn labels(text: &str, name: &str) -> String {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sample = samples.filter_map(|line| line.strip_prefix(name)).find_map(|rest| {
        let rest = ["_bucket", ""].iter().find_map(|suffix| rest.strip_prefix(suffix))?;
        rest.starts_with(['{', ' ']).then_some(rest)
    });
    let inside =
        sample.and_then(|rest| rest.strip_prefix('{')?.split_once("} ")).map_or("", |(inside, _)| inside);
    let names = inside.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name);
    names.filter(|name| *name != "le").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What Prometheus' own tool has to say of metrics.
fn promtool(metrics: &str) -> String {
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tool = tool.expect("promtool: run scripts/test, which installs it");
    tool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let said = tool.wait_with_output().unwrap();
    String::from_utf8(said.stderr).unwrap()
}

#[test]
fn what_a_plugin_counts_is_told_by_its_names_and_bad_names_are_one() {
    let mut bus = Bus::default();
    let hub = asked(&bus).plugin("misbehaving").config("misbehaving.counts_anything.enabled = true").start();
    bus.publisher.wait_for_subscriber("t");
    for counts in [r#"{"lines_left_out": 0}"#, r#"{"lines_left_out": 40, "No name": 3}"#] {
        bus.publisher.publish("t", counts);
    }
    bus.publisher.publish("t", r#"{"lines_left_out": 2}"#);
    let counted = |name: &str, n: u64| {
        format!("fedmsg_hub_consumer_counted_total{{consumer=\"counts-anything\",name=\"{name}\"}} {n}\n")
    };
    let text = until(&bus, "/metrics", |answer| answer.body.contains(&counted("lines_left_out", 42)));
    assert!(text.body.contains(&counted("other", 3)), "{}", text.body);
    assert_eq!(promtool(&text.body), "");
    let status = http(&bus).get("/status").json();
    assert_eq!(status["consumers"][0]["counted"], json!({"lines_left_out": 42, "other": 3}));
    let said = hub.log().wait_for("counts under a name that is none");
    assert!(said.contains("No name") && said.contains("counts-anything"), "{said}");
}

#[test]
fn prometheus_scrapes_the_hub() {
    let mut bus = Bus::default();
    let listen = ["--set", "http.listen=127.0.0.1:0"];
    let hub =
        Hub::builder(&bus.scratch).subscribed_to(&bus.publisher).recorder(&bus.recorder).arguments(&listen);
    let hub = hub.start();
    let line = hub.log().wait_for("serving health and metrics");
    let address = line.split("listen=").nth(1).unwrap();
    bus.publish("t", 0..7);
    bus.recorder.wait_for(7);
    let config = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs: [{{job_name: hub, static_configs: [{{targets: ['{address}']}}]}}]"
    );
    let config = bus.scratch.write("prometheus.yml", &config);
    let [port] = free_ports();
    let at = format!("127.0.0.1:{port}");
    let mut command = Command::new("prometheus");
    command.arg("--config.file").arg(config).arg("--web.listen-address").arg(&at);
    command.arg("--storage.tsdb.path").arg(bus.scratch.join("prometheus.data"));
    let prometheus = Process::start(&bus.scratch, "prometheus", &mut command);
    prometheus.stderr.wait_for("Server is ready to receive web requests");
    let deadline = Instant::now() + DEADLINE;
    for (series, value) in
        [("up", "1"), ("fedmsg_hub_consumer_handled_messages_total", "7"), ("fedmsg_hub_ready", "1")]
    {
        loop {
            let found = Http::Tcp(at.clone()).get(&format!("/api/v1/query?query={series}"));
            if found.json()["data"]["result"][0]["value"][1] == value {
                break;
            }
            assert!(Instant::now() < deadline, "{series} is not {value}: {found:?}");
        }
    }
}

#[test]
fn a_consumer_that_does_not_come_back_is_seen_and_is_seen_to_come_back() {
    let mut bus = Bus::default();
    let block = bus.scratch.write("block", "");
    let hub = asked(&bus)
        .plugin("misbehaving")
        .config("hub.stuck_after = \"100ms\"")
        .config(&format!(
            "misbehaving.blocks_in_consume = {{ enabled = true, file = \"{}\" }}",
            block.display()
        ))
        .start();
    assert_eq!(until(&bus, "/ready", |answer| answer.json()["problems"] == Value::Array(vec![])).code, 200);
    bus.publish("t", 0..1);
    let problem = until_unready(&bus, "consumer_stuck");
    assert_eq!(problem["about"], "blocks-in-consume");
    assert_eq!(http(&bus).get("/live").code, 503);
    hub.log().wait_for("consumer blocks-in-consume has not come back from a message");
    std::fs::remove_file(block).unwrap();
    until(&bus, "/ready", |answer| answer.code == 200);
    assert_eq!(http(&bus).get("/live").code, 200);
    hub.log().wait_for("that is over problem=\"consumer_stuck\"");
}

#[test]
fn a_consumer_that_has_ended_makes_the_hub_unready() {
    let mut bus = Bus::default();
    let _hub = asked(&bus)
        .recorder(&bus.recorder)
        .plugin("misbehaving")
        .config("misbehaving.stops_itself.enabled = true")
        .start();
    bus.publish("t", 0..1);
    assert_eq!(until_unready(&bus, "consumer_ended")["about"], "stops-itself");
    // The other goes on.
    bus.publish("t", 0..1);
    bus.recorder.wait_for(2);
}

#[test]
fn an_endpoint_that_is_down_is_a_warning_unless_it_is_required() {
    let bus = Bus::default();
    let down = "endpoints.down = \"tcp://127.0.0.1:1\"";
    let hub = asked(&bus).config(down).recorder(&bus.recorder).start();
    let is_down = |answer: &Answered| {
        let problem = &answer.json()["problems"][0];
        problem["kind"] == "endpoint_down"
            && problem["message"].as_str().unwrap().contains("tcp://127.0.0.1:1: nothing answers there")
    };
    // Until the other is connected, all are down.
    let answer = until(&bus, "/ready", |answer| is_down(answer) && answer.code == 200);
    assert_eq!(answer.json()["problems"][0]["severity"], "warning");
    drop(hub);
    let _hub = asked(&bus)
        .config(down)
        .config("hub.required_endpoints = [\"down\"]")
        .recorder(&bus.recorder)
        .start();
    until(&bus, "/ready", |answer| is_down(answer) && answer.code == 503);
    let addresses = until(&bus, "/status", |answer| {
        answer.json()["endpoints"][0]["addresses"][0]["attempts"].as_u64().unwrap() > 1
    });
    assert_eq!(addresses.json()["endpoints"][0]["addresses"][0]["state"], "down");
}

#[test]
fn an_endpoint_that_is_connected_and_silent_is_a_warning() {
    let bus = Bus::default();
    let hub = asked(&bus).recorder(&bus.recorder).config("hub.silent_after = \"10ms\"").start();
    let answer = until(&bus, "/ready", |answer| answer.json()["problems"][0]["kind"] == "endpoint_silent");
    assert_eq!((answer.code, &answer.json()["problems"][0]["about"]), (200, &"e".into()));
    hub.log().wait_for("endpoint e is connected, and nothing has come from it");
}

#[test]
fn a_publisher_that_is_frozen_is_seen_though_its_connection_stands_and_is_seen_to_come_back() {
    let bus = Bus::default();
    let mut frozen = Frames::bind(&bus.scratch);
    let hub = asked(&bus)
        .recorder(&bus.recorder)
        .config(&format!("zmq.heartbeat_ivl = \"500ms\"\nendpoints.python = \"{}\"", frozen.address()))
        .start();
    frozen.wait_for_subscriber();
    let python = |status: &Value| status["endpoints"][1].clone();
    until(&bus, "/status", |answer| python(&answer.json())["connected"] == true);
    frozen.signal(Signal::STOP);
    let status = until(&bus, "/status", |answer| python(&answer.json())["connected"] == false);
    assert_eq!(python(&status.json())["addresses"][0]["state"], "unresponsive");
    let problem = until(&bus, "/ready", |answer| !answer.json()["problems"][0].is_null()).json();
    let problem = &problem["problems"][0];
    assert_eq!((&problem["kind"], &problem["about"]), (&"endpoint_down".into(), &"python".into()));
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .contains("connected, but who is there takes no connection or is frozen")
    );
    until(&bus, "/metrics", |answer| {
        answer.body.contains("fedmsg_hub_endpoint_connected{endpoint=\"python\"} 0.0\n")
    });
    hub.log().wait_for("connected, but who is there takes no connection or is frozen endpoint=python");
    frozen.send(&[b"t", b"{}"]);
    frozen.signal(Signal::CONT);
    hub.log().wait_for("answers again endpoint=python");
    bus.recorder.wait_for(1);
    let status = until(&bus, "/status", |answer| python(&answer.json())["connected"] == true).json();
    let address = &python(&status)["addresses"][0];
    assert_eq!((&address["connects"], &address["disconnects"]), (&1.into(), &0.into()), "{address}");
}

#[test]
fn a_full_disk_makes_the_hub_unready_until_there_is_room() {
    let mut bus = Bus::default();
    let Some(disk) = Disk::small(&asked(&bus).state_dir(), "size=1m,mode=700") else { return };
    let free = bus.scratch.join("free");
    let hub = asked(&bus)
        .plugin("recorder")
        .config("journal.segment_bytes = 65536\njournal.memory_bytes = 65536\njournal.max_bytes = 65536")
        .config(&format!(
            "recorder = {{ enabled = true, path = \"{}\", delay = \"1h\", until = \"{}\" }}",
            bus.recorder.path(),
            free.display()
        ))
        .start();
    bus.publish("t", 0..6000);
    let problem = until_unready(&bus, "journal");
    assert!(problem["message"].as_str().unwrap().contains("no room to write"), "{problem}");
    // To wait for the disk is no reason to be started anew.
    assert_eq!(http(&bus).get("/live").code, 200);
    hub.log().wait_for("the hub cannot go on as it should");
    disk.remount("size=50m");
    until(&bus, "/ready", |answer| answer.code == 200);
    std::fs::write(free, "").unwrap();
    bus.recorder.wait_for(6000);
}

#[test]
fn a_second_hub_at_the_same_address_is_refused_with_a_mend() {
    let scratch = Scratch::new();
    let first = Hub::builder(&scratch).arguments(&["--set", "http.listen=127.0.0.1:0"]).start();
    let line = first.log().wait_for("serving health and metrics");
    let address = line.split("listen=").nth(1).unwrap().to_owned();
    let http = Http::Tcp(address.clone());
    assert_eq!(http.get("/live").code, 200);
    let taken = format!("http.listen={address}");
    let second = Hub::builder(&scratch).name("second").arguments(&["--set", &taken]).run();
    assert_eq!(second.status.code(), Some(5), "{}", second.stderr);
    assert!(second.stderr.contains("each hub on a machine needs an address of its own"), "{}", second.stderr);
    assert_eq!(http.get("/live").code, 200);
}

#[test]
fn a_socket_is_for_user_and_group_goes_with_its_hub_and_is_replaced_after_a_kill() {
    let bus = Bus::default();
    let path = bus.scratch.join("http.sock");
    let mut hub = asked(&bus).start();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    hub.process.signal(Signal::KILL);
    hub.process.wait();
    assert!(path.exists());
    let mut hub = asked(&bus).start();
    assert_eq!(http(&bus).get("/live").code, 200);
    assert_eq!(hub.stop().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn the_level_of_the_log_is_told_and_set() {
    let bus = Bus::default();
    let mut hub = asked(&bus).recorder(&bus.recorder).start();
    assert_eq!(http(&bus).get("/log").json()["level"], "info");
    let refused = http(&bus).ask("PUT", "/log", "", "hub=loud");
    assert_eq!(refused.code, 400);
    assert!(refused.json()["error"].as_str().unwrap().contains("`hub=loud` is not a filter"), "{refused:?}");
    assert_eq!(http(&bus).get("/log").json()["level"], "info");
    assert_eq!(http(&bus).ask("PUT", "/log", "", "info,hub=debug\n").code, 200);
    assert_eq!(http(&bus).get("/log").json()["level"], "info,hub=debug");
    hub.stop();
    hub.log().wait_for("reads no further");
}

#[test]
fn a_client_that_does_not_finish_is_told_so_and_none_keeps_its_place() {
    let bus = Bus::default();
    let _hub = asked(&bus).start();
    let mut unfinished = http(&bus).connect();
    unfinished.write_all(b"PUT /log HTTP/1.1\r\nHost: hub\r\nContent-Length: 100\r\n\r\ninfo").unwrap();
    let mut finished = http(&bus).connect();
    finished.write_all(b"GET /live HTTP/1.1\r\nHost: hub\r\n\r\n").unwrap();
    for (mut stream, code) in [(unfinished, "408"), (finished, "200")] {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

#[test]
fn who_comes_by_tcp_may_look_and_change_nothing() {
    let scratch = Scratch::new();
    let hub = Hub::builder(&scratch).arguments(&["--set", "http.listen=127.0.0.1:0"]).start();
    let line = hub.log().wait_for("serving health and metrics");
    let http = Http::Tcp(line.split("listen=").nth(1).unwrap().to_owned());
    let refused = http.ask("PUT", "/log", "", "trace");
    assert_eq!(refused.code, 403, "{refused:?}");
    assert!(refused.json()["error"].as_str().unwrap().contains("fedmsg-hub log-level"), "{refused:?}");
    assert_eq!(http.get("/log").json()["level"], "info");
}

#[test]
fn clients_that_are_silent_or_shout_hold_up_neither_messages_nor_for_long_other_clients() {
    let mut bus = Bus::default();
    let _hub = asked(&bus).recorder(&bus.recorder).start();
    let silent: Vec<_> = (0..100).map(|_| http(&bus).connect()).collect();
    for garbage in [&b"\0\xff\x16\x03 nothing that HTTP knows\r\n\r\n"[..], &[b'x'; 1 << 20]] {
        // It may be cut off while it is still shouting.
        drop(http(&bus).connect().write_all(garbage));
    }
    bus.publish("t", 0..100);
    bus.recorder.wait_for(100);
    assert_eq!(http(&bus).get("/live").code, 200);
    drop(silent);
    let large = http(&bus).ask("PUT", "/log", "", &"x".repeat(10_000));
    assert_eq!(large.code, 413, "{large:?}");
}
