//! The socket of one endpoint, as the receiving thread uses it.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use crossbeam_channel::Receiver;

use super::link::Target;
use crate::status::Traffic;
use crate::{EndpointName, Frames, Incoming, Prefixes};

/// Frames up to this size are copied: libzmq keeps several small ones in one buffer of 8 KiB, all of which a single one
/// would hold, and the memory to hold a frame by costs as much as the copy.
const COPY_UP_TO: usize = 128;

/// An endpoint's SUB socket.
pub(super) struct Source {
    pub(super) id: u64,
    pub(super) name: EndpointName,
    pub(super) socket: zmq::Socket,
    pub(super) traffic: Arc<Traffic>,
    /// Receives, or is disconnected, once there is no more to wait for after closing.
    pub(super) is_closed: Receiver<()>,
    /// Whether nothing was left when last asked.
    pub(super) is_empty: Cell<bool>,
    /// Whether the supervisor looks after it.
    pub(super) is_watched: bool,
    pub(super) prefixes: Prefixes,
}

impl Source {
    pub(super) fn new(id: u64, name: EndpointName, socket: zmq::Socket) -> Self {
        Self {
            id,
            name,
            socket,
            traffic: Arc::default(),
            is_closed: crossbeam_channel::bounded(1).1,
            is_empty: Cell::new(false),
            is_watched: false,
            prefixes: Prefixes::default(),
        }
    }

    pub(super) fn connect(&self, target: &Target) -> zmq::Result<()> {
        connect(&self.socket, target)
    }

    pub(super) fn leave(&self, target: &Target) {
        leave(&self.socket, target);
    }

    pub(super) fn set_prefixes(&mut self, prefixes: &Prefixes) -> zmq::Result<()> {
        // The new ones first, so that a topic wanted before and after is wanted all the time.
        for new in prefixes.iter().filter(|prefix| !self.prefixes.contains(prefix)) {
            self.socket.set_subscribe(new)?;
        }
        for old in self.prefixes.iter().filter(|prefix| !prefixes.contains(prefix)) {
            self.socket.set_unsubscribe(old)?;
        }
        self.prefixes = prefixes.clone();
        Ok(())
    }

    pub(super) fn close(self) -> Receiver<()> {
        self.is_closed
    }

    /// Takes up to `max` messages that are there, while there is room for bytes; fewer, with room left, means that there
    /// are no more.
    pub(super) fn take(&self, into: &mut Vec<Incoming>, max: usize, room: &mut usize) -> zmq::Result<usize> {
        let (mut messages, mut bytes) = (0, 0);
        while messages < max && *room > 0 {
            let Some(frames) = self.next()? else { break };
            messages += 1;
            bytes += frames.size();
            *room = room.saturating_sub(frames.size());
            into.push(Incoming { endpoint: self.name.clone(), frames });
        }
        self.is_empty.set(messages < max && *room > 0);
        if messages > 0 {
            self.traffic.add(messages, bytes);
        }
        Ok(messages)
    }

    fn next(&self) -> zmq::Result<Option<Frames>> {
        let mut first = zmq::Message::new();
        match self.socket.recv(&mut first, zmq::DONTWAIT) {
            Ok(()) => {}
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => return Ok(None),
            Err(error) => return Err(error),
        }
        if !first.get_more() {
            return Ok(Some(Frames::from_single(&to_bytes(first))));
        }
        // The frames of a message come all together.
        let second = self.socket.recv_msg(0)?;
        if !second.get_more() {
            return Ok(Some(Frames::Message { topic: to_bytes(first), body: to_bytes(second) }));
        }
        let (mut count, mut bytes) = (2, first.len() + second.len());
        loop {
            let frame = self.socket.recv_msg(0)?;
            count += 1;
            bytes += frame.len();
            if !frame.get_more() {
                return Ok(Some(Frames::Malformed { count, bytes }));
            }
        }
    }
}

pub(super) fn connect(socket: &zmq::Socket, target: &Target) -> zmq::Result<()> {
    // The option holds for connections made from now on.
    socket.set_ipv6(target.is_ipv6)?;
    socket.connect(&target.text)
}

pub(super) fn leave(socket: &zmq::Socket, target: &Target) {
    // It fails only when libzmq has left already.
    socket.disconnect(&target.text).ok();
}

fn to_bytes(frame: zmq::Message) -> Bytes {
    if frame.len() <= COPY_UP_TO { Bytes::copy_from_slice(&frame) } else { Bytes::from_owner(Owned(frame)) }
}

struct Owned(zmq::Message);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
