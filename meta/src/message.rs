//! A message as providers see it.

use std::borrow::Cow;

use message::{Envelope, json};

/// The topic and the fields of a message that is to be described.
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    topic: &'m str,
    envelope: &'m Envelope<'m>,
}

impl<'m> Message<'m> {
    /// The message with this topic frame and this body.
    #[must_use]
    pub fn new(topic: &'m str, envelope: &'m Envelope<'m>) -> Self {
        Self { topic, envelope }
    }

    /// What it is about.
    #[must_use]
    pub fn topic(&self) -> &'m str {
        self.topic
    }

    /// The topic's fourth word, `""` if it has fewer: the service that sent it.
    #[must_use]
    pub fn category(&self) -> &'m str {
        self.topic.split('.').nth(3).unwrap_or_default()
    }

    /// The user whose process sent it.
    #[must_use]
    pub fn username(&self) -> Option<Cow<'m, str>> {
        self.envelope.username()
    }

    /// Whether anything is said in it at all.
    #[must_use]
    pub fn has_msg(&self) -> bool {
        self.envelope.msg_raw() != b"null"
    }

    /// The text under a key of what is said; `None` if there is no such key, or something else than text under it.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Cow<'m, str>> {
        let msg = std::str::from_utf8(self.envelope.msg_raw()).ok()?;
        let mut found = None;
        json::members(msg, |name, value| {
            if json::decode(name).as_deref() == Some(key) {
                found = Some(value);
            }
        })
        .ok()?;
        json::decode(found?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_beside_what_only_python_reads() {
        let envelope =
            Envelope::parse(br#"{"topic":"t","msg":{"a":"x","n":NaN,"a":"y","s":"\ud800"}}"#).unwrap();
        let message = Message::new("t", &envelope);
        assert_eq!(message.text("a").unwrap(), "y");
        assert_eq!((message.text("n"), message.text("s"), message.text("b")), (None, None, None));
    }

    #[test]
    fn what_is_no_object_has_no_texts() {
        for (msg, has_msg) in [("\"a\"", true), ("[\"a\"]", true), ("null", false), ("1", true)] {
            let body = format!(r#"{{"topic":"t","msg":{msg}}}"#);
            let envelope = Envelope::parse(body.as_bytes()).unwrap();
            let message = Message::new("t", &envelope);
            assert_eq!((message.text("a"), message.has_msg()), (None, has_msg), "{msg}");
        }
    }
}
