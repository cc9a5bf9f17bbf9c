//! What the hub gives to its plugins, as a trait that the hub implements, and its way into the ABI.

use std::sync::Arc;

use abi_stable::std_types::{RResult, RSlice, RStr, RString};
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::abi;
use crate::error::{Failure, PublishError, StartError};
use crate::guard::guarded;

/// The hub as one consumer sees it. Called from the consumer's thread and from threads of its own.
pub trait Host: Send + Sync {
    /// The most verbose level that any record of the process can be wanted at. Asked once per batch, so that
    /// a disabled record costs one comparison; may change at any time.
    fn max_level(&self) -> LevelFilter;

    /// Whether a record of this level and target is wanted.
    fn enabled(&self, level: Level, target: &str) -> bool;

    /// Takes a record of `log` or `tracing` made in the plugin's library.
    fn log(&self, record: &LogRecord<'_>);

    /// Publishes `msg`, a JSON text, under `topic` in an envelope of the hub's.
    ///
    /// # Errors
    /// The hub can not or will not send it.
    fn publish(&self, topic: &str, msg: &str) -> Result<(), PublishError>;

    /// Opens a publisher on the endpoint of that name.
    ///
    /// # Errors
    /// There is no such endpoint (fatal), or none of its addresses is free (retry).
    fn open_publisher(&self, endpoint: &str) -> Result<PublisherId, StartError>;

    /// Sends the two frames as they are.
    ///
    /// # Errors
    /// The hub can not send it.
    fn forward(&self, publisher: PublisherId, topic: &str, body: &[u8]) -> Result<(), PublishError>;

    /// As [`open_publisher`](Self::open_publisher), for messages that the hub signs.
    ///
    /// # Errors
    /// The same, or the hub has nothing to sign with (fatal).
    fn open_signing_publisher(&self, endpoint: &str) -> Result<PublisherId, StartError>;

    /// Signs the body as the hub's signing relay, and sends it.
    ///
    /// # Errors
    /// A [drop](Failure::drop) if it cannot be signed, a [retry](Failure::retry) if it cannot be sent.
    fn forward_signed(&self, publisher: PublisherId, topic: &str, body: &[u8]) -> Result<(), Failure>;

    /// Adds to one of the consumer's [`Counts`](crate::Counts).
    fn count(&self, name: &str, n: u64);
}

/// A publisher that the host opened; the number means something to the host alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublisherId(pub u64);

/// A log record made in a plugin.
#[derive(Debug, Clone)]
pub struct LogRecord<'a> {
    /// The consumer's name; on a thread of the plugin's own that of its library.
    pub consumer: &'a str,
    /// How grave it is.
    pub level: Level,
    /// Usually the module path it comes from.
    pub target: &'a str,
    /// The text.
    pub message: &'a str,
    /// The record's fields; `span` holds the spans around it, `outer{a=1}:inner`.
    pub fields: Vec<(&'a str, &'a str)>,
    /// Source file, if known.
    pub file: Option<&'a str>,
    /// Line in it, if known.
    pub line: Option<u32>,
}

/// A [`Host`] wrapped for the ABI. A panic of the host's must not unwind into the plugin.
pub(crate) struct Adapter(pub(crate) Arc<dyn Host>);

impl abi::Host for Adapter {
    fn max_level(&self) -> u32 {
        guarded(|| self.0.max_level()).ok().and_then(LevelFilter::into_level).map_or(0, level_number)
    }

    fn enabled(&self, level: u32, target: RStr<'_>) -> bool {
        guarded(|| self.0.enabled(level_of(level), target.as_str())).unwrap_or(false)
    }

    fn log(&self, record: &abi::Record<'_>) {
        let fields = record.fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
        let record = LogRecord {
            consumer: record.consumer.as_str(),
            level: level_of(record.level),
            target: record.target.as_str(),
            message: record.message.as_str(),
            fields,
            file: Some(record.file.as_str()).filter(|file| !file.is_empty()),
            line: Some(record.line).filter(|line| *line > 0),
        };
        // A lost record is all that a panic costs here; the host's own hook has told of it.
        guarded(|| self.0.log(&record)).ok();
    }

    fn publish(&self, topic: RStr<'_>, msg: RStr<'_>) -> RResult<(), RString> {
        sent(
            guarded(|| self.0.publish(topic.as_str(), msg.as_str()))
                .unwrap_or_else(|p| Err(PublishError::new(p))),
        )
    }

    fn open_publisher(&self, endpoint: RStr<'_>) -> RResult<u64, abi::StartError> {
        opened(|| self.0.open_publisher(endpoint.as_str()))
    }

    fn forward(&self, publisher: u64, topic: RStr<'_>, body: RSlice<'_, u8>) -> RResult<(), RString> {
        let forward = || self.0.forward(PublisherId(publisher), topic.as_str(), body.as_slice());
        sent(guarded(forward).unwrap_or_else(|panicked| Err(PublishError::new(panicked))))
    }

    fn open_signing_publisher(&self, endpoint: RStr<'_>) -> RResult<u64, abi::StartError> {
        opened(|| self.0.open_signing_publisher(endpoint.as_str()))
    }

    fn forward_signed(&self, publisher: u64, topic: RStr<'_>, body: RSlice<'_, u8>) -> abi::Failure {
        let forward = || self.0.forward_signed(PublisherId(publisher), topic.as_str(), body.as_slice());
        guarded(forward).unwrap_or_else(|panicked| Err(Failure::retry(panicked))).err().into()
    }

    fn count(&self, name: RStr<'_>, n: u64) {
        // As for records.
        guarded(|| self.0.count(name.as_str(), n)).ok();
    }
}

fn opened(open: impl FnOnce() -> Result<PublisherId, StartError>) -> RResult<u64, abi::StartError> {
    guarded(open)
        .unwrap_or_else(|panicked| Err(StartError::fatal(panicked)))
        .map(|id| id.0)
        .map_err(Into::into)
        .into()
}

fn sent(result: Result<(), PublishError>) -> RResult<(), RString> {
    result.map_err(|error| RString::from(error.reason())).into()
}

pub(crate) fn level_number(level: Level) -> u32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

fn level_of(number: u32) -> Level {
    match number {
        0 | 1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        _ => Level::TRACE,
    }
}
