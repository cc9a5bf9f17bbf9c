#![forbid(unsafe_code)]
//! Runs commands for messages. A message is finished when the commands that it is for have ended well.
//!
//! This module is the border to the hub. What a run is stands in crate `exec`, a rule in `rule`, and what is remembered
//! between deliveries in `progress`.

mod progress;
mod rule;

use std::slice;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use plugin_api::{BatchFailure, Consumer, Failure, Hub, Message, Pattern, StartError, export_plugin};
use serde::Deserialize;

use progress::{Progress, lock};
use rule::{Rule, Rules};

/// The keys of `[fedmsg.consumers.trigger]` beside `enabled`.
#[derive(Debug, Deserialize)]
struct Config {
    /// The rules, by name.
    rules: Rules,
}

struct Trigger {
    rules: Vec<Active>,
}

/// A rule that runs.
struct Active {
    name: String,
    rule: Rule,
    progress: Arc<Mutex<Progress>>,
}

impl Active {
    fn new(name: String, rule: Rule) -> Self {
        // One that waits for more messages has them from all workers, and runs once at a time.
        let progress = if rule.wait_for.is_zero() { Arc::default() } else { Progress::shared(&name) };
        Self { name, rule, progress }
    }

    fn deal_with(&self, message: &Message<'_>) -> Result<(), Failure> {
        let Self { name, rule, progress } = self;
        let run = |messages: &[exec::Message]| {
            rule.run(name, messages).map_err(|error| format!("rule `{name}`: {error}"))
        };
        match rule.wait_for {
            Duration::ZERO => lock(progress).alone(message, run),
            wait_for => lock(progress).together(message, wait(message, wait_for), run),
        }
    }
}

impl Consumer for Trigger {
    const NAME: &'static str = "trigger";
    const CONFIG_KEY: &'static str = "fedmsg.consumers.trigger.enabled";
    type Config = Config;

    fn topics(config: &Config) -> Vec<Pattern> {
        config.rules.0.values().flat_map(|rule| rule.topics.clone()).collect()
    }

    fn start(config: Config, _: Hub) -> Result<Self, StartError> {
        if config.rules.0.is_empty() {
            return Err(StartError::fatal(
                "it has no rule; add a table [fedmsg.consumers.trigger.rules.NAME]",
            ));
        }
        let rules = config.rules.0.into_iter();
        Ok(Self { rules: rules.map(|(name, rule)| Active::new(name, rule)).collect() })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        Ok(self.consume_batch(slice::from_ref(message))?)
    }

    fn consume_batch(&mut self, batch: &[Message<'_>]) -> Result<(), BatchFailure> {
        for (index, message) in batch.iter().enumerate() {
            let mut failure = None;
            for active in self.rules.iter().filter(|active| active.rule.is_for(message.topic())) {
                // The other rules have their turn, whatever became of this one, which alone has it again.
                failure = active.deal_with(message).err().or(failure);
            }
            if let Some(failure) = failure {
                return Err(BatchFailure::at(index, failure));
            }
            for active in &self.rules {
                lock(&active.progress).forget(message.offset());
            }
        }
        Ok(())
    }
}

/// How long the message is still to wait for others.
fn wait(message: &Message<'_>, wait_for: Duration) -> Option<Duration> {
    let waited = SystemTime::now().duration_since(message.received()).unwrap_or_default();
    // It waits once; what comes again has waited, or is wanted by the operator.
    let fresh = message.attempt() == 1 && !message.is_replayed();
    wait_for.checked_sub(waited).filter(|left| fresh && !left.is_zero())
}

export_plugin!(Trigger);

#[cfg(test)]
mod tests;
