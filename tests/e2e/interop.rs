//! Both ways with the real Python fedmsg 1.1.7.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use e2e::{Hub, HubBuilder, Process, Recorder, Scratch, binary, python_fedmsg};
use serde_json::{Value, json};

/// An address of this machine that nobody uses now.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

/// What goes over the bus in each test: text from all over Unicode, and numbers that are easily spoilt.
pub(crate) const MSG: &str = r#"{"text": "snöwman ☃ 😀 \u007f \" \\ / \u0000", "n": [1, 1.0, 1e16, 1e-05, -0.0, 12345678901234567890123], "z": {"b": null, "a": true}}"#;

/// A bus on TCP, as the Python programs want it.
pub(crate) struct Bus {
    pub(crate) scratch: Scratch,
    pub(crate) inbound: String,
    pub(crate) outbound: String,
}

impl Bus {
    pub(crate) fn new() -> Self {
        Self { scratch: Scratch::new(), inbound: free_address(), outbound: free_address() }
    }

    fn python_config(&self) -> Value {
        json!({
            "endpoints": {"relay_outbound": [self.outbound]},
            "relay_inbound": self.inbound,
            "environment": "dev",
            "high_water_mark": 0,
            "zmq_linger": 1000,
            "zmq_enabled": true,
            "zmq_strict": false,
            "post_init_sleep": 0.5,
            "sign_messages": false,
            "validate_signatures": false,
            "persistent_store": null,
            "fedmsg.consumers.relay.enabled": true,
            "logging": {
                "version": 1,
                "formatters": {"bare": {"format": "%(message)s"}},
                "handlers": {"console": {
                    "class": "logging.StreamHandler", "formatter": "bare", "level": "INFO", "stream": "ext://sys.stdout",
                }},
                "loggers": {
                    "fedmsg": {"level": "INFO", "propagate": false, "handlers": ["console"]},
                    "moksha": {"level": "INFO", "propagate": false, "handlers": ["console"]},
                },
            },
        })
    }

    /// Our hub with our relay, or with a recorder, or both.
    fn hub(&self, relay: bool, recorder: &Recorder) -> Hub {
        self.builder(relay, recorder).start()
    }

    pub(crate) fn builder(&self, relay: bool, recorder: &Recorder) -> HubBuilder<'_> {
        Hub::builder(&self.scratch).plugin("relay").plugin("recorder").config(&format!(
            r#"
                endpoints.relay_inbound = "{}"
                endpoints.relay_outbound = "{}"
                fedmsg.consumers.relay.enabled = {relay}
                recorder = {{ enabled = true, path = "{}", bodies = true }}
                "#,
            self.inbound,
            self.outbound,
            recorder.path()
        ))
    }

    /// The hub under one of the names by which it is a relay.
    pub(crate) fn relay(&self, program: &'static str, config: &str) -> Hub {
        let endpoints = format!(
            "endpoints = {{ relay_inbound = {:?}, relay_outbound = {:?} }}",
            self.inbound, self.outbound
        );
        Hub::builder(&self.scratch).program(program).plugin("relay").config(&endpoints).config(config).start()
    }

    pub(crate) fn our_logger(&self, arguments: &[&str], input: &str) {
        let mut command = Command::new(binary("fedmsg-logger"));
        command.args(arguments).env("LOGNAME", "tester");
        // Where no hub of ours runs, nothing has written this file.
        command.env(
            "FEDMSG_CONFIG",
            self.scratch.write(
                "tools.toml",
                &format!(
                    "endpoints.relay_inbound = \"{}\"\nendpoints.relay_outbound = \"{}\"",
                    self.inbound, self.outbound
                ),
            ),
        );
        let logger = Process::run(&self.scratch, "logger", &mut command, input);
        assert!(logger.status.success(), "{}", logger.stderr);
    }

    pub(crate) fn python_logger(&self, arguments: &[&str], input: &str) {
        let mut command = python_fedmsg(&self.scratch, "fedmsg-logger", &self.python_config());
        command.args(arguments).env("LOGNAME", "tester");
        let logger = Process::run(&self.scratch, "python-logger", &mut command, input);
        assert!(logger.status.success(), "{}", logger.stderr);
    }

    pub(crate) fn python(&self, command: &str, more: &Value, arguments: &[&str]) -> Process {
        let mut config = self.python_config();
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut python = python_fedmsg(&self.scratch, command, &config);
        Process::start(&self.scratch, command, python.args(arguments))
    }

    /// Sends until somebody new answers: the Python programs do not say when they have subscribed.
    pub(crate) fn knock(&self, answered: impl Fn(&str) -> bool) {
        for n in 0..100 {
            let knock = format!("knock {n}");
            self.our_logger(&["--topic", "knock", "--message", &knock], "");
            if answered(&knock) {
                return;
            }
        }
        panic!("nobody answers");
    }
}

