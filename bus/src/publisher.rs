//! The sending side of the bus.

use std::time::Duration;

use crate::{Address, BusError, Endpoint, Options, PublishError, Unsent};

/// What the sending side of the bus is to its user, whatever carries the messages.
pub trait Publish: Send {
    /// Sends a message to every subscriber of the topic, never waiting.
    ///
    /// # Errors
    /// [`PublishError::NotConnected`] when connected to nobody who wants the topic (a bound publisher then drops the
    /// message, as is ZeroMQ's way); [`PublishError::Full`].
    fn publish(&mut self, topic: &[u8], body: &[u8]) -> Result<(), PublishError>;

    /// Waits until somebody wants the topic; false when nobody does within the time.
    fn wait_for_subscriber(&mut self, topic: &[u8], timeout: Duration) -> bool;

    /// Waits until all that was published is handed to the system's kernel, and closes.
    ///
    /// # Errors
    /// [`Unsent`] when some was not within the time; it is given up.
    fn close(self: Box<Self>, timeout: Duration) -> Result<(), Unsent>;
}

/// A publisher over ZeroMQ.
pub struct Publisher {
    _socket: zmq::Socket,
}

impl Publisher {
    pub(crate) fn bind(
        _zmq: &zmq::Context,
        _options: &Options,
        endpoint: &Endpoint,
    ) -> Result<(Self, Address), BusError> {
        Err(BusError::NoAddress(endpoint.name.clone()))
    }

    pub(crate) fn connect(
        _zmq: &zmq::Context,
        _options: &Options,
        endpoint: &Endpoint,
    ) -> Result<Self, BusError> {
        Err(BusError::NoAddress(endpoint.name.clone()))
    }
}

impl Publish for Publisher {
    fn publish(&mut self, _topic: &[u8], _body: &[u8]) -> Result<(), PublishError> {
        Ok(())
    }

    fn wait_for_subscriber(&mut self, _topic: &[u8], _timeout: Duration) -> bool {
        false
    }

    fn close(self: Box<Self>, _timeout: Duration) -> Result<(), Unsent> {
        Ok(())
    }
}
