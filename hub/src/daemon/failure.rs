//! Why a hub did not come up, and what the exit code says of it.

use std::time::Duration;

use bus::BusError;
use control::ControlError;
use journal::JournalError;
use plugin_api::StartError;

use crate::consumer::ConsumerName;
use crate::exit::Exit;
use crate::http::HttpError;

/// Why a hub did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartUpError {
    /// A consumer did not start.
    #[error("consumer `{0}` did not start: {1}")]
    Consumer(ConsumerName, StartError),
    /// A consumer did not start, because it could not bind an endpoint.
    #[error("consumer `{0}` did not start: {1}")]
    Taken(ConsumerName, StartError),
    /// Not every consumer started in time.
    #[error("not started within hub.start_deadline ({1:?}): {0}")]
    Deadline(String, Duration),
    /// A socket.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The journal.
    #[error("hub.state_dir: {0}")]
    Journal(#[from] JournalError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Health and metrics.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A thread or signal handler could not be had.
    #[error("cannot {0}: {1}")]
    System(&'static str, std::io::Error),
    /// What came in last cannot be put away.
    #[error("intake is held up and cannot change what it receives: {0}")]
    IntakeHeldUp(String),
    /// Told to stop before it was up.
    #[error("told to stop while starting")]
    Stopped,
}

impl StartUpError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Consumer(..) | Self::Deadline(..) => Exit::Plugin,
            Self::Bus(BusError::Bind { .. } | BusError::AllInUse { .. })
            | Self::Http(_)
            | Self::Taken(..) => Exit::Address,
            Self::Bus(BusError::NoAddress(_) | BusError::Wildcard { .. } | BusError::Service { .. }) => {
                Exit::Config
            }
            Self::Journal(_) | Self::Control(_) => Exit::State,
            Self::Bus(_) | Self::System(..) | Self::IntakeHeldUp(_) => Exit::Failed,
            Self::Stopped => Exit::Clean,
        }
    }
}
