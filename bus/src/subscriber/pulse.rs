//! Whether who is connected still lives: greeted again and again, on a connection of its own for a moment.
//!
//! A connection stands as long as the peer's kernel does, even if its process is frozen. ZMTP's PING would tell, but not
//! where messages flow: libzmq 4.3 does not see the answer while its receiver is busy, cuts the peer off, and then ends
//! the whole process by an assertion (docs/decisions/0013-heartbeats.md).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use zmq::SocketEvent;

use super::link::Target;
use super::source;
use super::watched::without_zone;
use crate::monitor::{CLOSING, Monitor};
use crate::{BusError, Options, socket};

/// The greetings of one subscriber's peers.
pub(super) struct Pulse {
    /// Subscribed to nothing. Gone once this is dropped.
    socket: Option<zmq::Socket>,
    monitor: Option<Monitor>,
    /// From an answer to the next greeting, and how long an answer may take.
    interval: Duration,
    peers: BTreeMap<String, Peer>,
}

struct Peer {
    target: Target,
    state: State,
    /// When it is greeted next, if it has answered; else when its time to answer is over.
    due: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Answered,
    Greeted,
    Silent,
}

/// Whether who is at an address answers; told when it does again, and of who does not with each greeting.
pub(super) struct Answer {
    pub(super) at: String,
    pub(super) answers: bool,
}

impl Pulse {
    /// `None` if nobody is to be greeted.
    pub(super) fn new(zmq: &zmq::Context, options: &Options) -> Result<Option<Self>, BusError> {
        let interval = options.heartbeat_ivl;
        if interval.is_zero() {
            return Ok(None);
        }
        let socket = socket::subscriber(zmq, options)?;
        // A greeting that is refused is not tried before the next is due: libzmq would, ten times a second.
        socket.set_reconnect_ivl(-1).map_err(BusError::system("set ZMQ_RECONNECT_IVL"))?;
        let monitor = Monitor::new(zmq, &socket).map_err(BusError::system("watch a socket"))?;
        let peers = BTreeMap::new();
        Ok(Some(Self { socket: Some(socket), monitor: Some(monitor), interval, peers }))
    }

    /// How long an answer may take.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// When there is something to do next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.peers.values().map(|peer| peer.due).min()
    }

    pub(super) fn poll_item(&self) -> Option<zmq::PollItem<'_>> {
        self.monitor.as_ref().map(Monitor::poll_item)
    }

    /// From now on these are greeted, who are connected.
    pub(super) fn follow<'t>(&mut self, connected: impl Iterator<Item = &'t Target>, now: Instant) {
        let mut before = std::mem::take(&mut self.peers);
        for target in connected {
            let at = without_zone(&target.text);
            let known = before.remove(&at);
            // Several endpoints may lead there.
            self.peers.entry(at).or_insert_with(|| {
                let new =
                    || Peer { target: target.clone(), state: State::Answered, due: now + self.interval };
                known.unwrap_or_else(new)
            });
        }
        before
            .into_values()
            .filter(|peer| peer.state != State::Answered)
            .for_each(|peer| self.part(&peer.target));
    }

    /// Greets whose turn it is, and hears who has answered.
    pub(super) fn turn(&mut self, now: Instant) -> Vec<Answer> {
        let mut answers = self.hear(now);
        let due = self.peers.iter().filter(|(_, peer)| peer.due <= now).map(|(at, _)| at.clone());
        for at in due.collect::<Vec<_>>() {
            let Some(mut peer) = self.peers.remove(&at) else { continue };
            if peer.state != State::Answered {
                // Anew, for libzmq may have given up.
                self.part(&peer.target);
            }
            // If this process was stopped, it may be that nobody has heard the answer.
            let is_late = now.saturating_duration_since(peer.due) > self.interval / 2;
            peer.state = match peer.state {
                State::Answered => State::Greeted,
                state if is_late => state,
                State::Greeted | State::Silent => {
                    answers.push(Answer { at: at.clone(), answers: false });
                    State::Silent
                }
            };
            peer.due = now + self.interval;
            if let Some(Err(error)) = self.socket.as_ref().map(|socket| source::connect(socket, &peer.target))
            {
                tracing::debug!(%error, at, "cannot greet; trying again");
                peer.state = State::Answered;
            }
            self.peers.insert(at, peer);
        }
        answers
    }

    fn hear(&mut self, now: Instant) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some((event, at)) = self.monitor.as_ref().and_then(Monitor::next) {
            let at = without_zone(&at);
            let Some(peer) = self.peers.get_mut(&at).filter(|_| event == SocketEvent::HANDSHAKE_SUCCEEDED)
            else {
                continue;
            };
            let before = std::mem::replace(&mut peer.state, State::Answered);
            peer.due = now + self.interval;
            let target = peer.target.clone();
            if before != State::Answered {
                self.part(&target);
            }
            if before == State::Silent {
                answers.push(Answer { at, answers: true });
            }
        }
        answers
    }

    fn part(&self, target: &Target) {
        if let Some(socket) = &self.socket {
            source::leave(socket, target);
        }
    }
}

/// A monitor must outlive its socket.
impl Drop for Pulse {
    fn drop(&mut self) {
        self.socket = None;
        if let Some(monitor) = self.monitor.take() {
            monitor.wait_for_end(CLOSING);
        }
    }
}
