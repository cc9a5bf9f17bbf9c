//! What the receiving side of the bus is to its user, whatever carries the messages.

use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use crate::{Address, BusError, Endpoint, EndpointName, StatusBoard};

/// As many bytes make a batch full, however few messages they are.
pub const BATCH_BYTES: usize = 16 << 20;

/// A subscriber: many endpoints, one stream of messages that know where they came from.
pub trait Subscribe: Send {
    /// Waits for a message, then takes what else is there, up to `max` in all and fairly over the endpoints. It takes no
    /// more when those have [`BATCH_BYTES`].
    ///
    /// Returns without any when `timeout` has passed or a [`Self::waker`] was used, now and then for no visible reason too.
    ///
    /// # Errors
    /// [`BusError::System`] when the sockets themselves fail; a peer's fault is never an error here.
    fn receive(&mut self, into: &mut Vec<Incoming>, max: usize, timeout: Duration) -> Result<(), BusError>;

    /// Connects to every address of an endpoint, for the topics that begin with one of the prefixes.
    ///
    /// Returns at once; names are resolved and connections made, lost and retried in the background.
    ///
    /// # Errors
    /// [`BusError::AlreadyOpen`], [`BusError::NoAddress`] and [`BusError::Wildcard`].
    fn connect(&mut self, endpoint: &Endpoint, prefixes: &Prefixes) -> Result<(), BusError>;

    /// Has an endpoint that is connected lead to these addresses. New ones are connected first; those that are not among them
    /// are left when each new one has been connected for a second, in which its publisher takes the subscription, or was tried,
    /// and what has come from the others is taken. Where both lead to the same publisher, its messages come twice meanwhile.
    /// Where both have an address, nothing happens.
    ///
    /// Returns at once, as [`Self::connect`].
    ///
    /// # Errors
    /// [`BusError::NotOpen`], [`BusError::NoAddress`] and [`BusError::Wildcard`].
    fn lead(&mut self, endpoint: &Endpoint) -> Result<(), BusError>;

    /// Binds every address of an endpoint, so that publishers can connect (Python fedmsg's `relay_inbound`).
    ///
    /// Returns the addresses as bound: `*` as port is now a number.
    ///
    /// # Errors
    /// [`BusError::Bind`] for the first address that cannot be bound; none is bound then.
    fn bind(&mut self, endpoint: &Endpoint, prefixes: &Prefixes) -> Result<Vec<Address>, BusError>;

    /// Takes what is there of one endpoint, up to `max` and [`BATCH_BYTES`], without waiting; none means that there is no
    /// more.
    ///
    /// # Errors
    /// [`BusError::NotOpen`], and as [`Self::receive`].
    fn take_from(
        &mut self,
        name: &EndpointName,
        into: &mut Vec<Incoming>,
        max: usize,
    ) -> Result<usize, BusError>;

    /// Leaves an endpoint, connected or bound. What it had queued is dropped.
    ///
    /// # Errors
    /// [`BusError::NotOpen`].
    fn disconnect(&mut self, name: &EndpointName) -> Result<(), BusError>;

    /// Replaces an open endpoint's prefixes. Publishers learn it and keep the other topics to themselves.
    ///
    /// # Errors
    /// [`BusError::NotOpen`].
    fn set_prefixes(&mut self, name: &EndpointName, prefixes: &Prefixes) -> Result<(), BusError>;

    /// A handle by which any thread makes [`Self::receive`] return early, now or when next called.
    fn waker(&self) -> Waker;

    /// The state of every open endpoint.
    fn status(&self) -> StatusBoard;
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The endpoint it came by.
    pub endpoint: EndpointName,
    /// What it consists of.
    pub frames: Frames,
}

/// The frames of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Topic and body, neither of them checked.
    Message {
        /// First frame.
        topic: Bytes,
        /// Second frame.
        body: Bytes,
    },
    /// Not the two frames of a fedmsg message.
    Malformed {
        /// How many frames it had.
        count: usize,
        /// How many bytes.
        bytes: usize,
    },
}

impl Frames {
    /// Bytes of all frames.
    pub fn size(&self) -> usize {
        match self {
            Self::Message { topic, body } => topic.len() + body.len(),
            Self::Malformed { bytes, .. } => *bytes,
        }
    }

    /// One frame is taken as `topic`, NUL, `body` when it has a NUL: an old form of txZMQ that Python fedmsg accepts.
    pub(crate) fn from_single(frame: &Bytes) -> Self {
        match frame.iter().position(|byte| *byte == 0) {
            Some(nul) => Self::Message { topic: frame.slice(..nul), body: frame.slice(nul + 1..) },
            None => Self::Malformed { count: 1, bytes: frame.len() },
        }
    }
}

/// The beginnings of the topics that are wanted.
///
/// None wants nothing; the empty one wants everything. Those that begin with another of them are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes(Vec<Vec<u8>>);

impl Prefixes {
    /// Wants every topic.
    pub fn everything() -> Self {
        Self(vec![Vec::new()])
    }

    /// Whether it wants the topic.
    pub fn wants(&self, topic: &[u8]) -> bool {
        self.0.iter().any(|prefix| topic.starts_with(prefix))
    }

    /// The prefixes, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    pub(crate) fn contains(&self, prefix: &[u8]) -> bool {
        self.0.binary_search_by(|own| own.as_slice().cmp(prefix)).is_ok()
    }
}

impl<P: Into<Vec<u8>>> FromIterator<P> for Prefixes {
    fn from_iter<I: IntoIterator<Item = P>>(prefixes: I) -> Self {
        let mut prefixes: Vec<Vec<u8>> = prefixes.into_iter().map(Into::into).collect();
        // Sorted, a prefix comes right before all that begin with it.
        prefixes.sort_unstable();
        prefixes.dedup_by(|next, kept| next.starts_with(kept));
        Self(prefixes)
    }
}
