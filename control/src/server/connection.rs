//! One client: its request read, its answer written.

use std::io::{self, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::Journal;
use rustix::net::sockopt::socket_peercred;
use serde::Deserialize;

use super::{Clients, live};
use crate::answer::BEAT;
use crate::command::{Request, VERSION};
use crate::view::View;
use crate::{Command, ControlError, Hub, LogLevel, Refusal, Reply, answer};

/// The bytes of a request at most.
const LONGEST_REQUEST: usize = 1 << 20;

/// How long a request may take to come.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// How long a client may read nothing while a replay goes on in its name.
const UNREAD: Duration = Duration::from_secs(10);

/// What every connection serves.
pub(super) struct Connection {
    pub(super) directory: PathBuf,
    pub(super) journal: Arc<Journal>,
    pub(super) hub: Arc<dyn Hub>,
    pub(super) clients: Arc<Clients>,
}

/// The lines of an answer.
struct Lines<'a> {
    out: BufWriter<&'a UnixStream>,
    flushed: Instant,
    clients: &'a Clients,
}

impl Lines<'_> {
    /// Writes one, unless the hub stops.
    fn add(&mut self, reply: &Reply<'_>) -> io::Result<()> {
        if self.clients.are_dismissed() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        write(&mut self.out, reply)?;
        // Who waits for progress is to see it, and what came before it.
        let is_news = matches!(reply, Reply::Progress(_) | Reply::Replay(_) | Reply::Alive {});
        if is_news || self.flushed.elapsed() >= BEAT { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        self.out.flush()
    }
}

fn write(out: &mut impl Write, reply: &Reply<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, reply)?;
    out.write_all(b"\n")
}

impl Connection {
    /// Says no, without waiting for a request.
    pub(super) fn refuse(mut stream: &UnixStream, refusal: Refusal) {
        // Who has gone need not know.
        drop(write(&mut stream, &Reply::Error(refusal)));
    }

    pub(super) fn serve(&self, stream: &UnixStream) {
        let out = BufWriter::with_capacity(1 << 16, stream);
        let mut lines = Lines { out, flushed: Instant::now(), clients: &self.clients };
        let last = match self.answer(stream, &mut lines) {
            Ok(()) => Reply::Done {},
            Err(_) if self.clients.are_dismissed() => Reply::Error(Refusal::Stopping),
            Err(ControlError::Gone | ControlError::Output(_)) => return,
            Err(error) => Reply::Error(error.into()),
        };
        // Who has gone need not know.
        drop(write(&mut lines.out, &last).and_then(|()| lines.out.flush()));
    }

    fn answer(&self, stream: &UnixStream, lines: &mut Lines<'_>) -> Result<(), ControlError> {
        let command = read_request(stream)?;
        if command.changes() {
            let user = socket_peercred(stream).map(|peer| peer.uid.as_raw()).ok();
            tracing::info!(user, ?command, "asked for by the control socket");
        }
        let (journal, hub) = (&*self.journal, &*self.hub);
        let view = View::Journal(journal);
        let each = &mut |reply: Reply<'_>| lines.add(&reply);
        match command {
            Command::Stats => {
                answer::tell(each, Reply::Stats(answer::stats(view, &self.directory, Some(hub))?))
            }
            Command::Status => answer::tell(each, Reply::Status(Box::new(hub.status()?))),
            Command::LogLevel { set } => {
                set.iter().try_for_each(|level| hub.set_log_level(level))?;
                answer::tell(each, Reply::LogLevel(LogLevel { level: hub.log_level() }))
            }
            Command::Messages { span, last, topics, follow } => {
                let next = answer::messages(view, &span, last, &topics, each)?;
                if !follow {
                    return Ok(());
                }
                lines.flush().map_err(ControlError::Output)?;
                let each = &mut |reply: Reply<'_>| lines.add(&reply).and_then(|()| lines.flush());
                live::follow(stream, journal, next, &topics, each)
            }
            Command::Outcomes { span, consumer } => answer::outcomes(view, &span, consumer, each),
            Command::Verify => answer::verify(view, each),
            Command::DeadLetters { selection, messages } => {
                answer::dead_letters(view, &selection, messages, each)
            }
            Command::Requeue { selection } => answer::requeue(journal, Some(hub), &selection, each),
            Command::Purge { selection, pretend: true } => answer::purgeable(view, &selection, each),
            Command::Purge { selection, pretend: false } => answer::purge(journal, &selection, each),
            Command::Forget { consumer } => answer::forget(journal, Some(hub), &consumer),
            Command::Reload => live::reload(hub, each),
            Command::Replay { consumer, span } => {
                stream.set_write_timeout(Some(UNREAD)).map_err(ControlError::Output)?;
                let offsets = view.resolve(&span)?;
                let absent = view.absent(&span, &offsets);
                live::replay(stream, journal, hub, &consumer, offsets, absent, each)
            }
        }
    }
}

/// The request, if it comes in time.
fn read_request(mut stream: &UnixStream) -> Result<Command, ControlError> {
    let deadline = Instant::now() + REQUEST_DEADLINE;
    let mut line = Vec::new();
    let mut part = [0; 4096];
    while !line.contains(&b'\n') {
        let left = deadline.saturating_duration_since(Instant::now());
        let late = Refusal::NoRequest { most: LONGEST_REQUEST };
        if left.is_zero() || line.len() > LONGEST_REQUEST {
            return Err(late.into());
        }
        stream.set_read_timeout(Some(left)).map_err(ControlError::Output)?;
        match stream.read(&mut part) {
            Ok(0) if line.is_empty() => return Err(ControlError::Gone),
            Ok(0) => return Err(late.into()),
            Ok(read) => line.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(late.into()),
            Err(_) => return Err(ControlError::Gone),
        }
    }
    stream.set_read_timeout(None).map_err(ControlError::Output)?;
    Ok(parse(&line)?)
}

/// The version comes first: what another one means by the rest is unknown.
fn parse(line: &[u8]) -> Result<Command, Refusal> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let not_understood = |error: serde_json::Error| Refusal::NotUnderstood { reason: error.to_string() };
    let Versioned { version } = serde_json::from_slice(line).map_err(not_understood)?;
    if version != VERSION {
        return Err(Refusal::Version { speaks: VERSION });
    }
    let request: Request = serde_json::from_slice(line).map_err(not_understood)?;
    Ok(request.command)
}
