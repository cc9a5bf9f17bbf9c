//! The bus without sockets: the same traits, for unit tests of what is built on them.

use std::task::Waker;
use std::time::Duration;

use crate::{
    Address, BusError, Endpoint, EndpointName, Incoming, Prefixes, Publish, PublishError, StatusBoard,
    Subscribe, Unsent,
};

/// A bus in memory. Publishers and subscribers of one bus meet at the endpoint's name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Bus {}

impl Bus {
    /// A subscriber with no endpoint yet.
    pub fn subscriber(&self) -> Subscriber {
        Subscriber {}
    }

    /// A publisher to whoever has opened the endpoint.
    pub fn publisher(&self, _endpoint: &str) -> Publisher {
        Publisher {}
    }
}

/// [`Subscribe`] in memory.
pub struct Subscriber {}

/// [`Publish`] in memory.
pub struct Publisher {}

impl Subscribe for Subscriber {
    fn receive(
        &mut self,
        _into: &mut Vec<Incoming>,
        _max: usize,
        _timeout: Duration,
    ) -> Result<(), BusError> {
        Ok(())
    }

    fn connect(&mut self, _endpoint: &Endpoint, _prefixes: &Prefixes) -> Result<(), BusError> {
        Ok(())
    }

    fn bind(&mut self, _endpoint: &Endpoint, _prefixes: &Prefixes) -> Result<Vec<Address>, BusError> {
        Ok(Vec::new())
    }

    fn disconnect(&mut self, _name: &EndpointName) -> Result<(), BusError> {
        Ok(())
    }

    fn set_prefixes(&mut self, _name: &EndpointName, _prefixes: &Prefixes) -> Result<(), BusError> {
        Ok(())
    }

    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn status(&self) -> StatusBoard {
        StatusBoard::default()
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
