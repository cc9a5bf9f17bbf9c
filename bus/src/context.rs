//! What sockets share: the options and libzmq's I/O threads.

use crate::{Address, BusError, Endpoint, Options, Publisher, Subscriber};

/// Opens sockets that behave by the same [`Options`]. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    zmq: zmq::Context,
    options: Options,
}

impl Context {
    /// A context of its own; `inproc://` reaches no further than it.
    ///
    /// # Errors
    /// [`BusError::System`] when libzmq refuses the number of I/O threads.
    pub fn new(options: &Options) -> Result<Self, BusError> {
        let zmq = zmq::Context::new();
        zmq.set_io_threads(options.io_threads.into())
            .map_err(BusError::system("set the number of I/O threads"))?;
        Ok(Self { zmq, options: options.clone() })
    }

    pub(crate) fn parts(&self) -> (&zmq::Context, &Options) {
        (&self.zmq, &self.options)
    }

    /// A subscriber with no endpoint yet.
    ///
    /// # Errors
    /// [`BusError::System`] when a thread or socket of its own cannot be made.
    pub fn subscriber(&self) -> Result<Subscriber, BusError> {
        Subscriber::new(self.zmq.clone(), self.options.clone())
    }

    /// A publisher on the first free address of the endpoint, and that address as bound.
    ///
    /// # Errors
    /// [`BusError::AllInUse`], [`BusError::NoAddress`], and [`BusError::Bind`] for any other failure than an address
    /// in use.
    pub fn bind_publisher(&self, endpoint: &Endpoint) -> Result<(Publisher, Address), BusError> {
        Publisher::bind(&self.zmq, &self.options, endpoint)
    }

    /// A publisher that connects to every address of the endpoint, as fedmsg-logger does to `relay_inbound`.
    ///
    /// Returns before it is connected: see [`crate::Publish::wait_for_subscriber`].
    ///
    /// # Errors
    /// [`BusError::NoAddress`], [`BusError::Wildcard`] and [`BusError::Service`].
    pub fn connect_publisher(&self, endpoint: &Endpoint) -> Result<Publisher, BusError> {
        Publisher::connect(&self.zmq, &self.options, endpoint)
    }
}
