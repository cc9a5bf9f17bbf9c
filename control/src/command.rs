//! What can be asked for.

use jiff::Timestamp;
use message::Pattern;
use serde::{Deserialize, Serialize};

/// The version of the protocol. It rises when something that was understood no longer would be.
pub const VERSION: u32 = 1;

/// The first and only line that a client writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) version: u32,
    pub(crate) command: Command,
}

/// What can be asked for, and by which [`Reply`](crate::Reply) it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Numbers about the journal and its consumers: one [`Stats`](crate::Stats).
    Stats,
    /// How the hub is doing: one [`Status`](crate::Status). A running hub's only.
    Status,
    /// What is logged: one [`LogLevel`](crate::LogLevel). A running hub's only.
    LogLevel {
        /// Log this from now on, until the hub ends.
        set: Option<String>,
    },
    /// Messages, oldest first: a [`Message`](crate::Message) each, a [`Gap`](crate::Gap) where some are no longer
    /// there, and now and then a [`Progress`](crate::Progress).
    Messages {
        /// From which to which.
        span: Span,
        /// Only the last so many of them.
        last: Option<u64>,
        /// Only those with a topic that one of these matches; all, if there is none.
        topics: Vec<Pattern>,
        /// Go on with what comes in, until the client goes or the hub stops. A running hub's only.
        follow: bool,
    },
    /// Recorded outcomes, oldest first: an [`Outcome`](crate::Outcome) each.
    Outcomes {
        /// Of which messages, where an end is an offset; recorded when, where it is a time.
        span: Span,
        /// Only those about this consumer.
        consumer: Option<String>,
    },
    /// Reads everything: a [`Gap`](crate::Gap) or [`Damage`](crate::Damage) for each place that cannot be read, and at
    /// the end one [`Verified`](crate::Verified); [`Progress`](crate::Progress) meanwhile.
    Verify,
    /// Dead letters, by offset: a [`DeadLetter`](crate::DeadLetter) each.
    DeadLetters {
        /// Which.
        selection: Selection,
        /// With their messages.
        messages: bool,
    },
    /// Delivers dead letters again, or marks them so that the hub does at its next start: a
    /// [`Requeued`](crate::Requeued) each. Those that are already being delivered again are left out.
    Requeue {
        /// Which.
        selection: Selection,
    },
    /// Removes dead letters for good: a [`DeadLetter`](crate::DeadLetter) each. Those that a consumer is to have again
    /// go only if named by their offset, or if the consumer was forgotten.
    Purge {
        /// Which.
        selection: Selection,
        /// Only tell which would go.
        pretend: bool,
    },
    /// Removes a consumer's cursor for good. Refused while the consumer runs. Its dead letters stay.
    Forget {
        /// Which.
        consumer: String,
    },
    /// Has a running hub read its configuration and its plugins anew: one [`Reloaded`](crate::Reloaded).
    Reload,
    /// Delivers history to a running consumer again: [`Replay`](crate::Replay) now and then, and one at the end; a
    /// [`Gap`](crate::Gap) where messages are no longer there. The replay ends when the client goes.
    Replay {
        /// To which consumer.
        consumer: String,
        /// From which message to which.
        span: Span,
    },
}

impl Command {
    /// Whether it is for more than looking.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Requeue { .. } | Self::Forget { .. } | Self::Reload | Self::Replay { .. } => true,
            Self::Purge { pretend, .. } => !pretend,
            Self::LogLevel { set } => set.is_some(),
            Self::Stats
            | Self::Status
            | Self::Messages { .. }
            | Self::Outcomes { .. }
            | Self::Verify
            | Self::DeadLetters { .. } => false,
        }
    }
}

/// A part of the journal; an open end is the journal's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The first message, or the first received at or after a time.
    pub from: Option<Bound>,
    /// The message behind the last, or the first that was received at or after a time and no longer counts.
    pub to: Option<Bound>,
}

/// An end of a [`Span`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// A message.
    Offset(u64),
    /// A time of reception.
    Time(Timestamp),
}

/// Which dead letters; the default is all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Only this consumer's.
    pub consumer: Option<String>,
    /// Only those of these messages; each has to be there. Of any, if empty.
    pub offsets: Vec<u64>,
}
