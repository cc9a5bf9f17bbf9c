//! Reports: one frame without a topic, published to whoever is there. It is how moksha tells how a hub is doing.

use std::time::Duration;

use crate::deadline::Deadline;
use crate::{Address, BusError, Context, Endpoint, bind, socket};

/// Publishes reports.
pub struct ReportPublisher {
    socket: zmq::Socket,
}

/// Receives them.
pub struct ReportSubscriber {
    socket: zmq::Socket,
}

impl Context {
    /// A publisher of reports at this address; errors call it by `name`.
    ///
    /// # Errors
    /// [`BusError::Bind`], [`BusError::System`].
    pub fn bind_reports(&self, name: &str, address: &Address) -> Result<ReportPublisher, BusError> {
        let (zmq, options) = self.parts();
        let socket = socket::publisher(zmq, options)?;
        // Of a report that nobody has read, the next one is the better.
        socket.set_sndhwm(1).map_err(BusError::system("limit a queue"))?;
        socket.set_linger(0).map_err(BusError::system("set the linger"))?;
        bind::bind(&socket, &Endpoint::new(name, []).name, address)?;
        Ok(ReportPublisher { socket })
    }

    /// A subscriber to the reports at this address. It connects in the background.
    ///
    /// # Errors
    /// [`BusError::System`].
    pub fn connect_reports(&self, address: &Address) -> Result<ReportSubscriber, BusError> {
        let (zmq, options) = self.parts();
        let socket = socket::subscriber(zmq, options)?;
        socket.set_subscribe(b"").map_err(BusError::system("subscribe"))?;
        socket.connect(&address.to_string()).map_err(BusError::system("connect"))?;
        Ok(ReportSubscriber { socket })
    }
}

impl ReportPublisher {
    /// Sends one to every subscriber that has room for it, never waiting.
    ///
    /// # Errors
    /// [`BusError::System`].
    pub fn publish(&self, report: &[u8]) -> Result<(), BusError> {
        // Who comes and goes is told to an XPUB socket, and would pile up there.
        while self.socket.recv_msg(zmq::DONTWAIT).is_ok() {}
        self.socket.send(report, zmq::DONTWAIT).map_err(BusError::system("publish a report"))
    }
}

impl ReportSubscriber {
    /// The next report; `None` if none comes in time. Of several frames, the first is taken, as Python does.
    ///
    /// # Errors
    /// [`BusError::System`].
    pub fn next(&self, timeout: Duration) -> Result<Option<Vec<u8>>, BusError> {
        let deadline = Deadline::after(timeout);
        while let Some(left) = deadline.left() {
            // Interrupted or not, the time left is looked at again.
            if self.socket.poll(zmq::POLLIN, i64::from(socket::millis(left)) + 1) == Ok(1) {
                let mut frames = self.socket.recv_multipart(0).map_err(BusError::system("receive"))?;
                return Ok((!frames.is_empty()).then(|| frames.swap_remove(0)));
            }
        }
        Ok(None)
    }
}
