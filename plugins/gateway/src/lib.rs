#![forbid(unsafe_code)]
//! Repeats every message, unchanged, to many subscribers outside, and lets none of them hold up another.
//!
//! This module is the border to the hub; `publisher` is the rest, and knows nothing of hubs. Why it does not publish
//! by libzmq: `docs/decisions/0012-gateway-speaks-zmtp.md`.

mod address;
mod audience;
mod limits;
mod memory;
mod publisher;
mod queue;
mod subscriber;
mod subscriptions;
mod tally;
mod zmtp;

use std::num::NonZeroUsize;
use std::slice;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use plugin_api::{
    BatchFailure, Consumer, Failure, Hub, Message, Outbound, Pattern, StartError, export_plugin, tracing,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use address::Address;
use limits::Limits;
use publisher::{OpenError, Publisher};
use tally::Count;
use zmtp::Outgoing;

/// The keys of `[fedmsg.consumers.gateway]` beside `enabled`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
struct Config {
    /// Where subscribers connect: all of these are bound.
    addresses: Vec<Address>,
    /// As many messages wait for one subscriber at most; what comes then is left out for it, and counted.
    high_water_mark: NonZeroUsize,
    /// As many bytes wait for one subscriber at most.
    max_bytes: NonZeroUsize,
    /// As many bytes wait for all of them together; a message counts once. Who is behind gets no more then.
    max_total_bytes: NonZeroUsize,
    /// More subscribers than these are refused.
    max_subscribers: NonZeroUsize,
    /// More subscribers of one address than these are refused; 0 for any number.
    max_per_address: usize,
    /// A subscriber that takes no byte of what waits for it, or wants nothing, for so long is disconnected.
    stalled_after: Time,
    /// What came by these endpoints is not repeated. The hub must not hear its own gateway for ever.
    never_from: Vec<String>,
}

/// A duration as it is written in the hub's configuration, `1m 30s`, and no instant.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Time(#[serde(deserialize_with = "some_time")] Duration);

fn some_time<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    match duration::deserialize(value)? {
        Duration::ZERO => Err(D::Error::custom("it must be more than \"0s\"")),
        time => Ok(time),
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addresses: vec![Address::default()],
            high_water_mark: const { NonZeroUsize::new(10_000).unwrap() },
            max_bytes: const { NonZeroUsize::new(64 * 1024 * 1024).unwrap() },
            max_total_bytes: const { NonZeroUsize::new(1024 * 1024 * 1024).unwrap() },
            max_subscribers: const { NonZeroUsize::new(4096).unwrap() },
            max_per_address: 128,
            stalled_after: Time(Duration::from_secs(60)),
            never_from: vec!["gateway".to_owned()],
        }
    }
}

struct Gateway {
    publisher: Publisher,
    never_from: Vec<String>,
    /// It was said that the hub hears its own gateway.
    warned: bool,
}

impl Gateway {
    /// Whether the message may have come from here.
    fn is_ours(&mut self, message: &Message<'_>) -> bool {
        let ours = self.never_from.iter().any(|name| name == message.endpoint());
        if ours && !self.warned {
            self.warned = true;
            tracing::warn!(
                endpoint = message.endpoint(),
                "this hub subscribes to the endpoint of its gateway; nothing that comes by it is repeated"
            );
        }
        ours
    }
}

impl Consumer for Gateway {
    const NAME: &'static str = "gateway";
    const CONFIG_KEY: &'static str = "fedmsg.consumers.gateway.enabled";
    type Config = Config;

    fn topics(_: &Config) -> Vec<Pattern> {
        vec!["".into()]
    }

    fn outbound(config: &Config) -> Vec<Outbound> {
        config.addresses.iter().map(|address| Outbound::Address(address.to_string())).collect()
    }

