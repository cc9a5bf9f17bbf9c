//! The operator's way to a state directory, whether a hub runs on it or not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{process, thread};

use journal::{Archive, Journal, JournalError, Opened, Options, Part, Recovery};
use rustix::process::geteuid;

use crate::answer::{self, Each, tell};
use crate::client::is_absent;
use crate::reply::Damage;
use crate::view::View;
use crate::{Client, Command, ControlError, Refusal, Reply};

/// How long a hub is waited for that has its state directory and no socket: it starts, or it stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked after.
const INTERVAL: Duration = Duration::from_millis(50);

/// The operator's way to a state directory.
#[derive(Debug, Clone)]
pub enum Access {
    /// Through the hub that runs on it.
    Running(Client),
    /// To its files.
    Stopped(Stopped),
}

/// A state directory with no hub that could be asked.
#[derive(Debug, Clone)]
pub struct Stopped {
    directory: PathBuf,
    /// The process that has it all the same.
    owner: Option<u32>,
}

impl Access {
    /// Looks whether a hub runs there. One that is starting or stopping is waited for, for some seconds.
    ///
    /// # Errors
    /// As [`Client::find`].
    pub fn find(state_directory: &Path) -> Result<Self, ControlError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(client) = Client::find(state_directory)? {
                return Ok(Self::Running(client));
            }
            let owner = Journal::owner(state_directory).filter(|owner| *owner != process::id());
            if owner.is_none() || Instant::now() >= deadline {
                return Ok(Self::Stopped(Stopped { directory: state_directory.to_owned(), owner }));
            }
            // There is no event to wait for.
            thread::park_timeout(INTERVAL);
        }
    }

    /// The hub that runs there, for what only a running hub can do.
    ///
    /// # Errors
    /// [`Refusal::NotRunning`]; [`ControlError::NotReady`].
    pub fn running(&self) -> Result<&Client, ControlError> {
        match self {
            Self::Running(client) => Ok(client),
            Self::Stopped(stopped) => Err(stopped.refuse()),
        }
    }

    /// Asks, and has `each` take the lines of the answer, which are none of [`Reply::Done`], [`Reply::Error`] and
    /// [`Reply::Alive`]. The answer ends when `each` fails.
    ///
    /// # Errors
    /// Every [`ControlError`]; [`ControlError::Output`] has what `each` says.
    pub fn ask(&self, command: &Command, each: &mut Each<'_>) -> Result<(), ControlError> {
        let each =
            &mut |reply: Reply<'_>| if matches!(reply, Reply::Alive {}) { Ok(()) } else { each(reply) };
        match self {
            Self::Running(client) => {
                let mut answer = client.ask(command)?;
                while let Some(reply) = answer.next_reply()? {
                    tell(each, reply)?;
                }
                Ok(())
            }
            Self::Stopped(stopped) => stopped.ask(command, each),
        }
    }
}

impl Stopped {
    fn ask(&self, command: &Command, each: &mut Each<'_>) -> Result<(), ControlError> {
        match command {
            Command::Stats => {
                let archive = self.look()?;
                let stats = answer::stats(View::Archive(&archive), &self.directory, None)?;
                tell(each, Reply::Stats(stats))
            }
            Command::Status
            | Command::LogLevel { .. }
            | Command::Messages { follow: true, .. }
            | Command::Reload
            | Command::Replay { .. } => Err(self.refuse()),
            Command::Messages { span, last, topics, follow: false } => {
                answer::messages(View::Archive(&self.look()?), span, *last, topics, each)?;
                Ok(())
            }
            Command::Outcomes { span, consumer } => {
                answer::outcomes(View::Archive(&self.look()?), span, consumer.clone(), each)
            }
            Command::Verify => {
                let archive = self.look()?;
                // Of the messages, reading them all says more.
                tell_damage(archive.recovery(), |part| part != Part::Messages, each)?;
                answer::verify(View::Archive(&archive), each)
            }
            Command::DeadLetters { selection, messages } => {
                answer::dead_letters(View::Archive(&self.look()?), selection, *messages, each)
            }
            Command::Requeue { selection } => {
                self.change(each, |journal, each| answer::requeue(journal, None, selection, each))
            }
            Command::Purge { selection, pretend: true } => {
                answer::purgeable(View::Archive(&self.look()?), selection, each)
            }
            Command::Purge { selection, pretend: false } => {
                self.change(each, |journal, each| answer::purge(journal, selection, each))
            }
            Command::Forget { consumer } => {
                self.change(each, |journal, _| answer::forget(journal, None, consumer))
            }
        }
    }

    /// Why it cannot do what only a running hub can.
    fn refuse(&self) -> ControlError {
        match self.owner {
            Some(_) => ControlError::NotReady { directory: self.directory.clone(), pid: self.owner },
            None => Refusal::NotRunning.into(),
        }
    }

    fn look(&self) -> Result<Archive, ControlError> {
        Archive::open(&self.directory).map_err(|error| match error {
            JournalError::Io { source, .. } if is_absent(&source) => {
                ControlError::NoJournal { directory: self.directory.clone() }
            }
            other => other.into(),
        })
    }

    /// Changes something as the journal's owner, so that no hub can start meanwhile.
    fn change(
        &self,
        each: &mut Each<'_>,
        change: impl FnOnce(&Journal, &mut Each<'_>) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        // To open what isn't there would make it.
        drop(self.look()?);
        let metadata = fs::metadata(&self.directory).map_err(ControlError::io("look at", &self.directory))?;
        let (owner, user) = (metadata.uid(), geteuid().as_raw());
        if owner != user {
            return Err(ControlError::NotOwner { directory: self.directory.clone(), owner, user });
        }
        let opened = Journal::open(&self.directory, &Options::default());
        let Opened { journal, appender, recovery } = opened.map_err(|error| match error {
            JournalError::Locked { pid, .. } => {
                ControlError::NotReady { directory: self.directory.clone(), pid }
            }
            other => other.into(),
        })?;
        // Nothing comes in.
        drop(appender);
        tell_damage(&recovery, |_| true, each)?;
        change(&journal, each)?;
        Ok(journal.close()?)
    }
}

fn tell_damage(
    recovery: &Recovery,
    of: impl Fn(Part) -> bool,
    each: &mut Each<'_>,
) -> Result<(), ControlError> {
    for damage in recovery.damage.iter().chain(&recovery.torn).filter(|damage| of(damage.part)) {
        tell(each, Reply::Damage(Damage { what: damage.to_string() }))?;
    }
    Ok(())
}
