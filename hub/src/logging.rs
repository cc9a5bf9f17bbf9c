//! Where log records go: standard error, as text or JSON, by a thread of its own.
//!
//! A reader that is slow or gone must not hold up the hub, let alone end it: records that find no room are dropped and
//! counted.

use std::io::{self, IsTerminal};

use settings::{Configuration, LogFormat, LogSettings, Problem};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that wait for a slow reader at most.
const WAITING: usize = 10_000;

/// The running log; what waits is written out when it is dropped.
pub struct Log {
    _writer: WorkerGuard,
    dropped: ErrorCounter,
}

impl Log {
    /// Says how many lines found no room, if any.
    pub fn say_dropped(&self) {
        let lines = self.dropped.dropped_lines();
        if lines > 0 {
            tracing::warn!(lines, "log lines dropped: the reader of standard error did not keep up");
        }
    }
}

/// Installs the process's log.
///
/// # Errors
/// `log.level` is not a filter.
pub fn install(configuration: &Configuration) -> Result<Log, Problem> {
    let LogSettings { level, format } = &configuration.settings().log;
    let filter = EnvFilter::try_new(level).map_err(|error| {
        let message = format!("`{level}` is not a filter such as `info` or `info,plugin=debug`: {error}");
        configuration.problem(&["log", "level"], message)
    })?;
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING).finish(io::stderr());
    let dropped = writer.error_counter();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .log_internal_errors(false);
    // A second installation in one process fails; the first one goes on serving.
    drop(match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    });
    Ok(Log { _writer: guard, dropped })
}
