#![forbid(unsafe_code)]
//! Runs commands for messages. A message is finished when the commands that it is for have ended well.
//!
//! This module is the border to the hub. What a run is stands in crate `exec`, a rule in `rule`, and what is remembered
//! between deliveries in `progress`.

mod progress;
mod rule;

use std::slice;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plugin_api::{BatchFailure, Consumer, Failure, Hub, Message, Pattern, StartError, export_plugin};
use serde::Deserialize;

use progress::{Progress, Standing, lock, see_to};
use rule::{Rule, Rules, UNLOGGED};

/// The keys of `[fedmsg.consumers.trigger]` beside `enabled`.
#[derive(Debug, Deserialize)]
struct Config {
    /// The rules, by name.
    rules: Rules,
}

struct Trigger {
    rules: Vec<Active>,
    hub: Hub,
}

/// A rule that runs.
struct Active {
    name: String,
    rule: Rule,
    progress: Arc<Mutex<Progress>>,
}

impl Trigger {
    fn rules_for(&self, message: &Message<'_>) -> impl Iterator<Item = &Active> {
        self.rules.iter().filter(|active| active.rule.is_for(message.topic()))
    }

    /// Runs what is to run for it now. The hub is told of a failure only when no rule waits, so that a message that waits
    /// comes again in any case, and each rule runs once for each time that the hub tries.
    fn see_to(&self, message: &Message<'_>) -> Result<(), Failure> {
        let (mut wait, mut failed) = (None, Vec::new());
        for active in self.rules_for(message) {
            match active.see_to(message, &self.hub) {
                Standing::Done => {}
                Standing::Failed(reason) => failed.push((active, reason)),
                Standing::Waits(time) => wait = Some(wait.map_or(time, |wait: Duration| wait.min(time))),
            }
        }
        if let Some(wait) = wait {
            // The hub counts in whole milliseconds.
            let wait = wait.saturating_add(Duration::from_millis(1));
            return Err(Failure::later(
                wait,
                "it waits for more messages, as `wait_for` says, or for a run to end",
            ));
        }
        if failed.is_empty() {
            self.rules_for(message).for_each(|active| active.forget(message));
            return Ok(());
        }
        // Only these have it again.
        failed.iter().for_each(|(active, _)| active.forget(message));
        let reasons: Vec<_> =
            failed.iter().map(|(active, reason)| format!("rule `{}`: {reason}", active.name)).collect();
        Err(Failure::retry(reasons.join("; ")))
    }
}

impl Active {
    fn new(name: String, rule: Rule) -> Self {
        Self { progress: Progress::shared(&name), name, rule }
    }

    fn see_to(&self, message: &Message<'_>, hub: &Hub) -> Standing {
        let Self { name, rule, progress } = self;
        see_to(progress, message, rule.wait_for, |messages| {
            rule.run(name, messages, hub).map_err(|error| error.to_string())
        })
    }

    fn forget(&self, message: &Message<'_>) {
        lock(&self.progress).forget(message.offset());
    }
}

impl Consumer for Trigger {
    const NAME: &'static str = "trigger";
    const CONFIG_KEY: &'static str = "fedmsg.consumers.trigger.enabled";
    type Config = Config;

    fn topics(config: &Config) -> Vec<Pattern> {
        config.rules.0.values().flat_map(|rule| rule.topics.clone()).collect()
    }

    /// All rules may be for the same message.
    fn patience(config: &Config) -> Option<Duration> {
        Some(config.rules.0.values().fold(Duration::ZERO, |sum, rule| sum.saturating_add(rule.longest())))
    }

    fn start(config: Config, hub: Hub) -> Result<Self, StartError> {
        if config.rules.0.is_empty() {
            return Err(StartError::fatal(
                "it has no rule; add a table [fedmsg.consumers.trigger.rules.NAME]",
            ));
        }
        hub.count(UNLOGGED, 0);
        let rules = config.rules.0.into_iter();
        Ok(Self { rules: rules.map(|(name, rule)| Active::new(name, rule)).collect(), hub })
    }

    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        Ok(self.consume_batch(slice::from_ref(message))?)
    }

    fn consume_batch(&mut self, batch: &[Message<'_>]) -> Result<(), BatchFailure> {
        // A run for one of them is for all.
        for message in batch {
            for active in self.rules_for(message).filter(|active| !active.rule.wait_for.is_zero()) {
                lock(&active.progress).expect(message);
            }
        }
        for (index, message) in batch.iter().enumerate() {
            self.see_to(message).map_err(|failure| BatchFailure::at(index, failure))?;
        }
        Ok(())
    }
}

export_plugin!(Trigger);

#[cfg(test)]
mod tests;
