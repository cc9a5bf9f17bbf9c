//! What a message is about: the first frame of a bus message.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The topic of a message: UTF-8 text, never empty.
///
/// By custom it reads `prefix.environment.category.object.event`, but Python's fedmsg sends and accepts any
/// text, control characters included, and so does this type. Log a topic with `{:?}`, which escapes what
/// could forge a line.
///
/// Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(Arc<str>);

/// Why some bytes are no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TopicError {
    /// There is nothing in it.
    #[error("the topic is empty")]
    Empty,
    /// It isn't UTF-8.
    #[error("the topic is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// How many of the leading bytes are valid UTF-8.
        at: usize,
    },
    /// It is longer than [`Topic::LONGEST_FRAME`].
    #[error("the topic is {len} bytes long, more than {}", Topic::LONGEST_FRAME)]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
}

impl Topic {
    /// The most bytes of a topic that is received. Python knows no limit; but patterns look at every byte, on
    /// the one thread that receives, so that a few endless topics would hold up the whole bus.
    pub const LONGEST_FRAME: usize = 64 * 1024;

    /// A topic of this text.
    ///
    /// # Errors
    /// [`TopicError::Empty`] for `""`.
    pub fn new(text: &str) -> Result<Self, TopicError> {
        if text.is_empty() { Err(TopicError::Empty) } else { Ok(Self(Arc::from(text))) }
    }

    /// The topic in the first frame of a bus message.
    ///
    /// # Errors
    /// [`TopicError`] when the frame is empty, overlong or not UTF-8.
    pub fn from_frame(frame: &[u8]) -> Result<Self, TopicError> {
        Self::new(text_of(frame)?)
    }

    /// For text that cannot be empty by the way it was made.
    pub(crate) fn never_empty(text: Arc<str>) -> Self {
        debug_assert!(!text.is_empty());
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text of a topic frame, which may still be empty.
pub(crate) fn text_of(frame: &[u8]) -> Result<&str, TopicError> {
    if frame.len() > Topic::LONGEST_FRAME {
        return Err(TopicError::TooLong { len: frame.len() });
    }
    std::str::from_utf8(frame).map_err(|error| TopicError::NotUtf8 { at: error.valid_up_to() })
}

impl Deref for Topic {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Topic {
    type Error = TopicError;

    fn try_from(text: String) -> Result<Self, TopicError> {
        Self::new(&text)
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_text_is_a_topic() {
        let topic = Topic::from_frame("org.fedoraproject.dev.č".as_bytes()).unwrap();
        assert_eq!(topic.as_str(), "org.fedoraproject.dev.č");
        assert_eq!(format!("{topic}"), "org.fedoraproject.dev.č");
    }

    #[test]
    fn an_empty_frame_is_refused() {
        assert_eq!(Topic::from_frame(b""), Err(TopicError::Empty));
    }

    #[test]
    fn a_frame_of_other_bytes_is_refused_with_the_place() {
        assert_eq!(Topic::from_frame(b"org.\xff"), Err(TopicError::NotUtf8 { at: 4 }));
        assert_eq!(Topic::from_frame(b"\xed\xa0\x80"), Err(TopicError::NotUtf8 { at: 0 }));
    }

    #[test]
    fn an_endless_frame_is_refused() {
        let longest = vec![b'a'; Topic::LONGEST_FRAME];
        assert_eq!(Topic::from_frame(&longest).unwrap().len(), longest.len());
        let longer = vec![b'a'; Topic::LONGEST_FRAME + 1];
        assert_eq!(Topic::from_frame(&longer), Err(TopicError::TooLong { len: longer.len() }));
    }

    #[test]
    fn control_characters_are_kept_and_escaped_only_in_debug_output() {
        let topic = Topic::from_frame(b"a\0b\nc").unwrap();
        assert_eq!(topic.to_string(), "a\0b\nc");
        assert_eq!(format!("{topic:?}"), r#""a\0b\nc""#);
    }

    #[test]
    fn a_topic_goes_through_serde_as_a_string() {
        let topic: Topic = serde_json::from_str(r#""a.b""#).unwrap();
        assert_eq!(serde_json::to_string(&topic).unwrap(), r#""a.b""#);
        assert!(serde_json::from_str::<Topic>(r#""""#).is_err());
    }
}
