//! What became of messages, where it was not the usual: the one home of every exception.
//!
//! A message that a consumer has passed without an entry here was handled.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use crate::segments::Segments;
use crate::wire::{Put, Take};
use crate::{JournalError, Offset};

/// How "no offset" is written.
const NO_OFFSET: u64 = u64::MAX;

/// What became of a message, or of an attempt to deliver it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When that was.
    pub at: SystemTime,
    /// The message; `None` if it never came into the journal.
    pub offset: Option<Offset>,
    /// What it was.
    pub ending: Ending,
}

/// What became of it. Other endings may come with later versions; a reader passes over those it doesn't know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// A consumer failed and is to have it again.
    Retried(Attempt),
    /// A consumer failed for the last time.
    DeadLettered(Attempt),
    /// A consumer, or the hub on its behalf, gave it up; the reason is in [`Attempt::reason`].
    Dropped(Attempt),
    /// It could not be read any more when a consumer came to it; `to` is the first offset behind those that are lost.
    Lost {
        /// The consumer.
        consumer: String,
        /// Behind the last of the lost ones.
        to: Offset,
    },
    /// It is no message of the bus.
    Malformed(Refusal),
    /// Its signature, or the policy, forbids it.
    Rejected(Refusal),
    /// It came before; [`Outcome::offset`] is `None` unless the repetition was kept as well.
    Duplicate {
        /// The first of its kind.
        of: Offset,
        /// By which endpoint the repetition came.
        endpoint: String,
    },
    /// No consumer wanted it.
    Unmatched,
}

/// An attempt to deliver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// To whom.
    pub consumer: String,
    /// How many there have been, this one included.
    pub attempts: u32,
    /// How long it took; microseconds are kept.
    pub took: Duration,
    /// The error, or why it was given up.
    pub reason: String,
}

/// Why a message was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// By which endpoint it came.
    pub endpoint: String,
    /// The rule that it breaks.
    pub reason: String,
}

impl Ending {
    /// The consumer that it is about; `None` if about the message as such.
    #[must_use]
    pub fn consumer(&self) -> Option<&str> {
        match self {
            Self::Retried(attempt) | Self::DeadLettered(attempt) | Self::Dropped(attempt) => {
                Some(&attempt.consumer)
            }
            Self::Lost { consumer, .. } => Some(consumer),
            Self::Malformed(_) | Self::Rejected(_) | Self::Duplicate { .. } | Self::Unmatched => None,
        }
    }
}

impl Outcome {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let put = |tag| Put::tag(tag).time(self.at).u64(self.offset.map_or(NO_OFFSET, |offset| offset.0));
        let attempt = |tag, attempt: &Attempt| {
            let took = u64::try_from(attempt.took.as_micros()).unwrap_or(u64::MAX);
            put(tag).text(&attempt.consumer).u32(attempt.attempts).u64(took).text(&attempt.reason)
        };
        let refusal = |tag, refusal: &Refusal| put(tag).text(&refusal.endpoint).text(&refusal.reason);
        match &self.ending {
            Ending::Retried(it) => attempt(1, it),
            Ending::DeadLettered(it) => attempt(2, it),
            Ending::Dropped(it) => attempt(3, it),
            Ending::Lost { consumer, to } => put(4).text(consumer).u64(to.0),
            Ending::Malformed(it) => refusal(5, it),
            Ending::Rejected(it) => refusal(6, it),
            Ending::Duplicate { of, endpoint } => put(7).u64(of.0).text(endpoint),
            Ending::Unmatched => put(8),
        }
        .0
    }

    /// `None` for an ending of a later version.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut take = Take(payload);
        let (tag, at, offset) = (take.u8()?, take.time()?, take.u64()?);
        let take = &mut take;
        fn attempt(take: &mut Take<'_>) -> Option<Attempt> {
            let (consumer, attempts, took) = (take.text()?, take.u32()?, take.u64()?);
            Some(Attempt { consumer, attempts, took: Duration::from_micros(took), reason: take.text()? })
        }
        fn refusal(take: &mut Take<'_>) -> Option<Refusal> {
            Some(Refusal { endpoint: take.text()?, reason: take.text()? })
        }
        let ending = match tag {
            1 => Ending::Retried(attempt(take)?),
            2 => Ending::DeadLettered(attempt(take)?),
            3 => Ending::Dropped(attempt(take)?),
            4 => Ending::Lost { consumer: take.text()?, to: Offset(take.u64()?) },
            5 => Ending::Malformed(refusal(take)?),
            6 => Ending::Rejected(refusal(take)?),
            7 => Ending::Duplicate { of: Offset(take.u64()?), endpoint: take.text()? },
            8 => Ending::Unmatched,
            _ => return None,
        };
        Some(Self { at, offset: (offset != NO_OFFSET).then_some(Offset(offset)), ending })
    }
}

/// Which outcomes are wanted; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutcomeFilter {
    /// Of these messages; those that never came into the journal are left out then.
    pub offsets: Option<Range<Offset>>,
    /// About this consumer; those about messages as such are left out then.
    pub consumer: Option<String>,
    /// Recorded at or after this.
    pub since: Option<SystemTime>,
    /// Recorded before this.
    pub until: Option<SystemTime>,
}

impl OutcomeFilter {
    /// Whether this one is wanted.
    #[must_use]
    pub fn wants(&self, outcome: &Outcome) -> bool {
        let within = |offsets: &Range<Offset>| outcome.offset.is_some_and(|offset| offsets.contains(&offset));
        self.offsets.as_ref().is_none_or(within)
            && self.consumer.as_deref().is_none_or(|name| outcome.ending.consumer() == Some(name))
            && self.since.is_none_or(|since| outcome.at >= since)
            && self.until.is_none_or(|until| outcome.at < until)
    }

    /// Those of a folder that are wanted, oldest first.
    pub(crate) fn over(
        self,
        segments: &Segments,
    ) -> impl Iterator<Item = Result<Outcome, JournalError>> + Send + use<> {
        let found = segments.payloads().filter_map(|payload| match payload {
            Ok(payload) => Outcome::decode(&payload).map(Ok),
            Err(error) => Some(Err(error)),
        });
        found.filter(move |outcome| outcome.as_ref().map_or(true, |outcome| self.wants(outcome)))
    }
}
