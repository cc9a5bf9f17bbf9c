//! What is measured, as a process that receives, and what its consumers say.

use std::fmt::Write as _;

use e2e::{Hub, Lines, Process, Recorder, Scratch, Signal, python_fedmsg, workspace};
use serde::Deserialize;
use serde_json::json;

use crate::peer::Peers;
use crate::scenario::{Kind, Scenario};

/// A running receiver, ready for messages.
pub(crate) struct Receiver {
    process: Process,
    lines: Lines,
}

/// What a consumer says when it has all messages; times in microseconds since 1970.
#[derive(Deserialize)]
pub(crate) struct Measurement {
    pub(crate) count: u64,
    pub(crate) first_us: u64,
    pub(crate) last_us: u64,
    /// How late each message was.
    pub(crate) late_us: Vec<i64>,
}

impl Receiver {
    /// Starts the scenario's receiver, subscribed to the address.
    pub(crate) fn start(scenario: &Scenario, peers: &Peers, scratch: &Scratch, address: &str) -> Self {
        let timed = scenario.rate > 0;
        let hub = |mode| hub(scenario, mode, scratch, address);
        match scenario.receiver {
            Kind::C => {
                let process = peers.subscriber(scratch, address, scenario.messages, timed);
                Self { lines: process.stdout.clone(), process }
            }
            Kind::Memory => hub("memory"),
            Kind::Durable => hub("durable"),
            Kind::Python => python(scenario, scratch, address),
            Kind::Disk => panic!("a disk receives nothing"),
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What its consumers say, a line each.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// What it logs.
    pub(crate) fn log(&self) -> Vec<String> {
        self.process.stderr.all()
    }

    /// Stops it; what its consumers said.
    pub(crate) fn stop(mut self) -> Vec<Measurement> {
        self.process.signal(Signal::TERM);
        self.process.wait();
        let parse = |line: &String| serde_json::from_str(line).expect("a measurement");
        self.lines.all().iter().map(parse).collect()
    }
}

fn hub(scenario: &Scenario, mode: &str, scratch: &Scratch, address: &str) -> Receiver {
    let recorder = Recorder::listen(scratch, "meter");
    let mut config = format!("endpoints.bench = \"{address}\"\njournal.mode = \"{mode}\"\n");
    for n in 0..scenario.consumers {
        writeln!(
            config,
            "meter{n} = {{ enabled = true, path = \"{}\", expect = {}, timed = {} }}",
            recorder.path(),
            scenario.messages,
            scenario.rate > 0
        )
        .expect("a string takes all");
    }
    let hub = Hub::builder(scratch).plugin("recorder").config(&config).start();
    Receiver { process: hub.process, lines: recorder.lines().clone() }
}

fn python(scenario: &Scenario, scratch: &Scratch, address: &str) -> Receiver {
    let recorder = Recorder::listen(scratch, "meter");
    let config = json!({
        "endpoints": {"bench": [address]},
        "environment": "dev",
        "high_water_mark": 0,
        "zmq_enabled": true,
        "zmq_strict": false,
        "sign_messages": false,
        "validate_signatures": false,
        "meter.enabled": true,
        "meter.path": recorder.path(),
        "meter.expect": scenario.messages,
        "meter.timed": scenario.rate > 0,
        "logging": {
            "version": 1,
            "handlers": {"console": {"class": "logging.StreamHandler", "level": "INFO"}},
            "loggers": {"moksha": {"level": "INFO", "propagate": false, "handlers": ["console"]}},
        },
    });
    let consumers: Vec<_> = (0..scenario.consumers).map(|n| format!("meter:Meter{n}")).collect();
    let mut command = python_fedmsg(scratch, "fedmsg-hub", &config);
    command.arg(format!("--with-consumers={}", consumers.join(",")));
    command.env("PYTHONPATH", workspace().join("bench/peer"));
    let process = Process::start(scratch, "python", &mut command);
    process.stderr.wait_for("Running the MokshaHub reactor");
    Receiver { process, lines: recorder.lines().clone() }
}
