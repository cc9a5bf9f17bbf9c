//! What the exit code says. Service managers and scripts rely on these numbers: they are never reused.

use std::process::ExitCode;

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All was done; for `check`: all is well.
    Clean = 0,
    /// Something failed that has no code of its own; the log, or the error, says what.
    Failed = 1,
    /// The command line is wrong. clap's own code.
    Usage = 2,
    /// The configuration is wrong.
    Config = 3,
    /// A consumer did not start, or two plugins have it; for `check`: a plugin can't be loaded.
    Plugin = 4,
    /// An address could not be bound.
    Address = 5,
    /// The drain deadline passed: a consumer did not stop in time, or messages were lost that were only in memory.
    Undelivered = 6,
    /// The state directory cannot be used, or another hub uses it.
    State = 7,
    /// No hub runs where a command needs one.
    NotRunning = 8,
    /// The hub is there, and does not answer a command.
    Silent = 9,
    /// The hub runs and is not ready; for `status`.
    Unready = 10,
    /// There are warnings and no error; for `check --strict`.
    Warned = 11,
    /// Ctrl-C ended a command that could say how far it was.
    Interrupted = 130,
}

/// The table of exit codes for `--help`.
pub const HELP: &str = "\
Exit codes:
  0  stopped cleanly; for `check`: all is well
  1  failed; the log, or the error, says why
  2  wrong command line
  3  wrong configuration
  4  a consumer did not start, or two plugins have it; for `check`: a plugin can't be loaded
  5  an address could not be bound
  6  the drain deadline passed, with a consumer that did not stop, or messages lost that were only in memory
  7  the state directory cannot be used, or another hub uses it
  8  no hub runs, and the command needs one
  9  the hub is there, and does not answer
  10  for `status`: the hub runs and is not ready
  11  for `check --strict`: there are warnings, and no error
  130  ended by Ctrl-C";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