/// What differs from one publishing to the next is taken out.
fn anonymous(body: &str) -> String {
    let mut envelope: Value = serde_json::from_str(body).unwrap();
    let (msg_id, timestamp) = (envelope["msg_id"].take(), envelope["timestamp"].take());
    assert!(msg_id.as_str().is_some_and(|id| id.len() == 41 && id.starts_with("20")), "{msg_id}");
    assert!(timestamp.is_u64(), "{timestamp}");
    let id = msg_id.as_str().unwrap();
    body.replacen(&timestamp.to_string(), "TIME", 1).replace(id, "ID")
}

#[test]
fn our_logger_and_pythons_put_the_same_bytes_on_the_wire() {
    let bus = Bus::new();
    let recorder = Recorder::listen(&bus.scratch, "recorder");
    let _hub = bus.hub(true, &recorder);
    let json = ["--json-input", "--modname", "git", "--topic", "repo.update"];
    let line = ["--topic", "lines"];
    bus.python_logger(&json, MSG);
    bus.our_logger(&json, MSG);
    bus.python_logger(&line, "  a line with ☃ \n");
    bus.our_logger(&line, "  a line with ☃ \n");
    let got = recorder.wait_for(4);
    let bodies: Vec<_> = got.iter().map(|record| anonymous(record["body"].as_str().unwrap())).collect();
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[2], bodies[3]);
    assert!(bodies[0].is_ascii());
    assert_eq!(got[0]["topic"], "org.fedoraproject.dev.git.repo.update");
    assert_eq!((&got[0]["topic"], &got[2]["topic"]), (&got[1]["topic"], &got[3]["topic"]));
}

