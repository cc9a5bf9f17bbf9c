//! Who knows the messages of a service.

use std::collections::BTreeSet;

use crate::Message;

/// Describes the messages of one service. What a provider does not write is as in Python's `BaseProcessor`.
///
/// Where a message lacks what a text is made of, the text is empty.
pub trait Provider: Send + Sync {
    /// The service: the word behind prefix and environment in the topics that it knows.
    fn service(&self) -> &str;

    /// The primary text: the topic from its fourth word on. One that came by STOMP, which begins with `/topic/`, stays
    /// whole.
    fn title(&self, message: &Message<'_>) -> String {
        let topic = message.topic();
        if topic.starts_with("/topic/") {
            return topic.to_owned();
        }
        topic.splitn(4, '.').nth(3).unwrap_or_default().to_owned()
    }

    /// The secondary text.
    fn subtitle(&self, message: &Message<'_>) -> String {
        let _ = message;
        String::new()
    }

    /// A URL of what the message is about.
    fn link(&self, message: &Message<'_>) -> Option<String> {
        let _ = message;
        None
    }

    /// A URL of a picture.
    fn icon(&self, message: &Message<'_>) -> Option<String> {
        let _ = message;
        None
    }

    /// The people that the message concerns.
    fn usernames(&self, message: &Message<'_>) -> BTreeSet<String> {
        let _ = message;
        BTreeSet::new()
    }

    /// The packages that the message concerns.
    fn packages(&self, message: &Message<'_>) -> BTreeSet<String> {
        let _ = message;
        BTreeSet::new()
    }

    /// The things that something was done to.
    fn objects(&self, message: &Message<'_>) -> BTreeSet<String> {
        let _ = message;
        BTreeSet::new()
    }
}
