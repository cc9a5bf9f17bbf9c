//! What became of a message, as flat as a line of JSON likes it.

use std::borrow::Cow;

use jiff::Timestamp;
use journal::Ending;
use serde::{Deserialize, Serialize};

use super::stamp;

/// What became of a message; which fields there are depends on the ending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// When that was.
    pub at: Timestamp,
    /// `retried`, `dead_lettered`, `dropped`, `lost`, `malformed`, `rejected`, `duplicate` or `unmatched`.
    pub ending: Cow<'static, str>,
    /// The message; absent if it never came into the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The message behind the last of those that are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// The message that it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// The consumer that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// The endpoint that it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How many attempts there have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How long the attempt took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The error, or the rule that it breaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<journal::Outcome> for Outcome {
    fn from(outcome: journal::Outcome) -> Self {
        let journal::Outcome { at, offset, ending } = outcome;
        let bare = |word: &'static str| Self {
            at: stamp(at),
            ending: word.into(),
            offset: offset.map(|offset| offset.0),
            to: None,
            of: None,
            consumer: None,
            endpoint: None,
            attempts: None,
            seconds: None,
            reason: None,
        };
        let attempt = |word, attempt: journal::Attempt| Self {
            consumer: Some(attempt.consumer),
            attempts: Some(attempt.attempts),
            seconds: Some(attempt.took.as_secs_f64()),
            reason: Some(attempt.reason),
            ..bare(word)
        };
        let refusal = |word, refusal: journal::Refusal| Self {
            endpoint: Some(refusal.endpoint),
            reason: Some(refusal.reason),
            ..bare(word)
        };
        match ending {
            Ending::Retried(it) => attempt("retried", it),
            Ending::DeadLettered(it) => attempt("dead_lettered", it),
            Ending::Dropped(it) => attempt("dropped", it),
            Ending::Lost { consumer, to } => {
                Self { consumer: Some(consumer), to: Some(to.0), ..bare("lost") }
            }
            Ending::Malformed(it) => refusal("malformed", it),
            Ending::Rejected(it) => refusal("rejected", it),
            Ending::Duplicate { of, endpoint } => {
                Self { of: Some(of.0), endpoint: Some(endpoint), ..bare("duplicate") }
            }
            Ending::Unmatched => bare("unmatched"),
            _ => bare("other"),
        }
    }
}
