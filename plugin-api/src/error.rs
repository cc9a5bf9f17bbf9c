//! The errors that cross the border, one type each for both sides: a plugin makes them, the hub reads them.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why a message was not consumed, and what the hub shall do about it.
///
/// Any standard error becomes a [retry](Failure::retry) by the `?` operator. (For that to work this type is
/// itself no [`std::error::Error`].)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    reason: String,
    retry_after: Option<Duration>,
}

/// What the hub does with a message that was not consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Deliver the same message again later; after so many attempts keep it as a dead letter.
    Retry,
    /// Give this message up for good and go on with the next one.
    Drop,
    /// Give the whole consumer up: it is stopped, and gets this message again at the hub's next start.
    Stop,
    /// Deliver the same message again at a time of the plugin's own choice: nothing has failed, and nothing is counted.
    Later,
    /// The plugin panicked, which is as a retry; the reason says where. Only the border itself makes this one.
    Panic,
}

impl Failure {
    /// The message may succeed later: a server is away, a disk is full.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::new(FailureKind::Retry, reason)
    }

    /// The message can never succeed; it is given up for good.
    pub fn drop(reason: impl fmt::Display) -> Self {
        Self::new(FailureKind::Drop, reason)
    }

    /// No message can succeed before somebody mends something; the consumer is stopped, and the message is kept.
    pub fn stop(reason: impl fmt::Display) -> Self {
        Self::new(FailureKind::Stop, reason)
    }

    /// The message is not due yet: it is to come again after `delay`, and others may pass it meanwhile, whatever
    /// `on_retry` says. This is neither a failure nor an attempt, so it can be said as often as need be: a message never
    /// becomes a dead letter by it. After a restart of the hub the message comes again at once.
    ///
    /// A hub whose plugin API is older than 1.2 takes it for a retry after that time.
    pub fn later(delay: Duration, reason: impl fmt::Display) -> Self {
        Self::new(FailureKind::Later, reason).after(delay)
    }

    /// Asks for the retry after this time instead of the hub's own backoff. Means nothing to the other kinds.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    pub(crate) fn new(kind: FailureKind, reason: impl fmt::Display) -> Self {
        Self { kind, reason: reason.to_string(), retry_after: None }
    }

    /// What the hub is to do.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// What went wrong, for the operator.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// When it is to come again; `None` leaves it to the hub.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::retry(with_causes(&error))
    }
}

/// Why a batch was not consumed whole.
///
/// Any [`Failure`] or standard error becomes one by the `?` operator, which is about the batch as a whole: none of
/// its messages is consumed, and it isn't said which of them is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFailure {
    pub(crate) at: Option<usize>,
    pub(crate) failure: Failure,
}

impl BatchFailure {
    /// The failure of the message at `index`; those before it are consumed.
    pub fn at(index: usize, failure: impl Into<Failure>) -> Self {
        Self { at: Some(index), failure: failure.into() }
    }
}

impl From<Failure> for BatchFailure {
    fn from(failure: Failure) -> Self {
        Self { at: None, failure }
    }
}

impl<E: Error> From<E> for BatchFailure {
    fn from(error: E) -> Self {
        Failure::from(error).into()
    }
}

impl From<BatchFailure> for Failure {
    fn from(failure: BatchFailure) -> Self {
        failure.failure
    }
}

/// Why a consumer did not start.
///
/// Any standard error becomes a [fatal](StartError::fatal) one by the `?` operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    retryable: bool,
    reason: String,
}

impl StartError {
    /// Starting may succeed later, with nothing changed in the configuration: a server is away.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self { retryable: true, reason: reason.to_string() }
    }

    /// Starting cannot succeed before the operator changes something.
    pub fn fatal(reason: impl fmt::Display) -> Self {
        Self { retryable: false, reason: reason.to_string() }
    }

    /// Whether trying again makes sense.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// What went wrong, for the operator.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl<E: Error> From<E> for StartError {
    fn from(error: E) -> Self {
        Self::fatal(with_causes(&error))
    }
}

/// The hub did not send a message that a plugin published or forwarded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not published: {reason}")]
pub struct PublishError {
    reason: String,
}

impl PublishError {
    /// An error with this reason.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string() }
    }

    /// What went wrong, for the operator.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A call into a plugin ended in a panic, which was caught on the plugin's side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("panicked at {location}: {message}")]
pub struct Panicked {
    /// What the plugin said.
    pub message: String,
    /// `file:line:column` in the plugin's source, `?` if it is not known.
    pub location: String,
}

/// A consumer's table of the configuration does not fit its `Config`: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<ConfigProblem>,
}

/// One thing wrong with a consumer's table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{}", .key_path, if .key_path.is_empty() { "" } else { ": " }, .message)]
pub struct ConfigProblem {
    /// The dotted key, relative to the consumer's table, list items by number (`irc.0.port`); empty for the
    /// table itself.
    pub key_path: String,
    /// What is wrong with it.
    pub message: String,
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Many errors repeat their cause in their own text.
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
