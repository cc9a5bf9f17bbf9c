//! The hub as a plugin's author sees it.

use std::sync::Arc;

use serde::Serialize;

use crate::bridge::Context;
use crate::error::{Failure, PublishError, StartError};
use crate::message::Message;

/// A consumer's handle of its hub. Cheap to clone; usable from any thread, also after the consumer's stop.
#[derive(Clone)]
pub struct Hub {
    context: Arc<Context>,
}

impl Hub {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// Publishes a message on the bus. `topic` is completed with prefix and environment by the hub's
    /// configuration unless it begins with the prefix: `git.receive` becomes
    /// `org.fedoraproject.dev.git.receive`.
    ///
    /// # Errors
    /// The hub has nowhere to publish or refuses the message. As a [`Failure`](crate::Failure) it is a retry.
    pub fn publish(&self, topic: &str, msg: &impl Serialize) -> Result<(), PublishError> {
        let json = serde_json::to_string(msg).map_err(|error| {
            PublishError::new(format_args!("the message cannot be written as JSON: {error}"))
        })?;
        sent(self.context.host.publish(topic.into(), json.as_str().into()))
    }

    /// Opens a publisher on the endpoint of that name in the hub's configuration (its first free address),
    /// for consumers that repeat messages. It lives as long as the hub.
    ///
    /// # Errors
    /// There is no such endpoint, or none of its addresses is free.
    pub fn publisher(&self, endpoint: &str) -> Result<Publisher, StartError> {
        let id = self.context.host.open_publisher(endpoint.into()).into_result()?;
        Ok(Publisher { context: Arc::clone(&self.context), id, signs: false })
    }

    /// As [`publisher`](Self::publisher), but the hub signs each message on its way, with the key pair that the
    /// operator gave it for that. This API hands the key to no plugin.
    ///
    /// # Errors
    /// The same, or the hub has no such key pair.
    pub fn signing_publisher(&self, endpoint: &str) -> Result<Publisher, StartError> {
        let id = self.context.host.open_signing_publisher(endpoint.into()).into_result()?;
        Ok(Publisher { context: Arc::clone(&self.context), id, signs: true })
    }

    /// Counts for the operator what only the plugin knows of, such as messages that it left out and why. The hub shows
    /// the sum, over all workers and since it started, in its metrics and its status. To add 0 in `start` shows the name
    /// before anything has happened.
    ///
    /// `name` is of small letters, digits and `_`, a letter first, 64 bytes at most; a consumer has up to
    /// [`Counts::MOST_NAMES`](crate::Counts::MOST_NAMES) of them, so nothing that comes from a message may be part of one.
    /// What does not keep to that is counted as `other`, and the log says so. A hub whose plugin API is older than 1.2
    /// counts nothing.
    pub fn count(&self, name: &str, n: u64) {
        self.context.host.count(name.into(), n);
    }
}

/// Sends received messages on: as they are, or signed.
#[derive(Clone)]
pub struct Publisher {
    context: Arc<Context>,
    id: u64,
    signs: bool,
}

impl Publisher {
    /// Sends both frames of `message` unchanged; or [signed](Hub::signing_publisher), as the Python fedmsg's signing
    /// relay does: `crypto`, `signature` and `certificate` are set in the body, which is written anew, and a body
    /// without a topic gets an envelope.
    ///
    /// # Errors
    /// A retry if the hub could not send it, a drop if it could not be signed.
    pub fn forward(&self, message: &Message<'_>) -> Result<(), Failure> {
        let (host, topic, body) = (&self.context.host, message.topic().into(), message.body().into());
        if self.signs {
            return Option::from(host.forward_signed(self.id, topic, body)).map_or(Ok(()), Err);
        }
        Ok(sent(host.forward(self.id, topic, body))?)
    }
}

fn sent(
    result: abi_stable::std_types::RResult<(), abi_stable::std_types::RString>,
) -> Result<(), PublishError> {
    result.into_result().map_err(PublishError::new)
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("id", &self.id).finish_non_exhaustive()
    }
}
