//! A started consumer as the hub holds it.

use std::time::{Duration, SystemTime};

use abi_stable::std_types::RSlice;

use crate::abi;
use crate::convert::verdict_number;
use crate::error::{Failure, Panicked};
use crate::message::Verdict;

/// A started consumer. Dropping it without [`stop`](Self::stop) drops the plugin's value.
pub struct Instance {
    inner: abi::InstanceBox,
}

/// A message as the hub hands it to a consumer.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The topic, from the first frame.
    pub topic: &'a str,
    /// The second frame as it came.
    pub body: &'a [u8],
    /// The name of the endpoint it came by.
    pub endpoint: &'a str,
    /// When it came.
    pub received: SystemTime,
    /// Its number in the hub's journal.
    pub offset: u64,
    /// 1 for the first time, 2 for the first retry.
    pub attempt: u32,
    /// Whether the operator asked for it again.
    pub replayed: bool,
    /// What is known of its signature.
    pub verdict: Verdict,
    /// The common name of the certificate that it is signed with; the consumer sees it if the signature is valid.
    pub signer: &'a str,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// How many messages, from the first on, are consumed.
    pub done: usize,
    /// What is with the message after them; those behind it were not looked at.
    pub failure: Option<Failure>,
}

impl Instance {
    pub(crate) fn new(inner: abi::InstanceBox) -> Self {
        Self { inner }
    }

    /// Hands a batch to the consumer until all is consumed or a message has failed.
    pub fn consume(&mut self, batch: &[Delivery<'_>]) -> Consumed {
        let consumed = match batch {
            // The usual case without a heap allocation.
            [one] => self.inner.consume(RSlice::from_slice(&[one.record()])),
            many => {
                let records: Vec<_> = many.iter().map(Delivery::record).collect();
                self.inner.consume(RSlice::from_slice(&records))
            }
        };
        Consumed {
            done: usize::try_from(consumed.done).map_or(batch.len(), |done| done.min(batch.len())),
            failure: consumed.failure.into(),
        }
    }

    /// Lets the consumer tidy up, which may take as long as it likes.
    ///
    /// # Errors
    /// It panicked.
    pub fn stop(mut self) -> Result<(), Panicked> {
        self.inner.stop().into_result().map_err(Into::into)
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").finish_non_exhaustive()
    }
}

impl<'a> Delivery<'a> {
    /// A first delivery of a message that has just come and was not checked.
    pub fn new(topic: &'a str, body: &'a [u8], endpoint: &'a str) -> Self {
        let received = SystemTime::now();
        let verdict = Verdict::NotChecked;
        Self { topic, body, endpoint, received, offset: 0, attempt: 1, replayed: false, verdict, signer: "" }
    }

    fn record(&self) -> abi::Msg<'a> {
        let received = self.received.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        abi::Msg {
            topic: self.topic.into(),
            body: self.body.into(),
            endpoint: self.endpoint.into(),
            offset: self.offset,
            received: u64::try_from(received.as_micros()).unwrap_or(u64::MAX),
            attempt: self.attempt,
            flags: if self.replayed { abi::REPLAYED } else { 0 },
            verdict: verdict_number(self.verdict),
            reserved_word: 0,
            signer: self.signer.into(),
            reserved: [0; 4],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn a_message_says_how_it_came() {
        let received = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_216_482_000_001);
        let first = Delivery { received, offset: 7, ..Delivery::new("a.b", b"{}", "there") };
        let record = first.record();
        let message = Message::new(&record);
        assert_eq!((message.topic(), message.body(), message.endpoint()), ("a.b", &b"{}"[..], "there"));
        assert_eq!((message.received(), message.offset()), (received, 7));
        assert_eq!((message.attempt(), message.is_replayed()), (1, false));
        assert_eq!(message.verdict(), Verdict::NotChecked);
        let record = Delivery { attempt: 3, replayed: true, ..first }.record();
        assert_eq!((Message::new(&record).attempt(), Message::new(&record).is_replayed()), (3, true));
    }

    #[test]
    fn a_signer_is_named_only_if_the_signature_is_valid() {
        let said =
            [Verdict::NotChecked, Verdict::Unsigned, Verdict::Invalid, Verdict::Valid].map(|verdict| {
                let delivery = Delivery { verdict, signer: "bodhi", ..Delivery::new("a.b", b"{}", "there") };
                let record = delivery.record();
                assert_eq!(Message::new(&record).verdict(), verdict);
                Message::new(&record).signer().map(str::to_owned)
            });
        assert_eq!(said, [None, None, None, Some("bodhi".to_owned())]);
        let newer = abi::Msg { verdict: 99, ..Delivery::new("a.b", b"{}", "there").record() };
        assert_eq!(Message::new(&newer).verdict(), Verdict::NotChecked);
    }
}
