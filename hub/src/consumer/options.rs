//! The keys in a consumer's table that are the hub's; the rest of the table is the plugin's.

use message::Pattern;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use settings::INBOX;

/// What the operator decides about a consumer, whatever its plugin is.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerOptions {
    /// `topics`: in place of those the plugin asks for.
    pub topics: Option<Vec<Pattern>>,
    /// `on_start_error`: what a failed start means.
    pub on_start_error: OnStartError,
    /// `max_attempts`: how often a message is tried before it is given up; at least 1.
    pub max_attempts: u32,
    /// `inbox`: in place of `hub.inbox`.
    pub inbox: Option<usize>,
}

/// What to do when a consumer doesn't start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnStartError {
    /// The hub doesn't start either.
    Fail,
    /// Try again, with backoff, while the plugin calls the error one that may pass.
    Retry,
    /// Go on without this consumer.
    Ignore,
}

/// A hub-owned key with a value that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct OptionError {
    /// The key, inside the consumer's table.
    pub key: &'static str,
    /// What is wrong with its value.
    pub message: String,
}

impl ConsumerOptions {
    /// Takes the hub's keys out of `table`.
    ///
    /// # Errors
    /// A key has a value of the wrong type or range.
    pub fn take(table: &mut Map<String, Value>) -> Result<Self, OptionError> {
        let options = Self {
            topics: key(table, "topics")?,
            on_start_error: key(table, "on_start_error")?.unwrap_or(OnStartError::Fail),
            max_attempts: key(table, "max_attempts")?.unwrap_or(5),
            inbox: key(table, "inbox")?,
        };
        if options.max_attempts == 0 {
            return Err(OptionError { key: "max_attempts", message: "must be at least 1".to_owned() });
        }
        if options.inbox.is_some_and(|inbox| !INBOX.contains(&inbox)) {
            let message = format!("must be from {} to {}", INBOX.start(), INBOX.end());
            return Err(OptionError { key: "inbox", message });
        }
        Ok(options)
    }
}

fn key<T: DeserializeOwned>(
    table: &mut Map<String, Value>,
    key: &'static str,
) -> Result<Option<T>, OptionError> {
    table
        .remove(key)
        .map(|value| serde_json::from_value(value).map_err(|e| OptionError { key, message: e.to_string() }))
        .transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(mut table: Value) -> (Result<ConsumerOptions, OptionError>, Value) {
        let options = ConsumerOptions::take(table.as_object_mut().unwrap());
        (options, table)
    }

    #[test]
    fn the_hubs_keys_are_taken_and_the_plugins_are_left() {
        let (options, left) =
            taken(json!({"topics": ["a.*"], "on_start_error": "retry", "inbox": 7, "mine": 1}));
        let options = options.unwrap();
        assert_eq!((options.topics, options.inbox), (Some(vec![Pattern::new("a.*")]), Some(7)));
        assert_eq!((options.on_start_error, options.max_attempts), (OnStartError::Retry, 5));
        assert_eq!(left, json!({"mine": 1}));
    }

    #[test]
    fn a_value_that_cannot_be_is_named_by_its_key() {
        for (table, key) in [
            (json!({"topics": "a.*"}), "topics"),
            (json!({"on_start_error": "panic"}), "on_start_error"),
            (json!({"max_attempts": 0}), "max_attempts"),
            (json!({"inbox": 0}), "inbox"),
        ] {
            assert_eq!(taken(table).0.unwrap_err().key, key);
        }
    }
}
