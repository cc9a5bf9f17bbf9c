//! Why a command could not do what it was asked to, and what the exit code says of it.

use std::io;

use control::{ControlError, Fault, Refusal};
use thiserror::Error;

use crate::complaint::complain;
use crate::exit::Exit;

/// Why a command could not do what it was asked to.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The hub, or its files.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Standard input or output.
    #[error("cannot {doing}: {source}")]
    Stream {
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The operator said no.
    #[error("nothing was done")]
    Declined,
    /// There is nobody who could say yes.
    #[error("this cannot be undone, and nobody can be asked here: say --yes")]
    NobodyToAsk,
    /// There is nowhere to draw.
    #[error(
        "`top` draws on a terminal, and standard output is none: `fedmsg-hub status` prints the same once"
    )]
    NoTerminal,
    /// Parts of the journal cannot be read.
    #[error("parts of the journal cannot be read; the rest is")]
    Damaged,
    /// The hub does not do all that it is there for.
    #[error("the hub is not ready")]
    Unready,
    /// Ctrl-C, before anything was done.
    #[error("interrupted")]
    Interrupted,
    /// A replay ended before its end.
    #[error("{why}; go on with\n  {go_on}")]
    ReplayBrokenOff {
        /// What ended it.
        why: BrokenOff,
        /// The command that goes on.
        go_on: String,
    },
}

/// Why a replay ended before its end.
#[derive(Debug, Error)]
pub(super) enum BrokenOff {
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The consumer ended, or could not go on.
    #[error("the replay broke off: see the hub's log for what became of the consumer")]
    ByConsumer,
    /// The hub went away.
    #[error(transparent)]
    ByHub(ControlError),
}

impl Failure {
    pub(super) fn output(source: io::Error) -> Self {
        Self::Stream { doing: "write to standard output", source }
    }

    /// Says it, and gives the exit code.
    pub(super) fn conclude(&self) -> Exit {
        let exit = self.exit();
        if exit != Exit::Clean {
            complain(self);
        }
        exit
    }

    fn exit(&self) -> Exit {
        match self {
            // As in `fedmsg-hub journal export | head`.
            Self::Control(ControlError::Output(source)) | Self::Stream { source, .. }
                if source.kind() == io::ErrorKind::BrokenPipe =>
            {
                Exit::Clean
            }
            Self::Control(ControlError::Refused(Refusal::NotRunning)) => Exit::NotRunning,
            Self::Control(ControlError::Refused(Refusal::NotReloaded { fault, .. })) => match fault {
                Fault::Configuration => Exit::Config,
                Fault::Consumer => Exit::Plugin,
                Fault::Address => Exit::Address,
                Fault::Hub => Exit::Failed,
            },
            Self::Control(
                ControlError::Journal(_)
                | ControlError::NoJournal { .. }
                | ControlError::NotOwner { .. }
                | ControlError::PathTooLong { .. },
            ) => Exit::State,
            Self::Control(ControlError::Silent { .. } | ControlError::NotReady { .. })
            | Self::ReplayBrokenOff { why: BrokenOff::ByHub(ControlError::Silent { .. }), .. } => {
                Exit::Silent
            }
            Self::NobodyToAsk | Self::NoTerminal => Exit::Usage,
            Self::Unready => Exit::Unready,
            Self::Interrupted | Self::ReplayBrokenOff { why: BrokenOff::Interrupted, .. } => {
                Exit::Interrupted
            }
            Self::Control(_)
            | Self::Stream { .. }
            | Self::Declined
            | Self::Damaged
            | Self::ReplayBrokenOff { .. } => Exit::Failed,
        }
    }
}
