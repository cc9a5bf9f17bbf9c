//! Measures: how many messages came, from when to when, and how late each was.
//!
//! It looks at nothing in a message that it need not, so that what is measured is the way to the consumer. There are
//! ten of it, `meter0` to `meter9`, to see what one more costs.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use plugin_api::serde_json::json;
use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError, tracing};
use serde::Deserialize;

use crate::sink::Sink;

const NAMES: [&str; 10] =
    ["meter0", "meter1", "meter2", "meter3", "meter4", "meter5", "meter6", "meter7", "meter8", "meter9"];

const KEYS: [&str; 10] = [
    "meter0.enabled",
    "meter1.enabled",
    "meter2.enabled",
    "meter3.enabled",
    "meter4.enabled",
    "meter5.enabled",
    "meter6.enabled",
    "meter7.enabled",
    "meter8.enabled",
    "meter9.enabled",
];

#[derive(Deserialize)]
pub(crate) struct Config {
    path: PathBuf,
    /// The measurement is written when so many messages came; or when the consumer stops, if they were less.
    expect: u64,
    /// Whether each message says in `msg.sent` when it was sent, in microseconds since 1970.
    #[serde(default)]
    timed: bool,
}

pub(crate) struct Meter<const N: usize> {
    sink: Sink,
    config: Config,
    count: u64,
    bytes: u64,
    /// In microseconds since 1970, as all times here.
    first: u64,
    late: Vec<u64>,
}

#[derive(Deserialize)]
struct Sent {
    sent: u64,
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

impl<const N: usize> Meter<N> {
    fn report(&mut self) -> std::io::Result<()> {
        self.sink.line(&json!({
            "count": self.count, "bytes": self.bytes, "first_us": self.first, "last_us": now(), "late_us": self.late,
        }))
    }
}

impl<const N: usize> Consumer for Meter<N> {
    const NAME: &'static str = NAMES[N];
    const CONFIG_KEY: &'static str = KEYS[N];
    type Config = Config;

    fn topics(_: &Config) -> Vec<Pattern> {
        vec!["*".into()]
    }

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self { sink: Sink::open(&config.path)?, config, count: 0, bytes: 0, first: 0, late: Vec::new() })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        self.count += 1;
        self.bytes += message.body().len() as u64;
        if self.count == 1 {
            self.first = now();
        }
        if self.config.timed {
            self.late.push(now().saturating_sub(message.msg::<Sent>()?.sent));
        }
        if self.count == self.config.expect {
            self.report()?;
        }
        Ok(())
    }

    fn stop(mut self) {
        if self.count < self.config.expect
            && let Err(error) = self.report()
        {
            tracing::error!(%error, "the measurement is lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use plugin_api::serde_json::{self, Value};
    use plugin_api::testing::Harness;

    use super::*;

    #[test]
    fn all_that_were_expected_are_measured_when_the_last_has_come() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut meter =
            Harness::<Meter<0>>::start(json!({"path": path, "expect": 2, "timed": true})).unwrap();
        meter.deliver("a.b", json!({"sent": 1})).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        meter.deliver("a.b", json!({"sent": u64::MAX})).unwrap();
        meter.stop().unwrap();
        let line: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let late: Vec<u64> = serde_json::from_value(line["late_us"].clone()).unwrap();
        assert_eq!((&line["count"], late.len(), late[1]), (&json!(2), 2, 0));
        assert!(
            line["first_us"].as_u64() >= Some(late[0])
                && line["last_us"].as_u64() >= line["first_us"].as_u64()
        );
    }

    #[test]
    fn fewer_than_were_expected_are_measured_at_the_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut meter = Harness::<Meter<9>>::start(json!({"path": path, "expect": 2})).unwrap();
        meter.deliver("a.b", json!({})).unwrap();
        meter.stop().unwrap();
        let line: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!((&line["count"], &line["late_us"]), (&json!(1), &json!([])));
    }
}
