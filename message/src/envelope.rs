//! A received body: what stands in it, without taking it apart.

use std::borrow::Cow;

use serde::Deserialize;
use thiserror::Error;

use crate::json;

/// A view of a message body. The bytes stay what they are; fields are decoded when asked for.
///
/// A body is an envelope when it is an object with a string `topic`. Any other object is a bare message, as in
/// Python's `fedmsg/consumers/__init__.py`: all of it is the `msg`, and it has no fields.
///
/// A field of the wrong type is as good as absent.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'b> {
    body: &'b str,
    fields: Fields<'b>,
}

/// The text of each field that has a meaning here.
#[derive(Debug, Clone, Copy, Default)]
struct Fields<'b> {
    certificate: Option<&'b str>,
    crypto: Option<&'b str>,
    i: Option<&'b str>,
    msg: Option<&'b str>,
    msg_id: Option<&'b str>,
    signature: Option<&'b str>,
    timestamp: Option<&'b str>,
    topic: Option<&'b str>,
    username: Option<&'b str>,
}

/// Why a body is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// It isn't UTF-8.
    #[error("the body is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// How many of the leading bytes are valid UTF-8.
        at: usize,
    },
    /// It isn't JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[source] json::Error),
    /// It is JSON, but no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
}

impl<'b> Envelope<'b> {
    /// Scans a body, once.
    ///
    /// # Errors
    /// [`EnvelopeError`] when it is no JSON object as Python's `json.loads` accepts it.
    pub fn parse(body: &'b [u8]) -> Result<Self, EnvelopeError> {
        let body =
            std::str::from_utf8(body).map_err(|error| EnvelopeError::NotUtf8 { at: error.valid_up_to() })?;
        let mut fields = Fields::default();
        json::members(body, |key, value| fields.set(key, value)).map_err(|error| match error.problem {
            json::Problem::NotAnObject => EnvelopeError::NotAnObject,
            _ => EnvelopeError::NotJson(error),
        })?;
        if !fields.topic.is_some_and(|topic| topic.starts_with('"')) {
            fields = Fields { msg: Some(body), ..Fields::default() };
        }
        Ok(Self { body, fields })
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &'b [u8] {
        self.body.as_bytes()
    }

    /// The topic that the sender wrote into the body. The topic frame is what messages are routed by.
    #[must_use]
    pub fn topic(&self) -> Option<Cow<'b, str>> {
        text(self.fields.topic)
    }

    /// `<year>-<uuid>`, the same wherever the message turns up.
    #[must_use]
    pub fn msg_id(&self) -> Option<Cow<'b, str>> {
        text(self.fields.msg_id)
    }

    /// The count of messages that the sending process had sent, this one included.
    #[must_use]
    pub fn i(&self) -> Option<u64> {
        self.fields.i?.parse().ok()
    }

    /// When it was sent, in seconds since 1970. Old publishers sent fractions.
    #[must_use]
    pub fn timestamp(&self) -> Option<f64> {
        // Python's words for numbers that are none would parse, too.
        self.fields
            .timestamp
            .filter(|token| !token.contains('N'))?
            .parse()
            .ok()
            .filter(|time: &f64| time.is_finite())
    }

    /// The user whose process sent it.
    #[must_use]
    pub fn username(&self) -> Option<Cow<'b, str>> {
        text(self.fields.username)
    }

    /// How it is signed: `x509` or `gpg`.
    #[must_use]
    pub fn crypto(&self) -> Option<Cow<'b, str>> {
        text(self.fields.crypto)
    }

    /// The signature, in base64.
    #[must_use]
    pub fn signature(&self) -> Option<Cow<'b, str>> {
        text(self.fields.signature)
    }

    /// The certificate, in base64.
    #[must_use]
    pub fn certificate(&self) -> Option<Cow<'b, str>> {
        text(self.fields.certificate)
    }

    /// The JSON text of what is said; `null` in an envelope without it.
    #[must_use]
    pub fn msg_raw(&self) -> &'b [u8] {
        self.fields.msg.unwrap_or("null").as_bytes()
    }

    /// What is said, as the type that the topic's messages have.
    ///
    /// # Errors
    /// When it is of another shape, or has what only Python reads: `NaN`, `Infinity`, a lone surrogate, more
    /// than 128 levels. [`Envelope::msg_raw`] has that, too.
    pub fn msg<T: Deserialize<'b>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.msg_raw())
    }
}

fn text(token: Option<&str>) -> Option<Cow<'_, str>> {
    json::decode(token?)
}

impl<'b> Fields<'b> {
    fn set(&mut self, key: &'b str, value: &'b str) {
        let field = match json::decode(key).as_deref() {
            Some("certificate") => &mut self.certificate,
            Some("crypto") => &mut self.crypto,
            Some("i") => &mut self.i,
            Some("msg") => &mut self.msg,
            Some("msg_id") => &mut self.msg_id,
            Some("signature") => &mut self.signature,
            Some("timestamp") => &mut self.timestamp,
            Some("topic") => &mut self.topic,
            Some("username") => &mut self.username,
            _ => return,
        };
        *field = Some(value);
    }
}
