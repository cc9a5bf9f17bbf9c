//! The socket's side of the hub: who may connect, how many, and how it ends.

mod connection;
mod live;
mod socket;

pub(crate) use socket::path;

use std::collections::HashMap;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use journal::Journal;

use crate::server::connection::Connection;
use crate::server::socket::Socket;
use crate::{ControlError, Hub, Refusal};

/// As many clients are served at once.
pub(crate) const MOST_CLIENTS: usize = 16;

/// How long the server waits for its clients at its end, once politely and once not.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long it waits when the system has no file or thread for one more client.
const SHORTAGE: Duration = Duration::from_secs(1);

/// The control socket of a running hub, until it is dropped.
///
/// The socket is `control.sock` in the state directory, for its owner alone: who may open it may do everything that it
/// offers. Each client has a thread of its own, and nothing of the hub waits for one. It ends promptly when dropped:
/// clients are told that the hub stops.
#[derive(Debug)]
pub struct Server {
    socket: Socket,
    clients: Arc<Clients>,
    thread: Option<JoinHandle<()>>,
}

/// Those who are served.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    next: u64,
    streams: HashMap<u64, UnixStream>,
}

/// A place among those who are served.
#[derive(Debug)]
pub(crate) struct Seat {
    clients: Arc<Clients>,
    number: u64,
}

impl Server {
    /// Opens the socket of a hub that owns this journal. A socket that a dead hub has left is replaced: the journal's
    /// lock says that it is dead.
    ///
    /// # Errors
    /// [`ControlError::PathTooLong`]; [`ControlError::Io`].
    pub fn start(
        state_directory: &Path,
        journal: Arc<Journal>,
        hub: Arc<dyn Hub>,
    ) -> Result<Self, ControlError> {
        let (socket, listener) = Socket::open(state_directory)?;
        let clients = Arc::new(Clients::default());
        let accepting = {
            let (clients, directory) = (Arc::clone(&clients), state_directory.to_owned());
            move || {
                let connection = Connection { directory, journal, hub, clients: Arc::clone(&clients) };
                clients.accept(&listener, &Arc::new(connection));
            }
        };
        let thread = thread::Builder::new().name("control".to_owned()).spawn(accepting);
        let thread = thread.map_err(ControlError::io("start a thread for", socket.path()))?;
        Ok(Self { socket, clients, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.clients.lock().stopping = true;
        self.clients.changed.notify_all();
        self.socket.close();
        if let Some(thread) = self.thread.take() {
            // It doesn't panic; and there is nobody to tell if it did.
            drop(thread.join());
        }
        // What is under way notices; then who does not read is cut off.
        for how in [Shutdown::Read, Shutdown::Both] {
            if self.clients.are_gone(how) {
                return;
            }
        }
        tracing::warn!("clients of the control socket are left behind");
    }
}

impl Clients {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the hub stops.
    pub(crate) fn are_dismissed(&self) -> bool {
        self.lock().stopping
    }

    fn accept(self: &Arc<Self>, listener: &UnixListener, connection: &Arc<Connection>) {
        while !self.are_dismissed() {
            let served = listener.accept().and_then(|(stream, _)| self.serve(stream, connection));
            if let Err(error) = served
                && !self.are_dismissed()
            {
                tracing::warn!(%error, "cannot serve a client of the control socket");
                drop(self.changed.wait_timeout(self.lock(), SHORTAGE));
            }
        }
    }

    fn serve(self: &Arc<Self>, stream: UnixStream, connection: &Arc<Connection>) -> std::io::Result<()> {
        let Some(seat) = self.seat(&stream)? else {
            Connection::refuse(&stream, Refusal::Busy { most: MOST_CLIENTS });
            return Ok(());
        };
        let connection = Arc::clone(connection);
        let thread = thread::Builder::new().name("control-client".to_owned());
        thread.spawn(move || {
            connection.serve(&stream);
            // Whoever waits for the last client may then want the journal for himself.
            drop(connection);
            drop(seat);
        })?;
        Ok(())
    }

    fn seat(self: &Arc<Self>, stream: &UnixStream) -> std::io::Result<Option<Seat>> {
        let mut state = self.lock();
        if state.streams.len() >= MOST_CLIENTS || state.stopping {
            return Ok(None);
        }
        let number = state.next;
        state.next += 1;
        state.streams.insert(number, stream.try_clone()?);
        Ok(Some(Seat { clients: Arc::clone(self), number }))
    }

    /// Sees them out, for a while.
    fn are_gone(&self, how: Shutdown) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        for stream in state.streams.values() {
            // One that has gone already needs no more.
            drop(stream.shutdown(how));
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.streams.is_empty() || left.is_zero() {
                return state.streams.is_empty();
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.clients.lock().streams.remove(&self.number);
        self.clients.changed.notify_all();
    }
}
