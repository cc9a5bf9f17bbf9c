//! A consumer that is slow is behind, and nobody else is.

use std::fmt::Write;
use std::time::Duration;

use e2e::{Hub, Recorder, Scratch, TestPublisher, rounds};
use serde_json::{Value, json};

/// How long the slowest machine may take for the million.
const PATIENCE: Duration = Duration::from_secs(1800);

const FAST: usize = 9;

/// One hub with nine fast consumers; at which rate they got their messages, and the hub's peak memory in MiB.
struct Flow {
    scratch: Scratch,
    messages: u64,
}

impl Flow {
    fn run(messages: u64, slow: bool) -> (f64, u64) {
        let flow = Self { scratch: Scratch::new(), messages };
        let mut publisher = TestPublisher::default();
        let (mut hub, fast, slow) = flow.start(&publisher, slow);
        publisher.wait_for_subscriber("t");
        for n in 0..messages {
            publisher.publish("t", &json!({"n": n}).to_string());
        }
        let (mut first, mut last) = (u64::MAX, 0);
        for meter in &fast {
            let line = meter.lines().wait_within(PATIENCE, |lines| lines.first().cloned());
            let measured: Value = serde_json::from_str(&line.expect("a fast one gets all")).unwrap();
            assert_eq!(measured["count"], messages);
            first = first.min(measured["first_us"].as_u64().unwrap());
            last = last.max(measured["last_us"].as_u64().unwrap());
        }
        if let Some(slow) = &slow {
            flow.free(slow);
        }
        let peak = hub.peak_memory() / 1024;
        assert_eq!(hub.stop().code(), Some(0));
        (messages as f64 * 1e6 / (last - first) as f64, peak)
    }

    fn start(&self, publisher: &TestPublisher, slow: bool) -> (Hub, Vec<Recorder>, Option<Recorder>) {
        let mut config = String::new();
        let fast = (0..FAST).map(|n| {
            let meter = Recorder::listen(&self.scratch, &format!("meter{n}"));
            let (path, expect) = (meter.path(), self.messages);
            writeln!(config, "meter{n} = {{ enabled = true, path = \"{path}\", expect = {expect} }}")
                .unwrap();
            meter
        });
        let fast = fast.collect();
        let slow = slow.then(|| {
            let slow = Recorder::listen(&self.scratch, "slow");
            let (path, until) = (slow.path(), self.scratch.join("until"));
            let until = until.display();
            writeln!(
                config,
                "recorder = {{ enabled = true, path = \"{path}\", delay = \"10ms\", until = \"{until}\" }}"
            )
            .unwrap();
            slow
        });
        // Far less than the slow one is behind: it has to read from disk.
        writeln!(config, "journal.memory_bytes = 1048576").unwrap();
        let hub = Hub::builder(&self.scratch).subscribed_to(publisher).plugin("recorder").config(&config);
        (hub.start(), fast, slow)
    }

    /// The slow one is behind, and gets all when it is slow no more.
    fn free(&self, slow: &Recorder) {
        let expected = usize::try_from(self.messages).unwrap();
        let behind = expected - slow.lines().all().len();
        println!("the slow one is {behind} messages behind");
        assert!(behind > expected / 2);
        self.scratch.write("until", "");
        let mut next = 0;
        let got_all = slow.lines().wait_within(PATIENCE, |lines| {
            for line in &lines[next..] {
                let record: Value = serde_json::from_str(line).unwrap();
                assert_eq!(record["msg"]["n"], next);
                next += 1;
            }
            (next == expected).then_some(())
        });
        got_all.expect("the slow one gets all");
    }
}

#[test]
fn a_slow_consumer_costs_the_fast_ones_nothing_and_gets_all_in_the_end() {
    let messages = rounds(20_000, 1_000_000);
    for slow in [false, true] {
        let (rate, peak) = Flow::run(messages, slow);
        let with = if slow { "with a slow one" } else { "alone" };
        println!("{FAST} fast consumers {with}: {rate:.0} messages/s each, hub's peak {peak} MiB");
    }
}
