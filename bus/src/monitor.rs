//! libzmq's socket monitor: what happens to a socket's connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zmq::SocketEvent;

use crate::deadline::Deadline;
use crate::socket::millis;

/// How long libzmq may take to close a socket that has nothing more to send; it takes milliseconds.
pub(crate) const CLOSING: Duration = Duration::from_secs(1);

const EVENTS: [SocketEvent; 9] = [
    SocketEvent::CONNECTED,
    SocketEvent::CONNECT_RETRIED,
    SocketEvent::ACCEPTED,
    SocketEvent::HANDSHAKE_SUCCEEDED,
    SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
    SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
    SocketEvent::HANDSHAKE_FAILED_AUTH,
    SocketEvent::DISCONNECTED,
    SocketEvent::MONITOR_STOPPED,
];

/// The receiving end of a socket's monitor.
///
/// libzmq blocks when it has an event and nobody is there to take it: this must outlive the socket, until
/// [`SocketEvent::MONITOR_STOPPED`] has come, which is the last thing a closed socket does.
pub(crate) struct Monitor(zmq::Socket);

impl Monitor {
    /// Watches a socket that has not yet connected or bound anything.
    pub(crate) fn new(zmq: &zmq::Context, socket: &zmq::Socket) -> zmq::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let address = format!("inproc://bus-monitor-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let events = EVENTS.iter().fold(0, |all, event| all | i32::from(event.to_raw()));
        let monitor = zmq.socket(zmq::PAIR)?;
        // Without a limit, so that a burst of events never blocks an I/O thread.
        monitor.set_rcvhwm(0)?;
        monitor.set_linger(0)?;
        monitor.connect(&address)?;
        socket.monitor(&address, events)?;
        Ok(Self(monitor))
    }

    /// The next event that has come, and the address it concerns.
    pub(crate) fn next(&self) -> Option<(SocketEvent, String)> {
        let event = self.0.recv_msg(zmq::DONTWAIT).ok()?;
        let address = self.0.recv_string(zmq::DONTWAIT).ok()?;
        let raw = u16::from_ne_bytes(event.get(..2)?.try_into().ok()?);
        let event = EVENTS.into_iter().find(|event| event.to_raw() == raw)?;
        Some((event, address.unwrap_or_default()))
    }

    /// Waits until the socket is closed for good.
    ///
    /// After the time it is left to itself: only a peer by inproc that does not react keeps a socket open so long.
    pub(crate) fn wait_for_end(self, timeout: Duration) {
        let deadline = Deadline::after(timeout);
        loop {
            while let Some((event, _)) = self.next() {
                if event == SocketEvent::MONITOR_STOPPED {
                    return;
                }
            }
            let Some(left) = deadline.left() else { return self.abandon() };
            // Interrupted or not, the time left is looked at again.
            self.0.poll(zmq::POLLIN, i64::from(millis(left)) + 1).ok();
        }
    }

    /// Leaves it open for the rest of the process.
    pub(crate) fn abandon(self) {
        std::mem::forget(self);
    }

    pub(crate) fn poll_item(&self) -> zmq::PollItem<'_> {
        self.0.as_poll_item(zmq::POLLIN)
    }
}
