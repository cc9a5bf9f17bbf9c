//! How a command talks to the one who started it: notes and errors on standard error, and the exit code, whose
//! numbers are never reused.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use bus::{Address, BusError, PublishError, Unsent};
use crypto::DevelopmentError;
use publish::{OpenError, SendError};
use settings::Problems;
use tracing::level_filters::LevelFilter;

use crate::import::ImportError;
use crate::input::InputError;
use crate::replay::HistoryError;

/// Why a command could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] Problems),
    /// The configuration has no address for what is to be done.
    #[error(
        "[endpoints] names {missing}; add `{example}` to hub.toml, or say where the configuration is with \
         --config"
    )]
    NoEndpoint {
        /// What it does not name.
        missing: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// What was to be published can't be.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The socket for publishing could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nobody was there to take a message.
    #[error(
        "no relay at {addresses} took the message within {waited:?}; start one (fedmsg-hub with \
         `[fedmsg.consumers.relay] enabled = true`), or wait longer with --timeout"
    )]
    NoRelay {
        /// Where it was looked for.
        addresses: String,
        /// For how long.
        waited: Duration,
    },
    /// A message could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Messages were left when the time was up.
    #[error(transparent)]
    Unsent(#[from] Unsent),
    /// A socket could not be opened, or failed.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The certificates can't be made, or revoked.
    #[error(transparent)]
    Certificates(#[from] DevelopmentError),
    /// Two key pairs would have one name in `certnames`.
    #[error(
        "{first} and {second} would both be {key:?} in crypto.certnames, where only the first word of a host's name \
         counts: make them in folders of their own"
    )]
    SameKey {
        /// The name.
        key: String,
        /// A key pair.
        first: String,
        /// Another.
        second: String,
    },
    /// The configuration has no monitoring socket.
    #[error("monitoring.socket is not set: set it, for example to \"ipc:///run/fedmsg-hub/monitoring.sock\"")]
    NoMonitoring,
    /// No hub reported.
    #[error(
        "no hub has reported at {address} within {timeout:?}: does it run, and is its monitoring.socket the same?"
    )]
    NoReport {
        /// Where.
        address: Address,
        /// For how long it was waited for.
        timeout: Duration,
    },
    /// What came is no report.
    #[error("what {address} publishes is no report of a hub: {source}")]
    BadReport {
        /// Where.
        address: Address,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Some of the asked for are not active.
    #[error("{}", inactive(missing, uninitialized))]
    Inactive {
        /// Not in the report.
        missing: Vec<String>,
        /// Not up.
        uninitialized: Vec<String>,
    },
    /// The configuration doesn't say what was asked for. Python's words.
    #[error("Key `{0}` does not exist in config")]
    NoKey(String),
    /// A Python configuration can't be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A message of the past can't be had.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Commands that were run for messages did not succeed.
    #[error("{failed} of {runs} runs failed; none was begun for {}", waiting(*.left))]
    Commands {
        /// How many.
        failed: u64,
        /// Of how many.
        runs: u64,
        /// Messages that no command was run for.
        left: usize,
    },
    /// No command was run for some messages, because of a signal.
    #[error("no command was run for {}", waiting(*.0))]
    NotRun(usize),
    /// Commands that ran were ended by a second signal.
    #[error("commands were ended; none was run for {}", waiting(*.left))]
    Interrupted {
        /// Messages that no command was run for.
        left: usize,
    },
    /// Standard input or output failed.
    #[error("cannot {action}: {source}")]
    Stream {
        /// What was being done.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

/// In the words of Python's fedmsg-check.
fn inactive(missing: &[String], uninitialized: &[String]) -> String {
    let mut lines: Vec<_> = missing.iter().map(|name| format!("\"{name}\" is not active!")).collect();
    lines.extend(uninitialized.iter().map(|name| format!("\"{name}\" is not initialized!")));
    let sum = if missing.is_empty() { "uninitialized" } else { "missing" };
    lines.push(format!("Some consumers and/or producers are {sum}!"));
    lines.join("\n")
}

impl Failure {
    pub(crate) fn stream(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Stream { action, source }
    }

    /// The numbers are the hub's, where they mean the same.
    fn code(&self) -> u8 {
        match self {
            Self::Input(_)
            | Self::Send(SendError::NotJson(_) | SendError::TooLarge { .. })
            | Self::History(HistoryError::Refused { .. } | HistoryError::TooLarge { .. })
            | Self::Certificates(DevelopmentError::Name(_))
            | Self::SameKey { .. } => 2,
            Self::Configuration(_)
            | Self::NoMonitoring
            | Self::NoEndpoint { .. }
            | Self::Open(OpenError::NoEndpoint(_) | OpenError::Signing(_))
            | Self::Open(OpenError::Bus(
                BusError::NoAddress(_) | BusError::Wildcard { .. } | BusError::Service { .. },
            ))
            | Self::Bus(BusError::NoAddress(_) | BusError::Wildcard { .. } | BusError::Service { .. }) => 3,
            Self::NoRelay { .. }
            | Self::Unsent(_)
            | Self::NotRun(_)
            | Self::Send(SendError::Publish(PublishError::NotConnected(_))) => 6,
            Self::Commands { .. } => 11,
            Self::Interrupted { .. } => 130,
            Self::NoReport { .. } | Self::BadReport { .. } | Self::Inactive { .. } => 1,
            Self::Open(_)
            | Self::Send(_)
            | Self::Bus(_)
            | Self::Certificates(_)
            | Self::NoKey(_)
            | Self::Import(_)
            | Self::History(_)
            | Self::Stream { .. } => 1,
        }
    }
}

/// So many messages.
fn waiting(messages: usize) -> String {
    format!("{messages} message{} that waited", if messages == 1 { "" } else { "s" })
}

/// Ends a command: says what failed, and gives the exit code.
#[must_use]
pub fn conclude(program: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(program, &failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Says something to the person, on standard error.
pub(crate) fn say(program: &str, what: &dyn Display) {
    // It may quote what others have written.
    let text = what.to_string();
    let text = message::printable_lines(&text).replace('\n', &format!("\n{program}: "));
    // Nobody is left to tell if standard error is closed.
    drop(writeln!(io::stderr(), "{program}: {text}"));
}

/// Sends the log to standard error. The level is the command's own: `log.level` is the hub's.
pub(crate) fn log(level: LevelFilter) {
    let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .without_time()
        // Nobody is left to tell if standard error is closed.
        .log_internal_errors(false);
    // A second installation fails; the first one goes on serving.
    drop(log.try_init());
}
