#![forbid(unsafe_code)]
//! Logs every message it gets. The template for your own consumer: copy the folder, change the names.

use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError, export_plugin, tracing};
use serde::Deserialize;

/// The keys of `[fedmsg.consumers.dummy]` beside `enabled`.
#[derive(Debug, Deserialize)]
struct Config {
    /// Whether to log what the messages say, too.
    #[serde(default)]
    bodies: bool,
}

struct Dummy {
    config: Config,
}

impl Consumer for Dummy {
    const NAME: &'static str = "dummy";
    const CONFIG_KEY: &'static str = "fedmsg.consumers.dummy.enabled";
    type Config = Config;

    fn topics(_: &Config) -> Vec<Pattern> {
        vec!["*".into()]
    }

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self { config })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let body = self.config.bodies.then(|| String::from_utf8_lossy(message.body()));
        tracing::debug!(
            topic = ?message.topic(),
            msg_id = message.msg_id().as_deref(),
            endpoint = message.endpoint(),
            body = body.as_deref(),
            "got a message"
        );
        Ok(())
    }
}

export_plugin!(Dummy);

#[cfg(test)]
mod tests {
    use plugin_api::serde_json::json;
    use plugin_api::testing::Harness;

    use super::*;

    #[test]
    fn the_sample_is_right() {
        let sample = toml::from_str(include_str!("../sample.toml")).unwrap();
        let wants = Harness::<Dummy>::describe_sample(sample).unwrap();
        assert_eq!(wants.topics, ["*".into()]);
    }

    #[test]
    fn a_message_is_logged_with_its_topic_and_id() {
        let mut dummy = Harness::<Dummy>::start(json!({})).unwrap();
        dummy.deliver("org.fedoraproject.dev.logger.log", json!({"log": "hello"})).unwrap();
        let logs = dummy.logs();
        assert_eq!(logs.len(), 1);
        assert_eq!((&*logs[0].message, logs[0].level), ("got a message", tracing::Level::DEBUG));
        assert!(logs[0].fields.contains(&("topic".into(), "\"org.fedoraproject.dev.logger.log\"".into())));
        assert!(
            logs[0].fields.contains(&("msg_id".into(), "2026-00000000-0000-4000-8000-000000000001".into()))
        );
        assert!(!logs[0].fields.iter().any(|(name, _)| name == "body"));
        dummy.stop().unwrap();
    }

    #[test]
    fn the_body_is_logged_on_request() {
        let mut dummy = Harness::<Dummy>::start(json!({"bodies": true})).unwrap();
        dummy.deliver("a.b", json!({"log": "hello"})).unwrap();
        let body = dummy.logs()[0].fields.iter().find(|(name, _)| name == "body").unwrap().1.clone();
        assert!(body.contains(r#""msg":{"log":"hello"}"#), "{body}");
    }
}
