//! Which of what comes over the bus a command takes: what is a message, has the right topic, and is signed where that is
//! asked for.

use bus::Frames;
use crypto::{Reason, Validator, Verdict};
use message::{Envelope, EnvelopeError, Topic, TopicError};

use crate::filter::Filter;

/// Why something is noted on standard error and not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("{count} frames ({bytes} bytes) are no message, which has two")]
    Frames { count: usize, bytes: usize },
    #[error(transparent)]
    Topic(#[from] TopicError),
    #[error("topic {0:?}: {1}")]
    Filter(Topic, Box<fancy_regex::Error>),
    #[error("topic {0:?}: {1}")]
    Body(Topic, EnvelopeError),
    #[error("topic {0:?}: not signed")]
    Unsigned(Topic),
    #[error("topic {0:?}: {1}")]
    Signature(Topic, Reason),
}

/// The message; `None` for a topic that is not asked for.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn admit<'b>(
    frames: &'b Frames,
    filter: &Filter,
    validator: Option<&Validator>,
) -> Result<Option<(Topic, Envelope<'b>)>, Unfit> {
    let (topic, body) = match frames {
        Frames::Message { topic, body } => (topic, body),
        Frames::Malformed { count, bytes } => {
            return Err(Unfit::Frames { count: *count, bytes: *bytes });
        }
    };
    let topic = Topic::from_frame(topic)?;
    match filter.shows(&topic) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => return Err(Unfit::Filter(topic, Box::new(error))),
    }
    let envelope = match Envelope::parse(body) {
        Ok(envelope) => envelope,
        Err(error) => return Err(Unfit::Body(topic, error)),
    };
    match validator.map(|validator| validator.validate(&topic, &envelope)) {
        None | Some(Verdict::Valid { .. }) => Ok(Some((topic, envelope))),
        Some(Verdict::Unsigned) => Err(Unfit::Unsigned(topic)),
        Some(Verdict::Invalid { reason, .. }) => Err(Unfit::Signature(topic, reason)),
    }
}
