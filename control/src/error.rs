//! Why something was not done, on the wire and off it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use journal::JournalError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a hub, running or not, did not do as asked. Nothing was changed, unless lines before it say so.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// Of another version.
    #[error(
        "this hub speaks version {speaks} of the protocol, and was asked in another: restart it after an upgrade"
    )]
    Version {
        /// The one that would do.
        speaks: u32,
    },
    /// It is no request.
    #[error("the request was not understood ({reason}): is the hub older than this command? then restart it")]
    NotUnderstood {
        /// What is wrong with it.
        reason: String,
    },
    /// The request did not end in time, or at all.
    #[error("the request was longer than {most} bytes or did not come in time")]
    NoRequest {
        /// Its bytes at most.
        most: usize,
    },
    /// Too many at once.
    #[error("the hub already talks to {most} clients: end one, for example a `journal tail --follow`")]
    Busy {
        /// As many it serves.
        most: usize,
    },
    /// The hub is stopping.
    #[error("the hub is stopping")]
    Stopping,
    /// Only a running hub can do that.
    #[error("no hub is running here, and only a running one can do that: start it")]
    NotRunning,
    /// No consumer of that name has a cursor.
    #[error("no consumer {consumer:?} has a cursor here; `fedmsg-hub consumer list` has those that do")]
    UnknownConsumer {
        /// The name.
        consumer: String,
    },
    /// The consumer runs.
    #[error("consumer {consumer:?} runs: switch it off and reload the hub first")]
    ConsumerRuns {
        /// The name.
        consumer: String,
    },
    /// The consumer does not run.
    #[error("consumer {consumer:?} does not run in this hub: switch it on and reload the hub first")]
    ConsumerDoesNotRun {
        /// The name.
        consumer: String,
    },
    /// There is no such dead letter.
    #[error("there is no dead letter at offset {offset}{}; nothing was done", of(consumer.as_deref()))]
    NoDeadLetter {
        /// The message.
        offset: u64,
        /// Of this consumer; of any, if absent.
        consumer: Option<String>,
    },
    /// It is no level.
    #[error("`{level}` is not a filter such as `info` or `info,plugin=debug`: {reason}")]
    LogLevel {
        /// What was asked for.
        level: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The reload failed, and the hub goes on as before.
    #[error("not reloaded; the hub goes on as before: {message}")]
    NotReloaded {
        /// Where the fault lies.
        fault: Fault,
        /// What is wrong.
        message: String,
    },
    /// The journal could not do it.
    #[error("{message}")]
    Journal {
        /// What it says.
        message: String,
    },
}

/// Where the fault lies that a reload fails for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// In the configuration.
    Configuration,
    /// With a consumer that did not start, or did not stop.
    Consumer,
    /// With an address that cannot be bound.
    Address,
    /// Elsewhere.
    Hub,
}

fn of(consumer: Option<&str>) -> String {
    consumer.map(|name| format!(" of consumer {name:?}")).unwrap_or_default()
}

fn of_process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// Why a question got no answer, or only part of one.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The hub said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The journal's files, of a hub that is stopped.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no journal.
    #[error(
        "{directory} has no journal, and no hub runs there: see hub.state_dir in the configuration; with \
         journal.mode = \"memory\" only a running hub has one"
    )]
    NoJournal {
        /// The state directory.
        directory: PathBuf,
    },
    /// What is written there would belong to somebody else than the hub.
    #[error(
        "{directory} belongs to user {owner} and this is user {user}: files written now would shut the hub out; do it \
         as that user (sudo -u '#{owner}' …)"
    )]
    NotOwner {
        /// The state directory.
        directory: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who this is.
        user: u32,
    },
    /// The socket is not for this user.
    #[error(
        "this user may not talk to a hub at {socket}: do it as the user that the hub runs as, or as root"
    )]
    NotPermitted {
        /// The socket.
        socket: PathBuf,
    },
    /// The path is too long for a socket.
    #[error("{socket} is too long for a socket, whose path has {most} bytes at most: shorten hub.state_dir")]
    PathTooLong {
        /// The socket.
        socket: PathBuf,
        /// Its bytes at most.
        most: usize,
    },
    /// The hub went away before it had answered.
    #[error("the hub ended the connection before it had answered: has it stopped?")]
    Gone,
    /// A process has the state directory, and no socket.
    #[error(
        "a hub that is starting or stopping{} has {directory}, or another command does: ask again when it is done; \
         the hub's log says what it waits for", of_process(*.pid)
    )]
    NotReady {
        /// The state directory.
        directory: PathBuf,
        /// The process.
        pid: Option<u32>,
    },
    /// The hub is there, and says nothing.
    #[error(
        "the hub at {socket} has said nothing for {patience:?}: its process is suspended, or hangs. Have it go on \
         (kill -CONT), or end it (kill -KILL) and start it: what it has in its journal on disk is not lost"
    )]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// For how long.
        patience: Duration,
    },
    /// What came was no answer.
    #[error("{socket} does not answer as a hub does: {source}")]
    NoAnswer {
        /// The socket.
        socket: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file system, or the socket.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Who asked does not take the answer.
    #[error("cannot write the answer: {0}")]
    Output(#[source] io::Error),
}

impl ControlError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Refused(refusal) => refusal,
            ControlError::Journal(JournalError::UnknownConsumer { name }) => {
                Self::UnknownConsumer { consumer: name }
            }
            other => Self::Journal { message: other.to_string() },
        }
    }
}
