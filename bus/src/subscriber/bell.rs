//! Rouses a thread that is blocked in `zmq_poll`.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

/// Any thread rings; one waits for it among its sockets. It stays rung until [`Self::silence`].
pub(super) struct Bell {
    rung: AtomicBool,
    near: UnixStream,
    far: UnixStream,
}

impl Bell {
    pub(super) fn new() -> io::Result<Arc<Self>> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        Ok(Arc::new(Self { rung: AtomicBool::new(false), near, far }))
    }

    pub(super) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // It holds one byte at a time, so it cannot be full; and its other end lives as long as it does.
            (&self.far).write_all(&[1]).ok();
        }
    }

    pub(super) fn silence(&self) {
        // This order makes a ring in between one too many; the other would lose it.
        self.rung.store(false, Ordering::Release);
        (&self.near).read_exact(&mut [0]).ok();
    }

    pub(super) fn poll_item(&self) -> zmq::PollItem<'_> {
        zmq::PollItem::from_fd(self.near.as_raw_fd(), zmq::POLLIN)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