#[test]
fn python_logger_our_relay_python_tail_and_our_hub() {
    let bus = Bus::new();
    let recorder = Recorder::listen(&bus.scratch, "recorder");
    let _hub = bus.hub(true, &recorder);
    let tail = bus.python("fedmsg-tail", &json!({}), &["--really-pretty"]);
    let moment = Duration::from_millis(200);
    bus.knock(|knock| {
        tail.stdout.wait_within(moment, |all| all.iter().find(|line| line.contains(knock)).cloned()).is_ok()
    });
    bus.python_logger(&["--json-input", "--topic", "real"], r#"{"text": "snöwman ☃", "end": 1}"#);
    let text = tail.stdout.wait_until("the message", |all| {
        let text = strip_colours(&all.join("\n"));
        text.contains("\"end\": 1").then_some(text)
    });
    assert!(text.contains(r#""text": "sn\u00f6wman \u2603""#), "{text}");
    let record =
        recorder.wait_until("the message", |record| record["topic"] == "org.fedoraproject.dev.logger.real");
    assert_eq!(record["msg"], json!({"text": "snöwman ☃", "end": 1}));
}

#[test]
fn as_fedmsg_relay_the_hub_is_between_python_logger_and_python_tail() {
    let bus = Bus::new();
    let _relay = bus.relay("fedmsg-relay", "");
    let tail = bus.python("fedmsg-tail", &json!({}), &["--query", "msg.log"]);
    let moment = Duration::from_millis(200);
    bus.knock(|knock| {
        tail.stdout.wait_within(moment, |all| all.iter().find(|line| line.contains(knock)).cloned()).is_ok()
    });
    bus.python_logger(&["--message", "from Python to Python"], "");
    tail.stdout.wait_for("from Python to Python");
}

#[test]
fn our_logger_python_relay_python_hub_and_our_hub() {
    let bus = Bus::new();
    let (ours, pythons) = (Recorder::listen(&bus.scratch, "ours"), Recorder::listen(&bus.scratch, "pythons"));
    let relay = bus.python("fedmsg-relay", &json!({}), &[]);
    relay.stdout.wait_for("Running the MokshaHub reactor");
    let _hub = bus.hub(false, &ours);
    let _python_hub = bus.python(
        "fedmsg-hub",
        &json!({"recorder.enabled": true, "recorder.path": pythons.path()}),
        &["--with-consumers=recorder:Recorder"],
    );
    let moment = Duration::from_millis(200);
    let heard = |recorder: &Recorder, knock: &str| {
        recorder
            .lines()
            .wait_within(moment, |all| all.iter().find(|line| line.contains(knock)).cloned())
            .is_ok()
    };
    bus.knock(|knock| heard(&pythons, knock) && heard(&ours, knock));
    bus.our_logger(&["--json-input", "--topic", "real"], MSG);
    let is_real = |record: &Value| record["topic"] == "org.fedoraproject.dev.logger.real";
    let theirs = pythons.wait_until("the message", is_real);
    let ours = ours.wait_until("the message", is_real);
    let expected: Value = serde_json::from_str(MSG).unwrap();
    assert_eq!(theirs["body"]["msg"], expected);
    assert_eq!(ours["msg"], expected);
    assert_eq!(theirs["body"]["msg_id"], ours["msg_id"]);
}

#[test]
fn our_tail_shows_what_python_publishes() {
    let bus = Bus::new();
    let recorder = Recorder::listen(&bus.scratch, "recorder");
    let _hub = bus.hub(true, &recorder);
    let notify = std::os::unix::net::UnixDatagram::bind(bus.scratch.join("tail.notify")).unwrap();
    notify.set_read_timeout(Some(e2e::DEADLINE)).unwrap();
    let mut tail = Command::new(binary("fedmsg-tail"));
    tail.env("FEDMSG_CONFIG", bus.scratch.join("hub.toml"))
        .env("NOTIFY_SOCKET", bus.scratch.join("tail.notify"));
    let tail = Process::start(&bus.scratch, "tail", &mut tail);
    notify.recv(&mut [0; 4096]).unwrap();
    bus.python_logger(&["--message", "snöwman ☃"], "");
    let line: Value = serde_json::from_str(&tail.stdout.wait_for_count(1)[0]).unwrap();
    assert_eq!(line["msg"], json!({"log": "snöwman ☃"}));
}

#[test]
fn our_announcement_and_pythons_are_the_same_bytes() {
    let bus = Bus::new();
    let recorder = Recorder::listen(&bus.scratch, "recorder");
    let _hub = bus.hub(true, &recorder);
    let announcement = "  Fedora Core 4 has been declared \"GOLD\" \n\n\t☃ and on.\n";
    let link = ["--link", "https://fedoraproject.org/news?a=1"];
    for arguments in [&link[..], &[]] {
        let mut python = python_fedmsg(&bus.scratch, "fedmsg-announce", &bus.python_config());
        let mut ours = Command::new(binary("fedmsg-announce"));
        ours.env("FEDMSG_CONFIG", bus.scratch.join("hub.toml"));
        for (name, command) in [("python-announce", &mut python), ("announce", &mut ours)] {
            command.args(arguments).env("LOGNAME", "tester");
            let announce = Process::run(&bus.scratch, name, command, announcement);
            assert!(announce.status.success(), "{}", announce.stderr);
        }
    }
    let got = recorder.wait_for(4);
    let bodies: Vec<_> = got.iter().map(|record| anonymous(record["body"].as_str().unwrap())).collect();
    assert_eq!((&bodies[0], &bodies[2]), (&bodies[1], &bodies[3]));
    assert_eq!((&got[0]["topic"], &got[2]["topic"]), (&got[1]["topic"], &got[3]["topic"]));
    assert_eq!(got[0]["topic"], "org.fedoraproject.dev.announce.announcement");
}

#[test]
fn our_tail_says_what_happened_as_pythons_does() {
    let bus = Bus::new();
    let recorder = Recorder::listen(&bus.scratch, "recorder");
    let _hub = bus.hub(true, &recorder);
    let python = bus.python("fedmsg-tail", &json!({"topic_prefix": "org.fedoraproject"}), &["--terse"]);
    let mut ours = Command::new(binary("fedmsg-tail"));
    ours.arg("--terse").env("FEDMSG_CONFIG", bus.scratch.join("hub.toml"));
    let ours = Process::start(&bus.scratch, "tail", &mut ours);
    let moment = Duration::from_millis(200);
    let shows = |tail: &Process| {
        let knocked = |all: &[String]| all.iter().any(|line| line.contains("logger.knock")).then_some(());
        tail.stdout.wait_within(moment, knocked).is_ok()
    };
    bus.knock(|_| shows(&python) && shows(&ours));
    for (arguments, message) in [
        (["--modname", "logger", "--topic", "log"], r#"{"log": "snöwman ☃ -- {title} %s"}"#),
        (["--modname", "logger", "--topic", "log"], r#"{"nothing": "of that kind"}"#),
        (
            ["--modname", "announce", "--topic", "announcement"],
            r#"{"message": "GOLD", "link": "https://x.org/"}"#,
        ),
        (["--modname", "git", "--topic", "receive.end"], r#"{"log": "x"}"#),
    ] {
        bus.our_logger(&[&arguments[..], &["--json-input"]].concat(), message);
    }
    let after_knocks = |tail: &Process| {
        tail.stdout.wait_until("the last message", |all| {
            let last = all.iter().rposition(|line| line.contains("knock"))?;
            all.last()?.starts_with("git.receive.end").then(|| all[last + 1..].to_vec())
        })
    };
    let (ours, pythons) = (after_knocks(&ours), after_knocks(&python));
    assert_eq!(ours, pythons);
    assert_eq!(ours.len(), 8, "{ours:?}");
}

#[test]
fn our_lines_for_collectd_are_pythons() {
    let bus = Bus::new();
    let python = bus.python("fedmsg-collectd", &json!({"topic_prefix": "org.fedoraproject"}), &[]);
    let mut ours = Command::new(binary("fedmsg-collectd"));
    let toml = format!("endpoints.relay_outbound = \"{}\"", bus.outbound);
    ours.env("FEDMSG_CONFIG", bus.scratch.write("tools.toml", &toml));
    let ours = Process::start(&bus.scratch, "collectd", &mut ours);
    let report = |of: &Process| {
        let lines = of.stdout.wait_until("a report", |all| {
            let values: Vec<_> = all.iter().filter(|line| line.starts_with("PUTVAL")).cloned().collect();
            (values.len() >= 3).then_some(values)
        });
        let timeless = |line: &String| {
            let (before, behind) = line.rsplit_once(' ').unwrap();
            let (time, count) = behind.split_once(':').unwrap();
            assert!(time.parse::<u64>().is_ok(), "{line}");
            format!("{before} TIME:{count}")
        };
        lines[..3].iter().map(timeless).collect::<Vec<_>>()
    };
    assert_eq!(report(&ours), report(&python));
}

fn strip_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = escape.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}
