//! A message as a consumer sees it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::{Duration, SystemTime};

use message::{Envelope, EnvelopeError};
use serde::Deserialize;

use crate::abi;
use crate::convert::verdict_of;
use crate::error::Failure;

/// A message of the bus, and how it came. It borrows what the hub received; nothing is parsed before it is
/// asked for.
pub struct Message<'a> {
    record: &'a abi::Msg<'a>,
    envelope: OnceCell<Result<Envelope<'a>, EnvelopeError>>,
}

impl<'a> Message<'a> {
    pub(crate) fn new(record: &'a abi::Msg<'a>) -> Self {
        Self { record, envelope: OnceCell::new() }
    }

    /// The topic that it was sent under, from the first frame. May hold any text; log it with `?topic`.
    pub fn topic(&self) -> &'a str {
        self.record.topic.as_str()
    }

    /// The second frame, byte for byte as it came.
    pub fn body(&self) -> &'a [u8] {
        self.record.body.as_slice()
    }

    /// The name of the endpoint that it came by.
    pub fn endpoint(&self) -> &'a str {
        self.record.endpoint.as_str()
    }

    /// When the hub received it.
    pub fn received(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.record.received)
    }

    /// Its number in the hub's journal: later messages have greater ones.
    pub fn offset(&self) -> u64 {
        self.record.offset
    }

    /// 1 when it comes for the first time, 2 at the first retry.
    pub fn attempt(&self) -> u32 {
        self.record.attempt
    }

    /// Whether the operator asked for it to be delivered again.
    pub fn is_replayed(&self) -> bool {
        self.record.flags & abi::REPLAYED != 0
    }

    /// What is known of its signature.
    pub fn verdict(&self) -> Verdict {
        verdict_of(self.record.verdict)
    }

    /// The common name (CN) of the certificate that it is signed with, if the signature is
    /// [valid](Verdict::Valid).
    pub fn signer(&self) -> Option<&'a str> {
        (self.verdict() == Verdict::Valid).then(|| self.record.signer.as_str())
    }

    /// The body's fields.
    ///
    /// # Errors
    /// The body is no JSON object; the hub delivers none of that kind.
    pub fn envelope(&self) -> Result<&Envelope<'a>, EnvelopeError> {
        self.envelope.get_or_init(|| Envelope::parse(self.body())).as_ref().map_err(|error| *error)
    }

    /// The sender's id of the message, the same wherever it turns up; `None` if it sent none.
    pub fn msg_id(&self) -> Option<Cow<'a, str>> {
        self.envelope().ok()?.msg_id()
    }

    /// When it was sent, by the sender's clock, in seconds since 1970; `None` if the sender didn't say.
    pub fn timestamp(&self) -> Option<f64> {
        self.envelope().ok()?.timestamp()
    }

    /// What is said, as the type that the topic's messages have; [`serde_json::Value`] takes any.
    ///
    /// # Errors
    /// It has another shape, which a retry would not change: the failure [drops](Failure::drop) the message.
    pub fn msg<T: Deserialize<'a>>(&self) -> Result<T, Failure> {
        let envelope = self.envelope().map_err(Failure::drop)?;
        envelope.msg().map_err(|error| Failure::drop(format_args!("the msg is not as expected: {error}")))
    }
}

impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic())
            .field("endpoint", &self.endpoint())
            .field("offset", &self.offset())
            .finish_non_exhaustive()
    }
}

/// What is known of a message's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The hub did not look: anybody may have sent the message.
    NotChecked,
    /// It has none.
    Unsigned,
    /// It has one that is wrong, or of a certificate that does not count.
    Invalid,
    /// [`Message::signer`] sent it, as it is.
    Valid,
}
