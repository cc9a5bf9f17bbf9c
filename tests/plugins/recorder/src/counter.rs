//! Counts by the number `i` that a publisher gives each of its messages.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use plugin_api::serde_json::{Value, json};
use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError, tracing};
use serde::Deserialize;

use crate::sink::Sink;

#[derive(Deserialize)]
pub(crate) struct Config {
    path: PathBuf,
    /// A summary is written when so many different numbers were seen; and one when the consumer stops.
    expect: u64,
}

pub(crate) struct Counter {
    sink: Sink,
    expect: u64,
    seen: Seen,
}

/// What was seen of numbered messages.
#[derive(Default)]
struct Seen {
    /// Bit `i` is set when a message of this number came.
    bits: Vec<u64>,
    distinct: u64,
    doubled: u64,
    max: u64,
    /// Messages without a number, or with one that no test sends.
    unnumbered: u64,
    bytes: u64,
    first: Option<SystemTime>,
    last: Option<SystemTime>,
}

impl Seen {
    const LIMIT: u64 = 1 << 32;

    /// Takes note of a message; whether its number is a new one.
    fn note(&mut self, i: Option<u64>, bytes: usize) -> bool {
        let now = SystemTime::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.bytes += bytes as u64;
        let word = i.filter(|i| *i < Self::LIMIT).and_then(|i| Some((i, usize::try_from(i / 64).ok()?)));
        let Some((i, word)) = word else {
            self.unnumbered += 1;
            return false;
        };
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let bit = 1 << (i % 64);
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        self.max = self.max.max(i);
        *if is_new { &mut self.distinct } else { &mut self.doubled } += 1;
        is_new
    }

    fn summary(&self, stopped: bool) -> Value {
        let seconds = |time: Option<SystemTime>| Some(time?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64());
        json!({
            "distinct": self.distinct, "doubled": self.doubled, "max": self.max, "unnumbered": self.unnumbered,
            "bytes": self.bytes, "first": seconds(self.first), "last": seconds(self.last), "stopped": stopped,
        })
    }
}

impl Consumer for Counter {
    const NAME: &'static str = "counter";
    const CONFIG_KEY: &'static str = "counter.enabled";
    type Config = Config;

    fn topics(_: &Config) -> Vec<Pattern> {
        vec!["*".into()]
    }

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self { sink: Sink::open(&config.path)?, expect: config.expect, seen: Seen::default() })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let i = message.envelope()?.i();
        if self.seen.note(i, message.body().len()) && self.seen.distinct == self.expect {
            self.sink.line(&self.seen.summary(false))?;
        }
        Ok(())
    }

    fn stop(mut self) {
        if let Err(error) = self.sink.line(&self.seen.summary(true)) {
            tracing::error!(%error, "the last summary is lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use plugin_api::testing::Harness;
    use plugin_api::{Delivery, serde_json};

    use super::*;

    #[test]
    fn the_summary_tells_new_ones_from_doubled_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut counter = Harness::<Counter>::start(json!({"path": path, "expect": 2})).unwrap();
        for body in [r#"{"topic":"t","i":1}"#, r#"{"topic":"t","i":1}"#, r#"{"topic":"t","i":70}"#, "{}"] {
            counter.deliver_as(&Delivery::new("t", body.as_bytes(), "e")).unwrap();
        }
        counter.stop().unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["distinct"], &lines[0]["stopped"]), (&json!(2), &json!(false)));
        let last = &lines[1];
        assert_eq!((&last["doubled"], &last["max"], &last["unnumbered"]), (&json!(1), &json!(70), &json!(1)));
        assert_eq!((&last["bytes"], &last["stopped"]), (&json!(19 + 19 + 20 + 2), &json!(true)));
    }
}
