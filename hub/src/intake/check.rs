//! What is a message of the bus, and what is refused and why.

use std::collections::HashMap;
use std::fmt;

use bus::{EndpointName, Frames};
use bytes::Bytes;
use message::{Envelope, Topic};

use crate::outcome::Rejected;
use crate::throttle::{Throttle, cut};

/// Why a message is not taken in.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reason: Rejected,
    topic: Option<Topic>,
    error: String,
}

impl Refused {
    pub(super) fn new(reason: Rejected, error: String) -> Self {
        Self { reason, topic: None, error }
    }

    pub(super) fn about(self, topic: &Topic) -> Self {
        Self { topic: Some(topic.clone()), ..self }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.word(), self.error)
    }
}

/// The topic and the body.
pub(super) fn frames(frames: Frames) -> Result<(Bytes, Bytes), Refused> {
    match frames {
        Frames::Message { topic, body } => Ok((topic, body)),
        Frames::Malformed { count, bytes } => {
            let error =
                format!("{count} frames with {bytes} bytes in all, where a message has 2: topic and body");
            Err(Refused::new(Rejected::Frames, error))
        }
    }
}

/// The envelope in a body.
pub(super) fn body(body: &Bytes, most: usize) -> Result<Envelope<'_>, Refused> {
    if body.len() > most {
        let error = format!("{} bytes, and hub.max_body_bytes allows {most}", body.len());
        return Err(Refused::new(Rejected::TooLarge, error));
    }
    Envelope::parse(body).map_err(|error| Refused::new(Rejected::Body, error.to_string()))
}

/// Logs refusals, for each endpoint and reason at a bounded rate.
#[derive(Default)]
pub(super) struct Complaints(HashMap<(EndpointName, &'static str), Throttle>);

impl Complaints {
    pub(super) fn log(&mut self, endpoint: &EndpointName, refused: &Refused) {
        let reason = refused.reason.word();
        let Some(suppressed) = self.0.entry((endpoint.clone(), reason)).or_default().pass() else { return };
        let topic = refused.topic.as_deref().map_or("", cut);
        tracing::warn!(%endpoint, topic, reason, error = refused.error, suppressed, "message rejected");
    }
}