    fn start(config: Config, hub: Hub) -> Result<Self, StartError> {
        let Config { never_from, .. } = config;
        let limits = Limits {
            messages: config.high_water_mark.get(),
            bytes: config.max_bytes.get(),
            total_bytes: config.max_total_bytes.get(),
            subscribers: config.max_subscribers.get(),
            per_address: config.max_per_address,
            stalled_after: config.stalled_after.0,
        };
        let limits = limits.within_open_files();
        Count::ALL.iter().for_each(|what| hub.count(what.name(), 0));
        let counter = Box::new(move |what: Count, n| hub.count(what.name(), n));
        let publisher = Publisher::open(&config.addresses, limits, counter).map_err(|error| match error {
            OpenError::Taken { .. } => StartError::retry(error),
            OpenError::Address { .. } | OpenError::System(_) => StartError::fatal(error),
        })?;
        for address in publisher.bound() {
            tracing::info!(address = format_args!("tcp://{address}"), "publishing");
        }
        Ok(Self { publisher, never_from, warned: false })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        Ok(self.consume_batch(slice::from_ref(message))?)
    }

    fn consume_batch(&mut self, batch: &[Message<'_>]) -> Result<(), BatchFailure> {
        let mut outgoing = Vec::with_capacity(batch.len());
        for message in batch {
            if !self.is_ours(message) {
                outgoing.push(Outgoing::new(message.topic(), message.body()));
            }
        }
        Ok(self.publisher.publish(outgoing)?)
    }

    fn stop(self) {
        self.publisher.close();
    }
}

export_plugin!(Gateway);

#[cfg(test)]
mod tests {
    use plugin_api::serde_json::{self, Value, json};
    use plugin_api::testing::Harness;

    use super::*;

    #[test]
    fn the_sample_is_right_and_shows_the_defaults() {
        let sample: Value = toml::from_str(include_str!("../sample.toml")).unwrap();
        let wants = Harness::<Gateway>::describe_sample(sample.clone()).unwrap();
        assert_eq!(wants.topics, [Pattern::from("")]);
        let table = sample["fedmsg"]["consumers"]["gateway"].clone();
        let table: Config = serde_json::from_value(table).unwrap();
        assert_eq!(format!("{table:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn an_address_that_is_taken_is_worth_a_retry_and_one_of_no_machine_here_is_not() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", taken.local_addr().unwrap());
        let error = Harness::<Gateway>::start(json!({"addresses": [address]})).err().unwrap();
        assert!(error.is_retryable() && error.reason().contains("in use"), "{error}");
        let error = Harness::<Gateway>::start(json!({"addresses": ["tcp://192.0.2.1:9940"]})).err().unwrap();
        assert!(!error.is_retryable(), "{error}");
    }

    #[test]
    fn all_that_is_counted_is_known_from_the_start_and_is_in_the_readme() {
        let gateway = Harness::<Gateway>::start(json!({"addresses": ["tcp://127.0.0.1:*"]})).unwrap();
        let names: Vec<_> = gateway.counts().into_keys().collect();
        let mut all = Count::ALL.map(Count::name);
        all.sort_unstable();
        assert_eq!(names, all);
        let readme = include_str!("../README.md");
        assert!(all.iter().all(|name| readme.contains(&format!("| `{name}` |"))));
        gateway.stop().unwrap();
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        let error = Harness::<Gateway>::describe(json!({"addresses": ["ipc:///tmp/x"]})).err().unwrap();
        assert!(error.to_string().starts_with("addresses.0: `ipc:"), "{error}");
    }

    #[test]
    fn limits_that_would_serve_nobody_are_refused() {
        for (key, none, mend) in [
            ("high_water_mark", json!(0), "nonzero"),
            ("max_bytes", json!(0), "nonzero"),
            ("max_total_bytes", json!(0), "nonzero"),
            ("max_subscribers", json!(0), "nonzero"),
            ("stalled_after", json!("0s"), "more than \"0s\""),
        ] {
            let error = Harness::<Gateway>::describe(json!({key: none})).err().unwrap().to_string();
            assert!(error.starts_with(key) && error.contains(mend), "{error}");
        }
        Harness::<Gateway>::describe(json!({"max_per_address": 0})).unwrap();
    }
}
