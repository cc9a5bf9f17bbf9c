//! What can go wrong with a socket, each naming the endpoint, the address and the mend.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::{Address, EndpointName};

/// An endpoint or socket that could not be set up or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BusError {
    /// An address could not be bound.
    #[error("cannot bind {address} of endpoint `{endpoint}`: {source}; {mend}")]
    Bind {
        /// The endpoint.
        endpoint: EndpointName,
        /// The address of it.
        address: Address,
        /// What the operator can do.
        mend: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// Every address that a publisher may bind is taken.
    #[error(
        "every address of endpoint `{endpoint}` is in use ({}); stop what holds one of them or add an address",
        list(addresses)
    )]
    AllInUse {
        /// The endpoint.
        endpoint: EndpointName,
        /// What was tried.
        addresses: Vec<Address>,
    },
    /// An endpoint without an address.
    #[error("endpoint `{0}` has no address; give it one in [endpoints]")]
    NoAddress(EndpointName),
    /// `*` names no place to connect to.
    #[error(
        "cannot connect to {address} of endpoint `{endpoint}`: `*` is only for binding; name the host and the port"
    )]
    Wildcard {
        /// The endpoint.
        endpoint: EndpointName,
        /// The address of it.
        address: Address,
    },
    /// A service is there to be subscribed to.
    #[error(
        "cannot bind or publish to {address} of endpoint `{endpoint}`: srv:// is only for subscribing; write `tcp://HOST:PORT`"
    )]
    Service {
        /// The endpoint.
        endpoint: EndpointName,
        /// The address of it.
        address: Address,
    },
    /// The endpoint is open already.
    #[error("endpoint `{0}` is open already; disconnect it first")]
    AlreadyOpen(EndpointName),
    /// No open endpoint has that name.
    #[error("endpoint `{0}` is not open")]
    NotOpen(EndpointName),
    /// The system or libzmq refused what should always work.
    #[error("cannot {action}: {source}")]
    System {
        /// What was being done.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl BusError {
    pub(crate) fn system<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { action, source: source.into() }
    }
}

/// A message that was not published.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A publisher that connects has no subscriber for the topic, so the message would vanish.
    #[error("nobody at {} takes the topic; start the relay, or wait for it with a deadline", list(.0))]
    NotConnected(Vec<Address>),
    /// The system or libzmq refused.
    #[error("cannot publish: {0}")]
    System(#[source] io::Error),
}

/// Messages were left when a publisher had to close.
#[derive(Debug, Error)]
#[error("messages were left unsent after {0:?}: a subscriber is slow or gone")]
pub struct Unsent(pub Duration);

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
