//! A panic in a plugin is an error of the call it happened in. Those in the first tests happen in a `.so`,
//! the others behind the same shim in this process.

use std::sync::Arc;

use plugin_api::serde_json::json;
use plugin_api::testing::Harness;
use plugin_api::{Consumer, Delivery, Failure, FailureKind, Hub, Message, Outbound, Pattern, StartError};
use serde::{Deserialize, Deserializer};

use crate::host::TestHost;
use crate::misbehaving;

#[test]
fn a_panic_in_start_is_a_fatal_start_error() {
    let error = misbehaving("panics-in-start").start("{}", Arc::new(TestHost::default())).unwrap_err();
    assert!(!error.is_retryable());
    assert!(error.reason().starts_with("panicked at "), "{error}");
    assert!(error.reason().contains("faults.rs:") && error.reason().ends_with(": no start today"), "{error}");
}

#[test]
fn a_panic_in_consume_is_a_failure_of_the_message_and_the_next_one_is_consumed() {
    let host = Arc::new(TestHost::default());
    let mut consumer = misbehaving("panics-in-consume").start(r#"{"key":"panic"}"#, host).unwrap();
    let body = br#"{"topic":"t","msg":{"panic":1}}"#;
    let failure = consumer.consume(&[Delivery::new("a.b", body, "there")]).failure.unwrap();
    assert_eq!(failure.kind(), FailureKind::Panic);
    assert!(failure.reason().ends_with(": cannot stand a.b"), "{failure}");
    assert_eq!(consumer.consume(&[Delivery::new("a.b", b"{}", "there")]).failure, None);
}

#[test]
fn a_panic_in_stop_is_told() {
    let consumer = misbehaving("panics-in-stop").start("{}", Arc::new(TestHost::default())).unwrap();
    let panicked = consumer.stop().unwrap_err();
    assert_eq!(panicked.message, "no end");
    assert!(panicked.location.contains("faults.rs:"), "{}", panicked.location);
}

/// Panics wherever its configuration says.
struct Bomb {
    in_drop: bool,
}

struct Config {
    place: String,
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            place: String,
        }
        let Raw { place } = Raw::deserialize(deserializer)?;
        assert_ne!(place, "config");
        Ok(Self { place })
    }
}

impl Consumer for Bomb {
    const NAME: &'static str = "bomb";
    const CONFIG_KEY: &'static str = "bomb.enabled";
    type Config = Config;

    fn topics(config: &Config) -> Vec<Pattern> {
        assert_ne!(config.place, "topics");
        Vec::new()
    }

    fn inbound(config: &Config) -> Vec<String> {
        assert_ne!(config.place, "inbound");
        Vec::new()
    }

    fn outbound(config: &Config) -> Vec<Outbound> {
        assert_ne!(config.place, "outbound");
        Vec::new()
    }

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self { in_drop: config.place == "drop" })
    }

    fn consume(&mut self, _: &Message<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.in_drop, "dropped");
    }
}

#[test]
fn a_panic_before_the_start_is_a_problem_of_the_configuration() {
    for place in ["config", "topics", "inbound", "outbound"] {
        let error = Harness::<Bomb>::describe(json!({"place": place})).unwrap_err();
        assert!(error.to_string().starts_with("the plugin panicked at "), "{place}: {error}");
        assert!(error.to_string().contains("panics.rs:"), "{place}: {error}");
    }
    assert!(Harness::<Bomb>::describe(json!({"place": "drop"})).is_ok());
}

#[test]
fn a_panic_when_the_consumer_is_dropped_is_caught_with_and_without_stop() {
    let stopped = Harness::<Bomb>::start(json!({"place": "drop"})).unwrap();
    assert_eq!(stopped.stop().unwrap_err().message, "dropped");
    drop(Harness::<Bomb>::start(json!({"place": "drop"})).unwrap());
}
