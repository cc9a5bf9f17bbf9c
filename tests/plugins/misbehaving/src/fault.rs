//! What the faulty consumers have in common.

use std::path::PathBuf;
use std::time::Duration;

use plugin_api::{Consumer, Failure, Hub, Message, Pattern, StartError};
use serde::Deserialize;

/// The table of each of them; the fault says which keys mean something to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// A file whose existence matters.
    pub(crate) file: PathBuf,
    /// How often.
    pub(crate) times: u32,
    /// Only messages whose msg has this key; empty for all.
    pub(crate) key: String,
    /// The patience that it asks for, in seconds.
    pub(crate) patience: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self { file: PathBuf::new(), times: 1, key: String::new(), patience: None }
    }
}

/// A consumer that is faulty in one way and fine in all others.
pub(crate) trait Fault: Sized + Send + 'static {
    const NAME: &'static str;
    /// `misbehaving.<fault>.enabled`
    const KEY: &'static str;

    fn start(config: Config, hub: Hub) -> Result<Self, StartError>;

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let _ = message;
        Ok(())
    }

    fn stop(self) {}
}

pub(crate) struct Faulty<F>(F);

impl<F: Fault> Consumer for Faulty<F> {
    const NAME: &'static str = F::NAME;
    const CONFIG_KEY: &'static str = F::KEY;
    type Config = Config;

    fn topics(_: &Config) -> Vec<Pattern> {
        vec!["*".into()]
    }

    fn patience(config: &Config) -> Option<Duration> {
        config.patience.map(Duration::from_secs)
    }

    fn start(config: Config, hub: Hub) -> Result<Self, StartError> {
        F::start(config, hub).map(Self)
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        self.0.consume(message)
    }

    fn stop(self) {
        self.0.stop();
    }
}
