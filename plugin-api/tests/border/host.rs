//! A hub for tests.

use std::sync::Mutex;

use plugin_api::tracing::Level;
use plugin_api::tracing::level_filters::LevelFilter;
use plugin_api::{Failure, Host, LogRecord, PublishError, PublisherId, StartError};

/// Remembers what it was asked, one line each.
pub(crate) struct TestHost {
    pub(crate) level: Mutex<LevelFilter>,
    lines: Mutex<Vec<String>>,
}

impl Default for TestHost {
    fn default() -> Self {
        Self { level: Mutex::new(LevelFilter::INFO), lines: Mutex::default() }
    }
}

impl TestHost {
    pub(crate) fn lines(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }

    fn line(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

impl Host for TestHost {
    fn max_level(&self) -> LevelFilter {
        *self.level.lock().unwrap()
    }

    fn enabled(&self, level: Level, target: &str) -> bool {
        level <= self.max_level() && !target.starts_with("noise")
    }

    fn log(&self, record: &LogRecord<'_>) {
        let fields: String = record.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        assert!(record.file.is_some() && record.line.is_some());
        self.line(format!(
            "{} {} {}: {}{fields}",
            record.level, record.consumer, record.target, record.message
        ));
    }

    fn publish(&self, topic: &str, msg: &str) -> Result<(), PublishError> {
        self.line(format!("publish {topic} {msg}"));
        assert!(!msg.contains("explode"), "the host exploded");
        if msg.contains("unwelcome") { Err(PublishError::new("it is unwelcome")) } else { Ok(()) }
    }

    fn open_publisher(&self, endpoint: &str) -> Result<PublisherId, StartError> {
        Err(StartError::retry(format_args!("no address of {endpoint} is free")))
    }

    fn forward(&self, _: PublisherId, _: &str, _: &[u8]) -> Result<(), PublishError> {
        Err(PublishError::new("there is no publisher"))
    }

    fn open_signing_publisher(&self, endpoint: &str) -> Result<PublisherId, StartError> {
        self.line(format!("sign for {endpoint}"));
        Ok(PublisherId(7))
    }

    fn forward_signed(&self, publisher: PublisherId, topic: &str, body: &[u8]) -> Result<(), Failure> {
        self.line(format!("sign {topic} for publisher {}", publisher.0));
        match body {
            b"{}" => Ok(()),
            b"[]" => Err(Failure::drop("it is no object")),
            b"away" => Err(PublishError::new("nobody is there").into()),
            _ => panic!("the host exploded"),
        }
    }

    fn count(&self, name: &str, n: u64) {
        self.line(format!("count {name} {n}"));
        assert!(name != "explode", "the host exploded");
    }
}
