//! Where log records go: standard error, as text or JSON.

use std::io::{self, IsTerminal};

use settings::{Configuration, LogFormat, LogSettings, Problem};
use tracing_subscriber::EnvFilter;

/// Installs the process's log. Only the first call has an effect.
///
/// # Errors
/// `log.level` is not a filter.
pub fn install(configuration: &Configuration) -> Result<(), Problem> {
    let LogSettings { level, format } = &configuration.settings().log;
    let filter = EnvFilter::try_new(level).map_err(|error| {
        let message = format!("`{level}` is not a filter such as `info` or `info,plugin=debug`: {error}");
        configuration.problem(&["log", "level"], message)
    })?;
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    // A second installation fails; the first one goes on serving.
    drop(match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    });
    Ok(())
}
