//! The receiving side of the bus over ZeroMQ.

use std::task::Waker;
use std::time::Duration;

use crate::{Address, BusError, Endpoint, EndpointName, Incoming, Options, Prefixes, StatusBoard, Subscribe};

/// A subscriber over ZeroMQ: a SUB socket per endpoint name.
pub struct Subscriber {
    status: StatusBoard,
}

impl Subscriber {
    pub(crate) fn new(_zmq: zmq::Context, _options: Options) -> Result<Self, BusError> {
        Ok(Self { status: StatusBoard::default() })
    }
}

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
        self.status.clone()
    }
}
