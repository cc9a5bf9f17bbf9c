//! One line for each message.

use std::path::PathBuf;

use plugin_api::serde_json::{Value, json};
use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError};
use serde::Deserialize;

use crate::sink::Sink;

#[derive(Deserialize)]
pub(crate) struct Config {
    path: PathBuf,
    /// Whether a line has the body as text, too.
    #[serde(default)]
    bodies: bool,
}

pub(crate) struct Recorder {
    sink: Sink,
    bodies: bool,
}

impl Consumer for Recorder {
    const NAME: &'static str = "recorder";
    const CONFIG_KEY: &'static str = "recorder.enabled";
    type Config = Config;

    fn topics(_: &Config) -> Vec<Pattern> {
        vec!["*".into()]
    }

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        Ok(Self { sink: Sink::open(&config.path)?, bodies: config.bodies })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let body = self.bodies.then(|| String::from_utf8_lossy(message.body()));
        self.sink.line(&json!({
            "topic": message.topic(),
            "endpoint": message.endpoint(),
            "msg_id": message.msg_id(),
            "msg": message.msg::<Value>().ok(),
            "attempt": message.attempt(),
            "replayed": message.is_replayed(),
            "bytes": message.body().len(),
            "body": body,
        }))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::net::UnixListener;

    use plugin_api::serde_json;
    use plugin_api::testing::Harness;

    use super::*;

    #[test]
    fn a_listening_test_gets_a_line_for_each_message() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let listener = UnixListener::bind(&path).unwrap();
        let mut recorder = Harness::<Recorder>::start(json!({"path": path})).unwrap();
        recorder.deliver("a.b", json!({"n": 1})).unwrap();
        let mut line = String::new();
        BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["topic"], &line["msg"]["n"], &line["body"]),
            (&json!("a.b"), &json!(1), &Value::Null)
        );
    }

    #[test]
    fn a_file_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        for _ in 0..2 {
            let mut recorder = Harness::<Recorder>::start(json!({"path": path, "bodies": true})).unwrap();
            recorder.deliver("a.b", json!({})).unwrap();
            recorder.stop().unwrap();
        }
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(lines.lines().count(), 2);
        assert!(lines.contains(r#"\"topic\":\"a.b\""#));
    }
}
