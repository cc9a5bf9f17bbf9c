//! Where log records go: standard error, as text or JSON, by a thread of its own; or systemd's journal.
//!
//! A reader of standard error that is slow or gone must not hold up the hub, let alone end it: records that find no
//! room are dropped and counted. The journal's own protocol has no such means; who chooses it trusts it to read.
//!
//! What records quote of others cannot pass for another record, nor steer the terminal that shows the text.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

use settings::{Configuration, LogFormat, Problem};
use thiserror::Error;
use tracing::field::Field;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::field::{MakeExt, delimited::Delimited};
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{FieldFn, Format, Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::preset;

/// Lines that wait for a slow reader at most.
const WAITING: usize = 10_000;

/// The running log; what waits is written out when it is dropped.
pub struct Log {
    /// None where records go to systemd's journal.
    standard_error: Option<(WorkerGuard, ErrorCounter)>,
    level: Arc<Level>,
}

/// What is logged: changed while the process runs.
pub struct Level {
    now: Mutex<String>,
    set: Box<SetFilter>,
}

/// Why something is not logged by.
#[derive(Debug, Error)]
pub enum LevelError {
    /// There is nothing between two commas, or nothing at all: the filter would let nothing but errors through.
    #[error("a part of it is empty")]
    Empty,
    /// A word, which the filter would take for a part of the program, and let nothing else through.
    #[error("{word:?} is neither error, warn, info, debug, trace or off, nor PART=LEVEL")]
    Word {
        /// The word.
        word: String,
    },
    /// It is written wrongly.
    #[error(transparent)]
    Filter(#[from] ParseError),
}

/// What is logged, as a filter: levels, and levels for parts of the program, with commas between them.
fn parse(level: &str) -> Result<EnvFilter, LevelError> {
    for part in level.split(',').map(str::trim) {
        if part.is_empty() {
            return Err(LevelError::Empty);
        }
        // In brackets is a span.
        if !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err() {
            return Err(LevelError::Word { word: part.to_owned() });
        }
    }
    Ok(EnvFilter::builder().parse(level)?)
}

type SetFilter = dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync;

impl Level {
    /// As `log.level` is written.
    #[must_use]
    pub fn get(&self) -> String {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logs this from now on.
    ///
    /// # Errors
    /// It is not a filter.
    pub fn set(&self, level: &str) -> Result<(), LevelError> {
        let filter = parse(level)?;
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        // Before, for the new one may not let it through.
        tracing::info!(before = &**now, now = level, "the log's level is set");
        // It fails only when the log is gone, and then there is nothing to set.
        if (self.set)(filter).is_ok() {
            level.clone_into(&mut now);
        }
        Ok(())
    }
}

impl Log {
    /// What is logged.
    #[must_use]
    pub fn level(&self) -> Arc<Level> {
        Arc::clone(&self.level)
    }

    /// Says how many lines found no room, if any.
    pub fn say_dropped(&self) {
        let lines = self.standard_error.as_ref().map_or(0, |(_, dropped)| dropped.dropped_lines());
        if lines > 0 {
            tracing::warn!(lines, "log lines dropped: the reader of standard error did not keep up");
        }
    }
}

/// `log.level`.
///
/// # Errors
/// It is no filter.
pub fn filter(configuration: &Configuration) -> Result<EnvFilter, Problem> {
    let level = &configuration.settings().log.level;
    parse(level).map_err(|error| {
        let message = format!("`{level}` is not a filter such as `info` or `info,plugin=debug`: {error}");
        configuration.problem(&["log", "level"], message)
    })
}

/// Installs the process's log.
///
/// # Errors
/// `log.level` is not a filter, or systemd's journal is not there.
pub fn install(configuration: &Configuration) -> Result<Log, Problem> {
    let filter = filter(configuration)?;
    // A second installation in one process fails; the first one goes on serving.
    let (standard_error, set): (_, Box<SetFilter>) = match configuration.settings().log.format {
        LogFormat::Text => {
            let (log, written) = standard_error(filter);
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            drop(log.try_init());
            (Some(written), Box::new(move |filter| handle.reload(filter)))
        }
        LogFormat::Json => {
            let (log, written) = standard_error(filter);
            let log = log.json().flatten_event(true).with_filter_reloading();
            let handle = log.reload_handle();
            drop(log.try_init());
            (Some(written), Box::new(move |filter| handle.reload(filter)))
        }
        LogFormat::Journald => {
            let journal = tracing_journald::layer().map_err(|error| {
                let message = format!("systemd's journal does not take records here: {error}");
                configuration.problem(&["log", "format"], message)
            })?;
            let (filter, handle) = reload::Layer::new(filter);
            let journal = journal
                .with_field_prefix(Some("FEDMSG".to_owned()))
                .with_syslog_identifier(preset::program().to_owned());
            drop(Registry::default().with(filter).with(journal).try_init());
            (None, Box::new(move |filter| handle.reload(filter)))
        }
    };
    let now = Mutex::new(configuration.settings().log.level.clone());
    Ok(Log { standard_error, level: Arc::new(Level { now, set }) })
}

type WriteField = fn(&mut Writer<'_>, &Field, &dyn fmt::Debug) -> fmt::Result;
type Fields = Delimited<&'static str, FieldFn<WriteField>>;
type ToStandardError = SubscriberBuilder<Fields, Format, EnvFilter, NonBlocking>;

fn standard_error(filter: EnvFilter) -> (ToStandardError, (WorkerGuard, ErrorCounter)) {
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING).finish(io::stderr());
    let dropped = writer.error_counter();
    let log = tracing_subscriber::fmt()
        .fmt_fields(fields())
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .log_internal_errors(false);
    (log, (guard, dropped))
}

fn fields() -> Fields {
    debug_fn(write_field as WriteField).delimited(" ")
}

/// Further lines of a text are indented, so that none begins as a record does.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{field}=")?;
    }
    writer.write_str(&message::printable_lines(&format!("{value:?}")).replace('\n', "\n    "))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_a_record_quotes_passes_for_no_other_and_steers_nothing() {
        let (mut logged, writer) = io::pipe().unwrap();
        let log = tracing_subscriber::fmt()
            .fmt_fields(fields())
            .with_writer(Mutex::new(writer))
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .finish();
        tracing::subscriber::with_default(log, || {
            let evil = "x\r INFO ready\n INFO ready\u{1b}[2J\u{202e}";
            tracing::warn!(display = %evil, debug = ?evil, text = evil, "said {evil}");
        });
        let mut text = String::new();
        logged.read_to_string(&mut text).unwrap();
        let escaped = r"x\r INFO ready\n INFO ready\u{1b}[2J\u{202e}";
        let shown = "x\\r INFO ready\n     INFO ready\\u001b[2J\\u202e";
        let expected = format!(" WARN said {shown} display={shown} debug=\"{escaped}\" text=\"{escaped}\"\n");
        assert_eq!(text, expected);
    }

    #[test]
    fn what_would_silence_the_log_by_mistake_is_no_filter() {
        for level in ["", " ", "nonsense", "info,", "info,plugin", "debg"] {
            assert!(parse(level).is_err(), "{level:?}");
        }
        for level in [
            "info",
            "INFO",
            "off",
            "info,plugin=debug",
            "plugin=debug",
            "info,[span{a=1}]=trace",
            "info,[span]",
        ] {
            assert!(parse(level).is_ok(), "{level:?}");
        }
    }
}
