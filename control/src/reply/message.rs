//! A message on a line of JSON, with its body as it came.

use std::borrow::Cow;

use jiff::Timestamp;
use journal::Entry;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::stamp;

/// A message as it was received.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message<'a> {
    /// Its place in the journal.
    pub offset: u64,
    /// When it came.
    pub received: Timestamp,
    /// The name of the endpoint that it came by.
    #[serde(borrow)]
    pub endpoint: Cow<'a, str>,
    /// Its topic.
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    /// Its body, byte for byte, where it is one line of JSON as the standard has it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    /// Its body, as a string, where it is not: Python also reads and writes `NaN`, and a body may have line ends.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    body_text: Option<Cow<'a, str>>,
}

impl<'a> Message<'a> {
    pub(crate) fn new(entry: &Entry<'a>) -> Self {
        let text = String::from_utf8_lossy(entry.body());
        let (body, body_text) = match text {
            Cow::Borrowed(text) => match as_one_line(text) {
                Some(body) => (Some(body), None),
                None => (None, Some(Cow::Borrowed(text))),
            },
            Cow::Owned(text) => (None, Some(Cow::Owned(text))),
        };
        Self {
            offset: entry.offset().0,
            received: stamp(entry.received()),
            endpoint: entry.endpoint().into(),
            topic: entry.topic().into(),
            body,
            body_text,
        }
    }

    /// Its body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &str {
        self.body.map(RawValue::get).or(self.body_text.as_deref()).unwrap_or_default()
    }
}

/// The text, if it can stand within a line of JSON as it is.
fn as_one_line(text: &str) -> Option<&RawValue> {
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    (raw.get().len() == text.len() && !text.contains(['\n', '\r'])).then_some(raw)
}
