#![forbid(unsafe_code)]
//! Repeats what publishers send to one endpoint on another, unchanged or signed.

use plugin_api::{Consumer, Failure, Hub, Message, Outbound, Pattern, Publisher, StartError, export_plugin};
use serde::Deserialize;

/// The keys of `[fedmsg.consumers.relay]` beside `enabled`.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Config {
    /// The endpoint that publishers connect to.
    inbound: String,
    /// The endpoint that subscribers connect to.
    outbound: String,
    /// Whether the hub signs what is repeated.
    sign: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { inbound: "relay_inbound".to_owned(), outbound: "relay_outbound".to_owned(), sign: false }
    }
}

struct Relay {
    outbound: Publisher,
}

impl Consumer for Relay {
    const NAME: &'static str = "relay";
    const CONFIG_KEY: &'static str = "fedmsg.consumers.relay.enabled";
    type Config = Config;

    fn topics(_: &Config) -> Vec<Pattern> {
        // What it repeats comes to it by its own endpoint, whatever the topic.
        Vec::new()
    }

    fn inbound(config: &Config) -> Vec<String> {
        vec![config.inbound.clone()]
    }

    fn outbound(config: &Config) -> Vec<Outbound> {
        let kind = if config.sign { Outbound::Signed } else { Outbound::Endpoint };
        vec![kind(config.outbound.clone())]
    }

    fn start(config: Config, hub: Hub) -> Result<Self, StartError> {
        let open = if config.sign { Hub::signing_publisher } else { Hub::publisher };
        Ok(Self { outbound: open(&hub, &config.outbound)? })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        self.outbound.forward(message)
    }
}

export_plugin!(Relay);

#[cfg(test)]
mod tests {
    use plugin_api::serde_json::json;
    use plugin_api::testing::{Forwarded, Harness};
    use plugin_api::{Delivery, FailureKind};

    use super::*;

    #[test]
    fn the_sample_is_right_and_shows_the_defaults() {
        let sample = toml::from_str(include_str!("../sample.toml")).unwrap();
        let wants = Harness::<Relay>::describe_sample(sample).unwrap();
        assert_eq!(wants.inbound, Harness::<Relay>::describe(json!({})).unwrap().inbound);
        assert_eq!(wants.inbound, ["relay_inbound"]);
        assert!(wants.topics.is_empty());
        assert_eq!(wants.outbound, [Outbound::Endpoint("relay_outbound".to_owned())]);
        let signs = Harness::<Relay>::describe(json!({"sign": true, "outbound": "out"})).unwrap();
        assert_eq!(signs.outbound, [Outbound::Signed("out".to_owned())]);
    }

    #[test]
    fn both_frames_are_forwarded_unchanged() {
        let mut relay = Harness::<Relay>::start(json!({})).unwrap();
        let body = br#" { "topic" : "a",  "msg":NaN }"#;
        relay.deliver_as(&Delivery::new("some.topic", body, "relay_inbound")).unwrap();
        let expected = Forwarded {
            endpoint: "relay_outbound".into(),
            topic: "some.topic".into(),
            body: body.to_vec(),
            signed: false,
        };
        assert_eq!(relay.forwarded(), [expected]);
    }

    #[test]
    fn the_hub_signs_if_the_operator_says_so_and_what_cannot_be_signed_is_dropped() {
        let mut relay = Harness::<Relay>::start(json!({"sign": true})).unwrap();
        relay.deliver("some.topic", json!({})).unwrap();
        assert!(relay.forwarded()[0].signed);
        let failure = relay.deliver_as(&Delivery::new("some.topic", b"[]", "relay_inbound")).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Drop);
        assert_eq!(failure.reason(), "it cannot be signed: the body is not a JSON object");
        assert_eq!(relay.forwarded(), []);
        relay.refuse_to_publish(Some("the socket is full"));
        assert_eq!(relay.deliver("some.topic", json!({})).unwrap_err().kind(), FailureKind::Retry);
    }

    #[test]
    fn a_message_that_cannot_be_sent_is_retried() {
        let mut relay = Harness::<Relay>::start(json!({"outbound": "elsewhere"})).unwrap();
        relay.refuse_to_publish(Some("the socket is full"));
        let failure = relay.deliver("some.topic", json!({})).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Retry);
        assert_eq!(failure.reason(), "not published: the socket is full");
        relay.refuse_to_publish(None);
        relay.deliver("some.topic", json!({})).unwrap();
        assert_eq!(relay.forwarded()[0].endpoint, "elsewhere");
    }
}
