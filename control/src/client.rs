//! The client's side of the socket.

use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::command::{Request, VERSION};
use crate::server::path;
use crate::{Command, ControlError, Reply};

/// How long a hub may say nothing. One that works on an answer says something each [`BEAT`](crate::answer::BEAT).
const SILENCE: Duration = Duration::from_secs(10);

/// A hub that runs.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// An answer that is coming in.
#[derive(Debug)]
pub struct Answer {
    socket: PathBuf,
    stream: BufReader<UnixStream>,
    line: Vec<u8>,
    over: bool,
}

/// Ends an answer from another thread.
#[derive(Debug)]
pub struct HangUp(UnixStream);

impl Client {
    /// The hub that runs on this state directory; `None` if none does.
    ///
    /// # Errors
    /// [`ControlError::NotPermitted`], [`ControlError::PathTooLong`], [`ControlError::Silent`], [`ControlError::Io`].
    pub fn find(state_directory: &Path) -> Result<Option<Self>, ControlError> {
        let client = Self { socket: path(state_directory)? };
        match client.connect() {
            Ok(_) => Ok(Some(client)),
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => Ok(None),
                _ if is_absent(&error) => Ok(None),
                _ => Err(failure(&client.socket, error)),
            },
        }
    }

    fn connect(&self) -> io::Result<UnixStream> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // Before it connects: that waits, too, for a hub that takes in nobody.
        set_socket_timeout(&socket, Timeout::Send, Some(SILENCE))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(SILENCE))?;
        connect(&socket, &SocketAddrUnix::new(&self.socket)?)?;
        Ok(socket.into())
    }

    /// Asks.
    ///
    /// # Errors
    /// As [`Self::find`], and [`ControlError::Gone`].
    pub fn ask(&self, command: &Command) -> Result<Answer, ControlError> {
        let request = Request { version: VERSION, command: command.clone() };
        let ask = || {
            let mut stream = self.connect()?;
            let mut line = serde_json::to_vec(&request)?;
            line.push(b'\n');
            // Who is refused before he has asked may find the other side closed, but has his answer.
            match stream.write_all(&line) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
                _ => Ok(stream),
            }
        };
        let stream = ask().map_err(|error| failure(&self.socket, error))?;
        let (socket, stream) = (self.socket.clone(), BufReader::with_capacity(1 << 16, stream));
        Ok(Answer { socket, stream, line: Vec::new(), over: false })
    }
}

/// Whether there is no such file, nor a folder for it.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn failure(socket: &Path, source: io::Error) -> ControlError {
    let socket = socket.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied => ControlError::NotPermitted { socket },
        io::ErrorKind::NotFound
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => ControlError::Gone,
        io::ErrorKind::WouldBlock => ControlError::Silent { socket, patience: SILENCE },
        _ => ControlError::Io { doing: "talk to", path: socket, source },
    }
}

impl Answer {
    /// The next line of it, which is neither [`Reply::Done`] nor [`Reply::Error`]; `None` behind the last one.
    ///
    /// # Errors
    /// [`ControlError::Refused`]; [`ControlError::Gone`]; [`ControlError::Silent`]; [`ControlError::NoAnswer`];
    /// [`ControlError::Io`].
    pub fn next_reply(&mut self) -> Result<Option<Reply<'_>>, ControlError> {
        if self.over {
            return Ok(None);
        }
        self.line.clear();
        let read = self.stream.read_until(b'\n', &mut self.line);
        match read {
            Ok(_) if self.line.last() == Some(&b'\n') => {}
            Ok(_) => return Err(ControlError::Gone),
            Err(error) => return Err(failure(&self.socket, error)),
        }
        let reply = serde_json::from_slice(&self.line)
            .map_err(|source| ControlError::NoAnswer { socket: self.socket.clone(), source })?;
        match reply {
            Reply::Done {} => {
                self.over = true;
                Ok(None)
            }
            Reply::Error(refusal) => Err(refusal.into()),
            reply => Ok(Some(reply)),
        }
    }

    /// A way to end it from another thread: then [`Self::next_reply`] is [`ControlError::Gone`], and so is, for the
    /// hub, the client.
    ///
    /// # Errors
    /// [`ControlError::Io`]: this process has no file left.
    pub fn hang_up(&self) -> Result<HangUp, ControlError> {
        self.stream.get_ref().try_clone().map(HangUp).map_err(ControlError::io("watch", &self.socket))
    }
}

impl HangUp {
    /// Ends it.
    pub fn now(&self) {
        // What has ended needs no end.
        drop(self.0.shutdown(Shutdown::Both));
    }
}
