//! Where log records go: standard error, as text or JSON, by a thread of its own.
//!
//! A reader that is slow or gone must not hold up the hub, let alone end it: records that find no room are dropped and
//! counted.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

use settings::{Configuration, LogFormat, LogSettings, Problem};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::{EnvFilter, reload};

/// Lines that wait for a slow reader at most.
const WAITING: usize = 10_000;

/// The running log; what waits is written out when it is dropped.
pub struct Log {
    _writer: WorkerGuard,
    dropped: ErrorCounter,
    level: Arc<Level>,
}

/// What is logged: changed while the process runs.
pub struct Level {
    now: Mutex<String>,
    set: Box<SetFilter>,
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
    pub fn set(&self, level: &str) -> Result<(), ParseError> {
        let filter = EnvFilter::builder().parse(level)?;
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
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
    let now = Mutex::new(level.clone());
    // A second installation in one process fails; the first one goes on serving.
    let set: Box<SetFilter> = match format {
        LogFormat::Text => {
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            drop(log.try_init());
            Box::new(move |filter| handle.reload(filter))
        }
        LogFormat::Json => {
            let log = log.json().flatten_event(true).with_filter_reloading();
            let handle = log.reload_handle();
            drop(log.try_init());
            Box::new(move |filter| handle.reload(filter))
        }
    };
    Ok(Log { _writer: guard, dropped, level: Arc::new(Level { now, set }) })
}
