//! A run of a command, from its start to its end.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, PipeReader, Read};
use std::iter;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{self, Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::keeper::Keeper;
use crate::lines::Lines;
use crate::stop::Stop;
use crate::{Message, environment, group, input};

/// How long a command that was asked to end, and what it has started, may take for it before they are killed.
pub const GRACE: Duration = Duration::from_secs(5);

/// How often to look meanwhile whether they have.
const LOOK: Duration = Duration::from_millis(50);

/// What tells a process of its service manager, which it is not to answer to.
const MANAGER: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// What is run: a program and its arguments, as the operator wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
}

/// Where a command's standard output and standard error go.
pub enum Output<'a> {
    /// To this process's own.
    Inherit,
    /// Line by line, to this function.
    Lines(&'a mut dyn FnMut(&str)),
}

/// Why a run did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The command could not be started.
    #[error("`{program}` cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// It ended with another exit code than 0.
    #[error("it ended with exit code {0}")]
    Code(i32),
    /// A signal ended it.
    #[error("signal {0} ended it")]
    Signal(i32),
    /// It was ended because its time was up.
    #[error("it had not ended after {0:?}, and was ended")]
    TimedOut(Duration),
    /// It was ended by [`Stop::call`].
    #[error("it was ended because this program ends")]
    Stopped,
    /// It could not be watched, and was killed.
    #[error("it cannot be watched: {0}")]
    System(#[from] io::Error),
}

impl Command {
    /// A program and its arguments. No shell sees them.
    pub fn new(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// A line for `/bin/sh`.
    pub fn shell(line: impl Into<OsString>) -> Self {
        Self::new("/bin/sh", ["-c".into(), line.into()])
    }

    /// Runs it for these messages, and waits for its end.
    ///
    /// # Errors
    /// Whatever is not exit code 0 in time.
    pub fn run<'a>(
        &self,
        messages: &[Message],
        timeout: Option<Duration>,
        stop: Option<&'a Stop>,
        output: Output<'a>,
    ) -> Result<(), RunError> {
        let (mut command, output) = self.prepare(messages, output)?;
        let keeper = Keeper::start()?;
        let spawned = command.process_group(keeper.group().as_raw_pid()).spawn();
        // With it goes this end's copy of what the command writes to, which else would never be at its end.
        drop(command);
        let result = match spawned {
            Ok(child) => Running { child, group: keeper.group(), output, stop }.wait(timeout),
            Err(source) => Err(RunError::Start { program: self.to_string(), source }),
        };
        keeper.dismiss()?;
        result
    }

    fn prepare<'a>(
        &self,
        messages: &[Message],
        output: Output<'a>,
    ) -> io::Result<(process::Command, Option<Reading<'a>>)> {
        let mut command = process::Command::new(&self.program);
        command.args(&self.arguments).stdin(input::of(messages)?);
        for name in MANAGER {
            command.env_remove(name);
        }
        for (name, value) in environment::of(messages) {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let reading = match output {
            Output::Inherit => None,
            Output::Lines(give) => {
                let (pipe, writer) = io::pipe()?;
                fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
                command.stdout(writer.try_clone()?).stderr(writer);
                Some(Reading { pipe, lines: Lines::default(), give })
            }
        };
        Ok((command, reading))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program.to_string_lossy())
    }
}

/// A started command.
struct Running<'a> {
    child: Child,
    group: Pid,
    output: Option<Reading<'a>>,
    stop: Option<&'a Stop>,
}

/// What a command prints.
struct Reading<'a> {
    pipe: PipeReader,
    lines: Lines,
    give: &'a mut dyn FnMut(&str),
}

/// What made a wait end.
enum Event {
    Ended,
    Late,
    Stopped,
}

impl Running<'_> {
    fn wait(mut self, timeout: Option<Duration>) -> Result<(), RunError> {
        let event = self.watch(timeout);
        let failure = match event {
            Ok(Event::Ended) => None,
            Ok(Event::Late) => Some(RunError::TimedOut(timeout.unwrap_or_default())),
            Ok(Event::Stopped) => Some(RunError::Stopped),
            Err(error) => Some(error.into()),
        };
        if failure.is_some() {
            self.end();
        }
        if let Some(mut output) = self.output.take().and_then(Reading::read) {
            output.lines.end(output.give);
        }
        let status = self.child.wait()?;
        failure.map_or_else(|| judge(status), Err)
    }

    /// Waits for the command's end, reading what it prints.
    fn watch(&mut self, timeout: Option<Duration>) -> io::Result<Event> {
        let ended = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let stop = self.stop.map(AsFd::as_fd);
        let awaited: Vec<_> = iter::once(ended.as_fd()).chain(stop).collect();
        Ok(match self.wait_until(&awaited, deadline)? {
            Some(0) => Event::Ended,
            Some(_) => Event::Stopped,
            None => Event::Late,
        })
    }

    /// Asks the whole group to end, and kills what is left of it after its grace.
    fn end(&mut self) {
        kill_process_group(self.group, Signal::TERM).ok();
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && group::has_followers(self.group) {
            // What it prints is read meanwhile: it may wait for that.
            self.wait_until(&[], Some(Instant::now() + LOOK)).ok();
        }
        kill_process_group(self.group, Signal::KILL).ok();
    }

    /// Waits until one of these is readable, and says which; `None` when the time is up. Reads what the command prints.
    fn wait_until(
        &mut self,
        awaited: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<Option<usize>> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let mut fds: Vec<_> =
                awaited.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
            fds.extend(self.output.as_ref().map(|output| PollFd::new(&output.pipe, PollFlags::IN)));
            match poll(&mut fds, left.and_then(|left| Timespec::try_from(left).ok()).as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(place) = fds[..awaited.len()].iter().position(|fd| !fd.revents().is_empty()) {
                return Ok(Some(place));
            }
            // It may print without pause.
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            // It may close its output and go on in silence.
            self.output = self.output.take().and_then(Reading::read);
        }
    }
}

impl Reading<'_> {
    /// Takes what is there; nothing is left of it at the end.
    fn read(mut self) -> Option<Self> {
        let mut piece = [0; 8192];
        // Not for ever, if something prints without end that the command has left behind.
        for _ in 0..16 {
            match self.pipe.read(&mut piece) {
                Ok(0) => {
                    self.lines.end(self.give);
                    return None;
                }
                Ok(len) => self.lines.take(&piece[..len], self.give),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nothing is there now. Another error would come again, and the end will come, too.
                Err(_) => break,
            }
        }
        Some(self)
    }
}

fn judge(status: ExitStatus) -> Result<(), RunError> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(RunError::Code(code)),
        (None, signal) => Err(RunError::Signal(signal.unwrap_or_default())),
    }
}
