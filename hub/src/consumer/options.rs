//! The keys in a consumer's table that are the hub's; the rest of the table is the plugin's.

use std::time::{Duration, SystemTime};

use message::Pattern;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// What the operator decides about a consumer, whatever its plugin is.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerOptions {
    /// `topics`: in place of those the plugin asks for.
    pub topics: Option<Vec<Pattern>>,
    /// `validate_signatures`: in place of `crypto.validate_signatures`.
    pub validate_signatures: Option<bool>,
    /// `on_start_error`: what a failed start means.
    pub on_start_error: OnStartError,
    /// `start`: where it begins when the journal sees it for the first time.
    pub start: Start,
    /// `workers`: how many instances of it run, each on a thread of its own; from 1 to [`MOST_WORKERS`].
    pub workers: usize,
    /// `ordering`: which messages keep their order when there are several workers.
    pub ordering: Ordering,
    /// `batch`: as many messages are handed over at once at most, from 1 to [`LARGEST_BATCH`]. Without it, as many as
    /// take 20 ms.
    pub batch: Option<usize>,
    /// `max_attempts`: how often a message is tried before it becomes a dead letter; at least 1.
    pub max_attempts: u32,
    /// `on_retry`: whether a message that is retried holds those behind it.
    pub on_retry: OnRetry,
    /// `retry_min`: the wait before the second attempt, unless the plugin says another; it doubles with each.
    pub retry_min: Duration,
    /// `retry_max`: the longest such wait.
    pub retry_max: Duration,
}

/// As many workers a consumer may have at most.
pub const MOST_WORKERS: usize = 64;

/// As many messages are read, and cross the border, at once at most.
pub const LARGEST_BATCH: usize = 256;

/// Where a consumer begins that the journal does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    New,
    /// With the oldest message kept.
    Earliest,
    /// With the first message received at or after this time.
    At(SystemTime),
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match &*text {
            "new" => Ok(Self::New),
            "earliest" => Ok(Self::Earliest),
            time => time.parse::<jiff::Timestamp>().map(|time| Self::At(time.into())).map_err(|_| {
                de::Error::custom(format!(
                    "`{text}` is none of \"new\", \"earliest\" and a time such as \"2026-11-21T08:00:00Z\""
                ))
            }),
        }
    }
}

/// Which messages keep their order when several workers take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ordering {
    /// Those of one topic.
    Topic,
    /// Those that came by one endpoint.
    Endpoint,
    /// None.
    None,
}

/// Whether a message that is retried holds those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRetry {
    /// They wait, so that order is kept.
    Hold,
    /// They go on; the message is set aside in the meantime.
    Continue,
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
            validate_signatures: key(table, "validate_signatures")?,
            on_start_error: key(table, "on_start_error")?.unwrap_or(OnStartError::Fail),
            start: key(table, "start")?.unwrap_or(Start::New),
            workers: key(table, "workers")?.unwrap_or(1),
            ordering: key(table, "ordering")?.unwrap_or(Ordering::Topic),
            batch: key(table, "batch")?,
            max_attempts: key(table, "max_attempts")?.unwrap_or(5),
            on_retry: key(table, "on_retry")?.unwrap_or(OnRetry::Hold),
            retry_min: wait(table, "retry_min")?.unwrap_or(Duration::from_millis(100)),
            retry_max: wait(table, "retry_max")?.unwrap_or(Duration::from_secs(60)),
        };
        let wrong = |key, message: String| Err(OptionError { key, message });
        if options.max_attempts == 0 {
            return wrong("max_attempts", "must be at least 1".to_owned());
        }
        if !(1..=MOST_WORKERS).contains(&options.workers) {
            return wrong("workers", format!("must be from 1 to {MOST_WORKERS}"));
        }
        if options.batch.is_some_and(|batch| !(1..=LARGEST_BATCH).contains(&batch)) {
            return wrong("batch", format!("must be from 1 to {LARGEST_BATCH}"));
        }
        if let Start::At(time) = options.start
            && time > SystemTime::now()
        {
            return wrong("start", "is in the future; say \"new\"".to_owned());
        }
        if options.retry_max < options.retry_min {
            return wrong("retry_max", format!("must be at least retry_min, {:?}", options.retry_min));
        }
        Ok(options)
    }
}

fn wait(table: &mut Map<String, Value>, name: &'static str) -> Result<Option<Duration>, OptionError> {
    #[derive(Deserialize)]
    struct Wait(#[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")] Duration);
    Ok(key::<Wait>(table, name)?.map(|wait| wait.0))
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
            taken(json!({"topics": ["a.*"], "on_start_error": "retry", "workers": 7, "mine": 1}));
        let options = options.unwrap();
        assert_eq!((options.topics, options.workers), (Some(vec![Pattern::new("a.*")]), 7));
        assert_eq!((options.on_start_error, options.max_attempts), (OnStartError::Retry, 5));
        assert_eq!(left, json!({"mine": 1}));
    }

    #[test]
    fn a_value_that_cannot_be_is_named_by_its_key() {
        for (table, key) in [
            (json!({"topics": "a.*"}), "topics"),
            (json!({"on_start_error": "panic"}), "on_start_error"),
            (json!({"max_attempts": 0}), "max_attempts"),
            (json!({"workers": 0}), "workers"),
            (json!({"start": "now"}), "start"),
            (json!({"start": "2999-01-01T00:00:00Z"}), "start"),
            (json!({"batch": 257}), "batch"),
            (json!({"ordering": "msg_id"}), "ordering"),
            (json!({"on_retry": "drop"}), "on_retry"),
            (json!({"retry_min": "soon"}), "retry_min"),
            (json!({"retry_min": "2s", "retry_max": "1s"}), "retry_max"),
        ] {
            assert_eq!(taken(table).0.unwrap_err().key, key);
        }
    }
}
